//! The manual page: what clap knows of the command line, and what a page has besides.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The day of this release, as CHANGELOG.md has it.
const RELEASED: &str = "2026-11-27";

const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "All done: the database confirmed everything that was owed or asked for."),
    ("1", "Something failed; what succeeded is kept, and the same command continues from there."),
    ("2", "Wrong usage of the command line."),
    ("78", "The configuration is wrong, and every problem is listed; or a newer release wrote a state file."),
];

const FILES: [(&str, &str); 3] = [
    ("/etc/kore-trend-exporter/config.toml", "The configuration. The sample there lists every key."),
    ("/etc/kore-trend-exporter/credentials/", "The secrets, each in a file, for the service."),
    ("/var/lib/kore-trend-exporter/", "What the service keeps between runs. Losing it loses no data."),
];

/// The page in troff.
pub fn page(command: Command) -> Vec<u8> {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _written = Man::new(command).date(RELEASED).render(&mut page);
    let mut more = Roff::new();
    for (section, entries) in [("EXIT STATUS", &EXIT_STATUS[..]), ("FILES", &FILES)] {
        more.control("SH", [section]);
        for (name, meaning) in entries {
            more.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
    }
    page.extend(more.render().into_bytes());
    // An empty line between two breaks is a paragraph, which mandoc would rather have by its name.
    String::from_utf8_lossy(&page).replace(".br\n\n.br\n", ".sp\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn the_page_has_every_flag_exit_code_and_file() {
        let page = String::from_utf8(page(Arguments::command())).unwrap().replace("\\-", "-");
        for word in ["--backfill", "--shard", "KORE_TREND_CONFIG", ".SH \"EXIT STATUS\"", "config.toml"] {
            assert!(page.contains(word), "no {word} in\n{page}");
        }
    }
}
