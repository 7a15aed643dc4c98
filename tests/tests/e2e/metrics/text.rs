//! Prometheus' text form, read.

use std::collections::BTreeMap;

/// All that one service told at one moment.
pub(super) struct Metrics {
    text: String,
    kinds: BTreeMap<String, String>,
    series: Vec<Series>,
}

/// One series and its value.
#[derive(Debug, Clone)]
pub(super) struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Metrics {
    pub(super) fn read(text: &str) -> Self {
        let (mut kinds, mut series) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').unwrap();
                kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') && !line.is_empty() {
                series.push(Series::read(line));
            }
        }
        Self {
            text: text.to_owned(),
            kinds,
            series,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What kind each metric is.
    pub(super) fn kinds(&self) -> BTreeMap<&str, &str> {
        self.kinds
            .iter()
            .map(|(name, kind)| (name.as_str(), kind.as_str()))
            .collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }

    /// The series of a metric; of a histogram all that it consists of.
    pub(super) fn of(&self, name: &str) -> Vec<&Series> {
        let is_histogram = self.kinds.get(name).is_some_and(|kind| kind == "histogram");
        let belongs = |series: &&Series| {
            let rest = series.name.strip_prefix(name);
            rest == Some("") || is_histogram && rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
        };
        self.series.iter().filter(belongs).collect()
    }

    /// The value of the one series that has these labels.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |series: &&Series| {
            let has = |(label, value): &(&str, &str)| series.labels.get(*label).is_some_and(|is| is == value);
            series.name == name && labels.iter().all(has)
        };
        let mut found = self.series.iter().filter(fits);
        let one = found.next()?;
        assert!(found.next().is_none(), "more than one {name}{labels:?}\n{}", self.text);
        Some(one.value)
    }

    /// The sum of all series that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |series: &&Series| {
            let has = |(label, value): &(&str, &str)| series.labels.get(*label).is_some_and(|is| is == value);
            series.name == name && labels.iter().all(has)
        };
        self.series.iter().filter(fits).map(|series| series.value).sum()
    }
}

impl Series {
    fn read(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut rest = labels.strip_suffix('}').unwrap();
        let mut read = BTreeMap::new();
        while let Some((label, after)) = rest.split_once("=\"") {
            // The value ends at the first quote that is not escaped.
            let mut escaped = false;
            let end = after
                .find(|c: char| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })
                .unwrap();
            read.insert(label.trim_start_matches(',').to_owned(), after[..end].to_owned());
            rest = &after[end + 1..];
        }
        Self {
            name: name.to_owned(),
            labels: read,
            value: value.parse().unwrap(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its labels, but for those that every series has: who measured, and a histogram's bounds.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.labels.iter();
        own.filter(|(label, _)| !label.starts_with("otel_scope_") && *label != "le")
            .map(|(label, value)| (label.as_str(), value.as_str()))
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.pairs().map(|(label, _)| label)
    }

    /// What tells it from every other.
    pub(super) fn identity(&self) -> String {
        format!("{}{:?}", self.name, self.labels)
    }
}

#[test]
fn a_line_is_read() {
    let told = Metrics::read("# HELP a b c\n# TYPE a counter\na{x=\"1,2\",y=\"q\\\"}\"} 3\nb 4.5\n");
    assert_eq!(told.value("a", &[("x", "1,2"), ("y", "q\\\"}")]), Some(3.0));
    assert_eq!(
        (told.value("b", &[]), told.value("a", &[("x", "2")])),
        (Some(4.5), None)
    );
    assert_eq!(told.kinds().get("a"), Some(&"counter"));
}
