//! A series' last days as a small picture: days by hours, darker where more users were.
//!
//! A path for each shade, made of horizontal runs of cells; a dash pattern parts the cells, and a cell of which nothing
//! is known stays a dot of the axis. So a week of hours takes some hundred bytes. Colours are the style sheet's.

use std::fmt::Write;

use jiff::civil::{Date, DateTime};

use super::words::{counted, grouped};
use crate::domain::series::Interval;
use crate::observe::status::recent::Recent;

/// Shades above zero.
const SHADES: usize = 4;

/// The class of each shade, from zero to the most.
pub(super) const CLASSES: [&str; SHADES + 1] = ["z", "a", "b", "c", "d"];

/// What a picture is called in the words of a sentence.
fn noun(interval: Interval) -> &'static str {
    match interval {
        Interval::Hourly => "hour",
        Interval::Daily => "day",
    }
}

/// The axes that were drawn already: pictures of the same days refer to the first of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Axes(Vec<(Interval, Date, DateTime)>);

/// The picture; `local` is the bot's own time, to the hour or more exactly.
pub(super) fn picture(recent: &Recent, interval: Interval, local: DateTime, axes: &mut Axes) -> String {
    let (class, height) = match interval {
        Interval::Hourly => ("h", 112),
        Interval::Daily => ("h y", 48),
    };
    let mut svg = format!(
        "<svg class=\"{class}\" viewBox=\"0 0 340 {height}\" role=\"img\" aria-label=\"{}\">",
        in_words(recent, interval, local)
    );
    svg += &axis(recent, interval, local, axes);
    let _infallible = write!(svg, "<g class=\"{}\">", cells(interval));
    for (class, path) in CLASSES.iter().zip(paths(recent, interval)) {
        if !path.is_empty() {
            let _infallible = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
    svg.push_str("</g>");
    if interval == Interval::Daily {
        for (place, users) in (0..).zip(figures_by_day(recent)) {
            let x = DAY_WIDTH * place + DAY_WIDTH / 2;
            let _infallible = write!(svg, "<text x=\"{x}\" y=\"45\">{}</text>", users.map_or("–".to_owned(), short));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The most users of one bucket, and where that is: its day, and its hour where the series has hours.
pub(super) fn busiest(recent: &Recent, interval: Interval) -> Option<String> {
    let figures = recent.days().flat_map(|(day, users)| users.iter().enumerate().map(move |(hour, u)| (day, hour, *u)));
    // The first of several, which is what a comparison that prefers the earlier place finds.
    let known = figures.filter_map(|(day, hour, users)| Some((users?, day, hour)));
    let (users, day, hour) = known.reduce(|best, other| if other.0 > best.0 { other } else { best })?;
    let at = match interval {
        Interval::Hourly => format!(" at {hour}:00"),
        Interval::Daily => String::new(),
    };
    Some(format!("{}, {}{at}", counted(users.into(), "user"), day.strftime("%a %-d")))
}

/// What the picture shows, for those who do not see it.
fn in_words(recent: &Recent, interval: Interval, local: DateTime) -> String {
    let noun = noun(interval);
    let (first, last) = (recent.first, recent.days().last().map_or(recent.first, |(day, _)| day));
    let per_day = match interval {
        Interval::Hourly => 24,
        Interval::Daily => 1,
    };
    let figures = || recent.users.iter().flat_map(|day| day[..per_day].iter().copied());
    let known = figures().flatten().count();
    // What has not ended yet is not expected to be known.
    let ended = recent.days().map(|(day, _)| ended_of(day, interval, local)).sum::<usize>();
    let all = grouped(ended.max(known) as u64);
    let most = match figures().flatten().max() {
        None => "no data yet".to_owned(),
        Some(most) => format!("at most {} in one {noun}, data for {known} of {all} {noun}s", grouped(most.into())),
    };
    format!("users by {noun}, {first} to {last}, {most}")
}

/// How many of a day's buckets have ended.
fn ended_of(day: Date, interval: Interval, local: DateTime) -> usize {
    let of_a_day = if interval == Interval::Hourly { 24 } else { 1 };
    match day.cmp(&local.date()) {
        std::cmp::Ordering::Less => of_a_day,
        std::cmp::Ordering::Equal if interval == Interval::Hourly => usize::try_from(local.hour()).unwrap_or(0),
        _ => 0,
    }
}

const DAY_WIDTH: usize = 42;

/// The class that gives cells their place and size.
fn cells(interval: Interval) -> &'static str {
    match interval {
        Interval::Hourly => "m",
        Interval::Daily => "m n",
    }
}

/// Days, hours, and a dot for each bucket that has ended; drawn at its first use and referred to later.
fn axis(recent: &Recent, interval: Interval, local: DateTime, axes: &mut Axes) -> String {
    let hour = local.date().at(local.hour(), 0, 0, 0);
    let key = (interval, recent.first, hour);
    if let Some(number) = axes.0.iter().position(|axis| *axis == key) {
        return format!("<use href=\"#x{number}\"/>");
    }
    axes.0.push(key);
    let mut axis = format!("<g id=\"x{}\">", axes.0.len() - 1);
    let mut dots = String::new();
    for (row, (day, _)) in recent.days().enumerate() {
        let is_today = day == local.date();
        let (class, label) = match is_today {
            true => (" class=\"t\"", "today".to_owned()),
            false => ("", day.strftime(if interval == Interval::Hourly { "%a %-d" } else { "%a" }).to_string()),
        };
        let place = match interval {
            Interval::Hourly => format!("y=\"{}\"", 24 + 12 * row),
            Interval::Daily => format!("x=\"{}\" y=\"10\"", DAY_WIDTH * row + DAY_WIDTH / 2),
        };
        let _infallible = write!(axis, "<text {place}{class}>{label}</text>");
        let ended = ended_of(day, interval, local);
        if ended > 0 {
            let (x, y) = if interval == Interval::Hourly { (0, row) } else { (row, 0) };
            let _infallible = write!(dots, "M{x} {y}h{ended}");
        }
    }
    if interval == Interval::Hourly {
        for hour in [0, 6, 12, 18] {
            let _infallible = write!(axis, "<text x=\"{}\" y=\"10\">{hour}</text>", 51 + 12 * hour);
        }
    }
    let _infallible = write!(axis, "<g class=\"{}\"><path class=\"u\" d=\"{dots}\"/></g></g>", cells(interval));
    axis
}

/// The path of each shade, from zero to the most.
fn paths(recent: &Recent, interval: Interval) -> [String; SHADES + 1] {
    let mut paths: [String; SHADES + 1] = Default::default();
    // As it is drawn: a row of hours for each day, or one row of days.
    let days = figures_by_day(recent);
    let rows: Vec<&[Option<u32>]> = match interval {
        Interval::Hourly => recent.users.iter().map(|hours| hours.as_slice()).collect(),
        Interval::Daily => vec![&days],
    };
    let most = rows.iter().flat_map(|row| row.iter().copied()).flatten().max().unwrap_or(0);
    for (y, row) in rows.into_iter().enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| shade(*one, most) == shade(*next, most)) {
            if let Some(path) = run.first().and_then(|users| paths.get_mut(shade(*users, most)?)) {
                let _infallible = write!(path, "M{x} {y}h{}", run.len());
            }
            x += run.len();
        }
    }
    paths
}

/// Zero, or which quarter of the most: 1 to [`SHADES`].
fn shade(users: Option<u32>, most: u32) -> Option<usize> {
    let shade = (u64::from(users?) * SHADES as u64).div_ceil(u64::from(most.max(1)));
    usize::try_from(shade).ok()
}

/// A daily series has its figure at hour 0.
fn figures_by_day(recent: &Recent) -> Vec<Option<u32>> {
    recent.users.iter().map(|hours| hours[0]).collect()
}

/// A number in at most six characters.
fn short(number: u32) -> String {
    match number {
        0..100_000 => grouped(number.into()),
        100_000..1_000_000 => format!("{}k", number / 1000),
        _ => format!("{:.1}M", f64::from(number) / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::observe::status::recent::DAYS;

    /// Half past nine in the evening of the last day.
    fn local() -> DateTime {
        date(2026, 11, 22).at(21, 30, 0, 0)
    }

    fn recent(figure: impl Fn(usize, usize) -> Option<u32>) -> Recent {
        let mut recent = Recent::until(local().date());
        for (day, users) in recent.users.iter_mut().enumerate() {
            for (hour, users) in users.iter_mut().enumerate() {
                *users = figure(day, hour);
            }
        }
        recent
    }

    /// The cells of a path: column and row.
    fn cells_of(path: &str) -> Vec<(usize, usize)> {
        let mut cells = Vec::new();
        for run in path.split_terminator('M').skip(1) {
            let (start, length) = run.split_once('h').unwrap();
            let (x, y) = start.split_once(' ').unwrap();
            let (x, y, length): (usize, usize, usize) =
                (x.parse().unwrap(), y.parse().unwrap(), length.parse().unwrap());
            cells.extend((x..x + length).map(|x| (x, y)));
        }
        cells
    }

    /// The path of a class in a picture; empty where there is none.
    fn path_of<'a>(svg: &'a str, class: &str) -> &'a str {
        let path = svg.split_once(&format!("<path class=\"{class}\" d=\""));
        path.map_or("", |(_, rest)| rest.split_once('"').unwrap().0)
    }

    #[test]
    fn each_cell_is_drawn_once_in_its_shade() {
        let figure = |day: usize, hour: usize| (hour != 7 && day != 3).then(|| ((day * 24 + hour) as u32 * 37) % 101);
        let recent = recent(figure);
        let svg = picture(&recent, Interval::Hourly, local(), &mut Axes::default());
        let mut drawn = Vec::new();
        for (shade, class) in CLASSES.iter().enumerate() {
            for (hour, day) in cells_of(path_of(&svg, class)) {
                let expected = (figure(day, hour).unwrap() * 4).div_ceil(100) as usize;
                assert_eq!(shade, expected, "day {day}, hour {hour}");
                drawn.push((day, hour));
            }
        }
        drawn.sort_unstable();
        let all = (0..DAYS).flat_map(|day| (0..24).map(move |hour| (day, hour)));
        assert_eq!(drawn, all.filter(|(day, hour)| figure(*day, *hour).is_some()).collect::<Vec<_>>());
    }

    #[test]
    fn shades_are_quarters_of_the_most_and_zero_is_none_of_them() {
        for (users, most, expected) in [
            (None, 100, None),
            (Some(0), 100, Some(0)),
            (Some(0), 0, Some(0)),
            (Some(1), 100, Some(1)),
            (Some(25), 100, Some(1)),
            (Some(26), 100, Some(2)),
            (Some(75), 100, Some(3)),
            (Some(76), 100, Some(4)),
            (Some(1), 1, Some(4)),
            (Some(u32::MAX), u32::MAX, Some(4)),
        ] {
            assert_eq!(shade(users, most), expected, "{users:?} of {most}");
        }
    }

    #[test]
    fn a_daily_series_is_one_row_with_its_figures() {
        let recent =
            recent(|day, hour| [Some(10), Some(40), None, Some(0)].get(day).copied().flatten().filter(|_| hour == 0));
        let svg = picture(&recent, Interval::Daily, local(), &mut Axes::default());
        assert_eq!(CLASSES.map(|class| path_of(&svg, class)), ["M3 0h1", "M0 0h1", "", "", "M1 0h1"]);
        assert!(svg.contains("<text x=\"21\" y=\"45\">10</text><text x=\"63\" y=\"45\">40</text>"), "{svg}");
        assert!(svg.contains("<text x=\"105\" y=\"45\">–</text><text x=\"147\" y=\"45\">0</text>"), "{svg}");
        let words = "users by day, 2026-11-15 to 2026-11-22, at most 40 in one day, data for 3 of 7 days";
        assert!(svg.contains(&format!("aria-label=\"{words}\"")), "{svg}");
        assert_eq!(busiest(&recent, Interval::Daily).unwrap(), "40 users, Mon 16");
    }

    #[test]
    fn words_say_what_the_picture_shows() {
        let figures =
            recent(|day, hour| (day > 0 && !(day == 7 && hour > 20)).then_some(if hour == 9 { 1212 } else { 3 }));
        let words = in_words(&figures, Interval::Hourly, local());
        let expected = "users by hour, 2026-11-15 to 2026-11-22, at most 1,212 in one hour, data for 165 of 189 hours";
        assert_eq!(words, expected);
        assert_eq!(busiest(&figures, Interval::Hourly).unwrap(), "1,212 users, Mon 16 at 9:00");

        let nothing = recent(|_, _| None);
        let words = in_words(&nothing, Interval::Hourly, local());
        assert_eq!(words, "users by hour, 2026-11-15 to 2026-11-22, no data yet");
        assert_eq!(busiest(&nothing, Interval::Hourly), None);
        let svg = picture(&nothing, Interval::Hourly, local(), &mut Axes::default());
        assert_eq!(CLASSES.map(|class| path_of(&svg, class)), [""; 5]);
    }

    #[test]
    fn what_has_not_ended_is_not_marked_as_unknown() {
        let dots = |interval, local| {
            let svg = picture(&recent(|_, _| None), interval, local, &mut Axes::default());
            cells_of(path_of(&svg, "u")).len()
        };
        assert_eq!(dots(Interval::Hourly, local()), 7 * 24 + 21);
        assert_eq!(dots(Interval::Daily, local()), 7);
        // Nobody has asked since the day before yesterday.
        let later = date(2026, 11, 24).at(0, 0, 0, 0);
        assert_eq!((dots(Interval::Hourly, later), dots(Interval::Daily, later)), (8 * 24, 8));
    }

    #[test]
    fn pictures_of_the_same_days_share_an_axis() {
        let recent = recent(|_, _| Some(1));
        let mut axes = Axes::default();
        let mut draw = |interval, local: DateTime| picture(&recent, interval, local, &mut axes);
        assert!(draw(Interval::Hourly, local()).contains("<g id=\"x0\"><text y=\"24\">Sun 15</text>"));
        let second = draw(Interval::Hourly, local().date().at(21, 59, 59, 0));
        assert!(second.contains("<use href=\"#x0\"/>") && !second.contains("<text"), "{second}");
        assert!(draw(Interval::Daily, local()).contains("<g id=\"x1\">"));
        assert!(draw(Interval::Hourly, local().date().at(22, 0, 0, 0)).contains("<g id=\"x2\">"));
        assert!(draw(Interval::Daily, local()).contains("<use href=\"#x1\"/>"));
    }

    #[test]
    fn large_numbers_are_short() {
        for (number, expected) in
            [(0, "0"), (99_999, "99,999"), (100_000, "100k"), (999_999, "999k"), (1_250_000, "1.2M")]
        {
            assert_eq!(short(number), expected);
        }
    }
}
