//! Tables for people: aligned by how wide a text stands in a terminal, and cut where the terminal ends, so that nothing wraps.
//!
//! Our own, and not a crate: rows come a page at a time and are printed as they come, without borders or colour, and that is
//! less to write than to configure.

use console::{measure_text_width, truncate_str};
use jiff::Timestamp;

/// Between two columns.
const GAP: &str = "  ";
/// How wide a column but the last may get in a terminal.
const WIDEST: usize = 40;

/// A table that is printed as it grows. A column never gets narrower, so that pages stand under each other.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    widths: Vec<usize>,
    /// The terminal's width; without one nothing is cut.
    width: Option<usize>,
    has_begun: bool,
}

impl Table {
    /// A table with these heads, for a terminal of that width or for a file.
    pub(crate) fn new(heads: &[&'static str], width: Option<usize>) -> Self {
        Self {
            heads: heads.to_vec(),
            widths: heads.iter().map(|head| head.len()).collect(),
            width,
            has_begun: false,
        }
    }

    /// The next rows as text; the heads stand before the first.
    pub(crate) fn rows(&mut self, rows: &[Vec<String>]) -> String {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| clean(cell)).collect())
            .collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                let most = if self.width.is_some() { WIDEST } else { usize::MAX };
                *width = (*width).max(measure_text_width(cell).min(most));
            }
        }
        let mut text = String::new();
        if !self.has_begun && !rows.is_empty() {
            self.has_begun = true;
            let heads: Vec<_> = self.heads.iter().map(|head| (*head).to_owned()).collect();
            self.line(&heads, &mut text);
        }
        for row in &rows {
            self.line(row, &mut text);
        }
        text
    }

    fn line(&self, cells: &[String], text: &mut String) {
        let mut line = String::new();
        for (place, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if place + 1 == self.widths.len() {
                line.push_str(cell);
                break;
            }
            let cell = truncate_str(cell, *width, "…");
            line.push_str(&cell);
            line.push_str(&" ".repeat(width.saturating_sub(measure_text_width(&cell))));
            line.push_str(GAP);
        }
        let line = line.trim_end();
        match self.width {
            Some(width) => text.push_str(&truncate_str(line, width, "…")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
}

/// Names with their values, one on each line; those without a value are left out.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = given.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
    given
        .map(|(name, value)| format!("{name:<width$}{GAP}{}\n", clean(value)))
        .collect()
}

/// The text on one line, and without anything by which the Platform's words, or somebody's name, could steer the terminal
/// or turn the direction of what follows.
pub(crate) fn clean(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(steers, " ")
}

/// How long it is since then, in the two largest units: `3m 12s`.
pub(crate) fn age(since: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    let since = since.and_then(proto::time::from_proto);
    // Clocks differ: what is to come has just been.
    since.map_or_else(String::new, |since| span((now.as_second() - since.as_second()).max(0)))
}

/// How long it is until then; `now` when that is over.
pub(crate) fn until(at: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    let at = at.and_then(proto::time::from_proto);
    at.map_or_else(String::new, |at| match at.as_second() - now.as_second() {
        ..=0 => "now".to_owned(),
        seconds => format!("in {}", span(seconds)),
    })
}

fn span(seconds: i64) -> String {
    const UNITS: [(i64, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let first = UNITS
        .iter()
        .position(|(size, _)| seconds >= *size)
        .unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let parts = UNITS[first..].iter().take(2).filter_map(|(size, name)| {
        let count = rest / size;
        rest %= size;
        (count > 0 || seconds == 0).then(|| format!("{count}{name}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_stand_under_each_other_whatever_the_script_and_on_every_page() {
        let mut table = Table::new(&["NAME", "WHY"], None);
        assert_eq!(
            table.rows(&[row(&["山田太郎", "no"]), row(&["Zoë", "also no"])]),
            "NAME      WHY\n山田太郎  no\nZoë       also no\n"
        );
        assert_eq!(table.rows(&[row(&["Al", "later"])]), "Al        later\n");
        assert_eq!(table.rows(&[]), "");
    }

    #[test]
    fn nothing_wraps_in_a_terminal_and_nothing_is_lost_in_a_file() {
        let long = "x".repeat(60);
        let rows = [row(&[&long, "why"]), row(&["a", &long])];
        let shown = Table::new(&["NAME", "WHY"], Some(50)).rows(&rows);
        assert!(shown.lines().all(|line| measure_text_width(line) <= 50), "{shown}");
        assert!(shown.contains("…  why"), "{shown}");
        let kept = Table::new(&["NAME", "WHY"], None).rows(&rows);
        assert_eq!(kept.matches(&long).count(), 2);
    }

    #[test]
    fn no_words_steer_the_terminal() {
        let shown = Table::new(&["WHY"], None).rows(&[row(&["a\u{1b}[2Jb\nc\u{202e}d\u{9b}e"])]);
        assert_eq!(shown, "WHY\na [2Jb c d e\n");
        assert_eq!(
            pairs(&[("why", "a\rb".to_owned()), ("none", String::new())]),
            "why  a b\n"
        );
    }

    #[test]
    fn ages_have_two_units() {
        let table = [
            (0, "0s"),
            (45, "45s"),
            (60, "1m"),
            (192, "3m 12s"),
            (3_600, "1h"),
            (3_605, "1h"),
            (7_500, "2h 5m"),
            (90_000, "1d 1h"),
            (86_400 * 400, "400d"),
        ];
        for (seconds, expected) in table {
            assert_eq!(span(seconds), expected);
        }
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let at = |text: &str| proto::time::to_proto(text.parse().unwrap());
        assert_eq!(age(Some(&at("2026-11-23T09:59:15Z")), now), "45s");
        assert_eq!(age(Some(&at("2026-11-23T10:00:05Z")), now), "0s");
        assert_eq!(until(Some(&at("2026-11-23T10:02:00Z")), now), "in 2m");
        assert_eq!(until(Some(&at("2026-11-23T09:00:00Z")), now), "now");
        assert_eq!(until(None, now), "");
    }
}
