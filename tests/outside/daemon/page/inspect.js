// Everything that is wrong with the page as it is shown now, a sentence each.
const wrong = [];
const told = (element) => element.outerHTML.slice(0, 120);
const style = (element) => getComputedStyle(element);

// Nothing sticks out.
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width)
  wrong.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
const scrolls = (element) => element && (/auto|scroll/.test(style(element).overflowX) || scrolls(element.parentElement));
for (const element of document.body.querySelectorAll("*")) {
  const box = element.getBoundingClientRect();
  if (box.width && (box.right > width + 1 || box.left < -1) && !scrolls(element.parentElement))
    wrong.push(`from ${box.left} to ${box.right} of ${width}: ${told(element)}`);
}

// Text stands out from what is behind it.
const colour = (text) => {
  const numbers = /^rgba?\(([^)]*)\)$/.exec(text)?.[1].split(",").map(Number);
  if (!numbers) throw new Error(`a colour that is not understood: ${text}`);
  return [numbers.slice(0, 3), numbers[3] ?? 1];
};
const over = ([upper, share], lower) => upper.map((value, place) => value * share + lower[place] * (1 - share));
const behind = (element) => {
  if (!element) return style(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  const layer = colour(style(element).backgroundColor);
  return layer[1] === 1 ? layer[0] : over(layer, behind(element.parentElement));
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
for (let text = texts.nextNode(); text; text = texts.nextNode()) {
  const element = text.parentElement;
  if (!text.data.trim() || !element.getClientRects().length) continue;
  count += 1;
  const lower = behind(element);
  const upper = over(colour(element instanceof SVGElement ? style(element).fill : style(element).color), lower);
  if (contrast(upper, lower) < 4.5) wrong.push(`contrast ${contrast(upper, lower).toFixed(2)}: ${told(element)}`);
  for (let above = element; above; above = above.parentElement)
    if (style(above).opacity !== "1") wrong.push(`not opaque: ${told(above)}`);
  if (parseFloat(style(element).fontSize) < 11) wrong.push(`small: ${told(element)}`);
}
if (count < 2) wrong.push(`only ${count} texts`);

// Shades go one way, from the card to the most users.
const shades = [..."zabcd"].map((name) => document.querySelector(`.k.${name}`)).filter(Boolean);
const steps = [document.querySelector(".cards article"), ...shades].filter(Boolean).map((element) => luminance(behind(element)));
for (let step = 2; step < steps.length; step += 1)
  if (Math.sign(steps[step] - steps[step - 1]) !== Math.sign(steps[1] - steps[0])) wrong.push(`shades: ${steps}`);

// Who does not see the page is told as much.
if (document.documentElement.lang !== "en") wrong.push("no language");
for (const svg of document.querySelectorAll("svg"))
  if (svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label")) wrong.push(`no label: ${told(svg)}`);
for (const meter of document.querySelectorAll("meter")) if (!meter.labels.length) wrong.push(`no label: ${told(meter)}`);
for (const link of document.querySelectorAll("a")) if (!link.textContent.trim()) wrong.push(`no text: ${told(link)}`);
for (const table of document.querySelectorAll("table")) if (!table.caption) wrong.push(`no caption: ${told(table)}`);
for (const head of document.querySelectorAll("th")) if (!head.scope) wrong.push(`no scope: ${told(head)}`);
for (const part of document.querySelectorAll(".scroll"))
  if (part.tabIndex !== 0 || !part.getAttribute("aria-label")) wrong.push(`no way to scroll by keys: ${told(part)}`);
let rank = 0;
for (const heading of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
  const own = Number(heading.tagName[1]);
  if (own > rank + 1 || (rank && own === 1)) wrong.push(`rank ${own} after ${rank}: ${told(heading)}`);
  rank = own;
}

// Pictures are drawn: what an axis refers to is there, and paths have a size.
for (const use of document.querySelectorAll("use"))
  if (!document.querySelector(use.getAttribute("href"))) wrong.push(`leads nowhere: ${told(use)}`);
for (const path of document.querySelectorAll("svg path")) {
  const box = path.getBoundingClientRect();
  if (path.getAttribute("d") && box.width < 5) wrong.push(`not drawn: ${told(path)}`);
}
return [...new Set(wrong)];
