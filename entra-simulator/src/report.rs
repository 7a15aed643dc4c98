//! The outcome of a rehearsal, and the tables a person reads.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    client::Counts,
    job::{Action, CycleReport, Escrowed},
    verify::Verification,
};

/// What a whole rehearsal did and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The cycles in their order.
    pub cycles: Vec<CycleReport>,
    /// Requests of all cycles and of the comparison, by kind.
    pub requests: Counts,
    /// Writes in the cycle that had nothing to do; more than none is a failure.
    pub identical_writes: u64,
    /// Writes in the full restart that had nothing to do; more than none is a failure.
    pub restart_writes: u64,
    /// The comparison at the end.
    pub verification: Verification,
    /// Objects that still failed at the end.
    pub escrow: Vec<Escrowed>,
    /// Time until the last cycle ended.
    pub cycling: Duration,
}

impl Report {
    /// Whether there is nothing to complain of.
    pub fn is_clean(&self) -> bool {
        self.verification.differences.is_empty()
            && self.escrow.is_empty()
            && self.identical_writes == 0
            && self.restart_writes == 0
            && self.requests.without_scim_error() == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "cycle", "users", "created", "updated", "disabled", "deleted", "groups", "managers", "+members",
            "-members", "requests", "writes", "escrow", "time",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.cycles.iter().map(cycle_row));
        write!(f, "{}", table(&rows))?;

