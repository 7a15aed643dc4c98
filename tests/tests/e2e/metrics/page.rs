//! The tables of docs/metrics.md, read: one row for each metric.

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../../docs/metrics.md");
const SERVICES: [&str; 3] = ["gateway", "identity-service", "delinea-adapter"];

/// What the page says of a metric.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) services: Vec<&'static str>,
    /// Whether it is there from the start, or only when something happened.
    pub(crate) always: bool,
    pub(crate) kind: String,
    /// Whether every series has the label, by label.
    pub(crate) labels: BTreeMap<String, bool>,
}

/// Every row: `| name | service | type | unit | labels | what it answers |`.
pub(crate) fn rows() -> Vec<Row> {
    let lines = PAGE.lines().filter(|line| line.starts_with("| `"));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [name, services, kind, _unit, labels, answers] = cells[..] else {
        panic!("six cells: {line}");
    };
    assert!(!answers.is_empty(), "{line}");
    let mut named = services.split(", ");
    let every = named.clone().any(|one| one == "every service");
    let when = named.any(|one| one.starts_with("when "));
    let is_named = |service: &&str| every || services.split(", ").any(|one| one == *service);
    let services: Vec<_> = SERVICES.into_iter().filter(is_named).collect();
    assert!(!services.is_empty(), "{line}");
    // Between backticks stand the labels; a question mark follows one that a series may lack.
    let parts: Vec<_> = labels.split('`').collect();
    let marked = parts[1..].chunks(2).filter(|pair| pair.len() == 2);
    Row {
        name: name.trim_matches('`').to_owned(),
        services,
        always: !when,
        kind: kind.to_owned(),
        labels: marked
            .map(|pair| (pair[0].to_owned(), !pair[1].starts_with('?')))
            .collect(),
    }
}
