//! What was found, as Markdown for people and JSON for whoever compares runs.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::slice::{Compared, Slice};

/// Everything that a run found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was run, and on what machine.
    pub conditions: BTreeMap<&'static str, String>,
    /// Tables of rates.
    pub tables: Vec<Table>,
    /// Single figures, by what they are about.
    pub figures: Vec<Figures>,
}

/// Rates of one kind, in the order measured.
#[derive(Debug, Serialize)]
pub struct Table {
    /// What is compared with what.
    pub title: String,
    /// The comparisons.
    pub rows: Vec<Row>,
}

/// One comparison.
#[derive(Debug, Serialize)]
pub struct Row {
    what: String,
    ours: Side,
    other: Side,
    /// Median of the ratios of the rates.
    ratio: f64,
    /// All of them, round by round.
    ratios: Vec<f64>,
    p99_ratio: f64,
    /// CPU time of our processes for one request, in µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_us: Option<f64>,
    /// Scripts that Redis ran for one request of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    scripts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Side {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    answers: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    wrong: BTreeMap<String, u64>,
}

/// What a comparison should come to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Goal {
    /// The least ratio of the rates.
    pub ratio: f64,
    /// The largest ratio of the 99th percentiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ratio: Option<f64>,
}

/// Single figures that belong together.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// What they are about.
    pub title: String,
    /// In the order measured.
    pub figures: Vec<Figure>,
}

/// A single figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// How much it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl From<Slice> for Side {
    fn from(slice: Slice) -> Self {
        Self {
            rate: slice.rate(),
            p50_ms: slice.percentile(50.0),
            p99_ms: slice.percentile(99.0),
            answers: slice.micros.len(),
            wrong: slice.wrong,
        }
    }
}

impl Row {
    /// A row of this comparison. It meets its goal only when no answer was wrong.
    pub fn new(what: impl Into<String>, compared: Compared, goal: Option<Goal>) -> Self {
        let (ratio, p99_ratio) = (compared.ratio(), compared.p99_ratio());
        let right = compared.ours.wrong.is_empty() && compared.other.wrong.is_empty();
        let met = goal.map(|goal| {
            let soon_enough = goal.p99_ratio.is_none_or(|most| p99_ratio <= most);
            right && ratio >= goal.ratio && soon_enough
        });
        Self {
            what: what.into(),
            ours: compared.ours.into(),
            other: compared.other.into(),
            ratio,
            ratios: compared.ratios,
            p99_ratio,
            cpu_us: compared.cpu.map(|cpu| cpu.as_secs_f64() * 1e6),
            scripts: compared.scripts,
            goal,
            met,
        }
    }

    /// The row in one line, for whoever watches.
    pub fn line(&self) -> String {
        let Self { what, ours, other, .. } = self;
        let mut line = format!(
            "{what}: {:.0}/s against {:.0}/s, ratio {:.2}; p99 {:.2} ms against {:.2} ms",
            ours.rate, other.rate, self.ratio, ours.p99_ms, other.p99_ms
        );
        if let Some(cpu) = self.cpu_us {
            let _ = write!(line, "; {cpu:.0} µs of CPU each");
        }
        if let Some(scripts) = self.scripts {
            let _ = write!(line, "; {scripts:.2} scripts each");
        }
        for (side, wrong) in [("ours", &ours.wrong), ("the other's", &other.wrong)] {
            if !wrong.is_empty() {
                let _ = write!(line, "; WRONG, {side}: {wrong:?}");
            }
        }
        line
    }
}

impl Figure {
    /// A figure without a target.
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            at_most: None,
        }
    }

    /// The same, which may be so much.
    pub fn at_most(self, most: f64) -> Self {
        Self {
            at_most: Some(most),
            ..self
        }
    }

    /// The value with as many places as matter.
    pub fn shown(&self) -> String {
        let value = self.value;
        match value {
            whole if whole.fract() == 0.0 || whole >= 100.0 => format!("{value:.0}"),
            small if small < 10.0 => format!("{value:.2}"),
            _ => format!("{value:.1}"),
        }
    }

    /// Whether it is within what it may be.
    fn met(&self) -> Option<bool> {
        self.at_most.map(|most| self.value <= most)
    }
}

impl Report {
    /// Writes both files into a folder, under this name.
    pub fn write(&self, folder: &Path, name: &str) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{name}.md")), self.markdown())?;
        let json = serde_json::to_string_pretty(self)?;
        Ok(fs::write(folder.join(format!("{name}.json")), json)?)
    }

    /// The tables.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.conditions {
            let _ = writeln!(text, "- {name}: {value}");
        }
        for table in &self.tables {
            let _ = write!(
                text,
                "\n**{}**\n\n| what | /s | p50 ms | p99 ms | other /s | p50 ms | p99 ms | ratio | p99 ratio | cpu µs | scripts | target | met |\n\
                 |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
                table.title
            );
            for row in &table.rows {
                let (ours, other) = (&row.ours, &row.other);
                let goal = row.goal.map_or_else(String::new, |goal| {
                    let p99 = goal
                        .p99_ratio
                        .map_or_else(String::new, |most| format!(", p99 ≤ {most}"));
                    format!("≥ {}{p99}", goal.ratio)
                });
                let cpu = row.cpu_us.map_or_else(String::new, |cpu| format!("{cpu:.0}"));
                let scripts = row.scripts.map_or_else(String::new, |scripts| format!("{scripts:.2}"));
                let _ = writeln!(
                    text,
                    "| {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {cpu} | {scripts} | {goal} | {} |",
                    row.what,
                    ours.rate,
                    ours.p50_ms,
                    ours.p99_ms,
                    other.rate,
                    other.p50_ms,
                    other.p99_ms,
                    row.ratio,
                    row.p99_ratio,
                    said(row.met)
                );
                for wrong in [&ours.wrong, &other.wrong]
                    .into_iter()
                    .filter(|wrong| !wrong.is_empty())
                {
                    let _ = writeln!(text, "| wrong answers: {wrong:?} | | | | | | | | | | | | |");
                }
            }
        }
        for Figures { title, figures } in &self.figures {
            let _ = write!(text, "\n**{title}**\n\n| what | | target | met |\n|---|---|---|---|\n");
            for figure in figures {
                let (Figure { what, unit, .. }, value) = (figure, figure.shown());
                let most = figure
                    .at_most
                    .map_or_else(String::new, |most| format!("≤ {most} {unit}"));
                let _ = writeln!(text, "| {what} | {value} {unit} | {most} | {} |", said(figure.met()));
            }
        }
        text
    }
}

fn said(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn compared(wrong: bool) -> Compared {
        let slice = |n: u32| Slice {
            micros: vec![1000; n as usize],
            took: Duration::from_secs(1),
            wrong: BTreeMap::new(),
        };
        let mut compared = Compared {
            ours: slice(50),
            other: slice(100),
            ratios: vec![0.5],
            ..Compared::default()
        };
        if wrong {
            compared.ours.wrong.insert("status 500".to_owned(), 1);
        }
        compared
    }

    #[test]
    fn a_goal_is_met_only_by_right_answers() {
        let goal = |ratio, p99_ratio| Some(Goal { ratio, p99_ratio });
        let met = |wrong, goal| Row::new("row", compared(wrong), goal).met;
        assert_eq!(met(false, goal(0.4, Some(3.0))), Some(true));
        assert_eq!(met(false, goal(0.6, None)), Some(false));
        assert_eq!(met(false, goal(0.4, Some(0.5))), Some(false));
        assert_eq!(met(true, goal(0.4, None)), Some(false));
        assert_eq!(met(false, None), None);
    }
}