        let mut rows = vec![
            ["request", "sent", "failed", "mean", "slowest"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for (kind, tally) in &self.requests.0 {
            let mean = tally.total / u32::try_from(tally.sent.max(1)).unwrap_or(u32::MAX);
            rows.push(vec![
                kind.to_string(),
                tally.sent.to_string(),
                tally.failed.to_string(),
                milliseconds(mean),
                milliseconds(tally.slowest),
            ]);
        }
        write!(f, "\n{}", table(&rows))?;

        let mut rows = vec![
            vec!["requests".to_owned(), self.requests.requests().to_string()],
            vec!["writes".to_owned(), self.requests.writes().to_string()],
            vec![
                "writes in the identical cycle".to_owned(),
                self.identical_writes.to_string(),
            ],
            vec!["writes in the full restart".to_owned(), self.restart_writes.to_string()],
            vec![
                "4xx without a SCIM error".to_owned(),
                self.requests.without_scim_error().to_string(),
            ],
            vec!["time of all cycles".to_owned(), seconds(self.cycling)],
            vec!["objects in escrow".to_owned(), self.escrow.len().to_string()],
        ];
        rows.extend(verification_rows(&self.verification));
        write!(f, "\n{}", table(&rows))?;
        for escrowed in &self.escrow {
            writeln!(f, "  in escrow: {escrowed}")?;
        }
        write_differences(f, &self.verification)?;
        writeln!(
            f,
            "{}",
            if self.is_clean() {
                "verdict: clean"
            } else {
                "verdict: NOT clean"
            }
        )
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", table(&verification_rows(self)))?;
        write_differences(f, self)
    }
}

fn verification_rows(verification: &Verification) -> Vec<Vec<String>> {
    let against = if verification.with_platform {
        "SCIM and the Platform"
    } else {
        "SCIM"
    };
    let mut rows = vec![
        vec![format!("users compared with {against}"), verification.users.to_string()],
        vec![
            format!("groups compared with {against}"),
            verification.groups.to_string(),
        ],
        vec!["memberships compared".to_owned(), verification.memberships.to_string()],
    ];
    if let Some((calls, writes)) = verification.platform_calls {
        rows.push(vec!["calls the Platform has counted".to_owned(), calls.to_string()]);
        rows.push(vec!["writes among them".to_owned(), writes.to_string()]);
    }
    rows.push(vec!["time to agree".to_owned(), seconds(verification.waited)]);
    rows.push(vec![
        "differences".to_owned(),
        verification.differences.len().to_string(),
    ]);
    rows
}

fn write_differences(f: &mut fmt::Formatter<'_>, verification: &Verification) -> fmt::Result {
    for difference in &verification.differences {
        writeln!(f, "  differs: {difference}")?;
    }
    Ok(())
}

fn cycle_row(cycle: &CycleReport) -> Vec<String> {
    let users = |action| cycle.users.get(&action).copied().unwrap_or_default().to_string();
    vec![
        cycle.label.clone(),
        cycle.users.values().sum::<usize>().to_string(),
        users(Action::Created),
        users(Action::Updated),
        users(Action::Disabled),
        users(Action::Deleted),
        cycle.groups.values().sum::<usize>().to_string(),
        cycle.managers.to_string(),
        cycle.members_added.to_string(),
        cycle.members_removed.to_string(),
        cycle.requests.to_string(),
        cycle.writes.to_string(),
        cycle.escrow.len().to_string(),
        seconds(cycle.duration),
    ]
}

/// Lines up columns: the first to the left, numbers to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("  {cell:>width$}")
            };
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{RequestKind, Tally},
        error::Failure,
        verify::{Difference, Held},
    };

    fn clean() -> Report {
        let tally = Tally {
            sent: 4,
            total: Duration::from_millis(10),
            ..Tally::default()
        };
        Report {
            cycles: vec![CycleReport {
                label: "initial".to_owned(),
                users: [(Action::Created, 4)].into(),
                requests: 10,
                writes: 4,
                ..CycleReport::default()
            }],
            requests: Counts([(RequestKind::CreateUser, tally)].into()),
            identical_writes: 0,
            restart_writes: 0,
            verification: Verification {
                users: 4,
                ..Verification::default()
            },
            escrow: Vec::new(),
            cycling: Duration::from_millis(1234),
        }
    }

    #[test]
    fn columns_line_up_whatever_stands_in_them() {
        let rows = [
            vec!["kind".to_owned(), "n".to_owned()],
            vec!["Équipe".to_owned(), "1000".to_owned()],
        ];
        assert_eq!(table(&rows), "kind       n\nÉquipe  1000\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn the_tables_show_what_was_counted() {
        let text = clean().to_string();
        for line in [
            "initial      4        4",
            "create a user (R07)     4       0  2.5 ms",
            "verdict: clean",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    }

    #[test]
    fn any_flaw_spoils_the_verdict_and_is_shown() {
        let difference = Difference {
            object: "user a".to_owned(),
            attribute: "title".to_owned(),
            expected: Held::Value("x".to_owned()),
            scim: Held::Nothing,
            platform: Held::NotCompared,
        };
        let escrowed = Escrowed {
            kind: "user".to_owned(),
            object_id: "1".to_owned(),
            name: "a".to_owned(),
            attempted: "evaluation".to_owned(),
            reason: Failure::Timeout,
            attempts: 2,
        };
        type Spoil<'a> = Box<dyn FnOnce(&mut Report) + 'a>;
        let rows: Vec<(Spoil<'_>, &str)> = vec![
            (
                Box::new(|report| report.verification.differences.push(difference)),
                "differs: user a: title",
            ),
            (
                Box::new(|report| report.escrow.push(escrowed)),
                "in escrow: user a: evaluation failed 2 time(s)",
            ),
            (Box::new(|report| report.identical_writes = 1), "identical cycle    1"),
            (Box::new(|report| report.restart_writes = 1), "full restart    1"),
            (
                Box::new(|report| {
                    let tally = Tally {
                        without_scim_error: 3,
                        ..Tally::default()
                    };
                    report.requests.0.insert(RequestKind::ReadUser, tally);
                }),
                "4xx without a SCIM error",
            ),
        ];
        for (spoil, shown) in rows {
            let mut report = clean();
            spoil(&mut report);
            let text = report.to_string();
            assert!(!report.is_clean() && text.contains("NOT clean"), "{shown}");
            let squeezed: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let shown: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed.contains(&shown), "{shown:?} is not in\n{text}");
        }
    }
}
