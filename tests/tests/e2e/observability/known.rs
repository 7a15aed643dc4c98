//! Which metrics there are, and by which labels each is told: what docs/metrics.md says, which is held to what the services emit.

use std::collections::{BTreeMap, BTreeSet};

use super::{promql::Asked, rules};
use crate::metrics::page;

/// Labels that everything has, because it was scraped.
const OF_EVERYTHING: [&str; 2] = ["job", "instance"];

/// What Prometheus itself tells.
const OF_PROMETHEUS: [(&str, &str); 2] = [("up", ""), ("ALERTS", "alertname alertstate severity scim_tenant")];

/// Names of histograms end so.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_count", "_sum"];

/// Each metric with its labels: the services', Prometheus' own, and what the rules record.
pub(super) struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    pub(super) fn new() -> Self {
        let told = page::rows().into_iter();
        let told = told.map(|row| (row.name, row.labels.into_keys().collect()));
        let of_prometheus = OF_PROMETHEUS.iter();
        let of_prometheus =
            of_prometheus.map(|(name, labels)| ((*name).to_owned(), labels.split(' ').map(str::to_owned).collect()));
        let mut known: BTreeMap<String, BTreeSet<String>> = told.chain(of_prometheus).collect();
        for rule in rules::all().into_iter().filter(|rule| rule.record.is_some()) {
            let labels = rule.asked().labels.into_iter().map(|(label, _)| label);
            known.insert(rule.record.unwrap(), labels.collect());
        }
        Self(known)
    }

    fn labels(&self, metric: &str) -> Option<BTreeSet<&str>> {
        if let Some(labels) = self.0.get(metric) {
            return Some(labels.iter().map(String::as_str).chain(OF_EVERYTHING).collect());
        }
        let histogram = OF_HISTOGRAMS.iter().find_map(|ending| metric.strip_suffix(ending))?;
        let mut labels = self.labels(histogram)?;
        labels.extend(metric.ends_with("_bucket").then_some("le"));
        Some(labels)
    }

    /// What of a query nobody tells.
    pub(super) fn strangers(&self, asked: &Asked) -> Vec<String> {
        let has = |metric: &str, label: &str| self.labels(metric).is_some_and(|labels| labels.contains(label));
        let mut strangers = Vec::new();
        for (metric, labels) in &asked.metrics {
            if self.labels(metric).is_none() {
                strangers.push(metric.clone());
            }
            let foreign = labels.iter().filter(|label| !has(metric, label));
            strangers.extend(foreign.map(|label| format!("{metric}{{{label}}}")));
        }
        for (label, metrics) in &asked.labels {
            if !asked.made.contains(label) && !metrics.iter().any(|metric| has(metric, label)) {
                strangers.push(format!("{label} of {metrics:?}"));
            }
        }
        strangers
    }
}

#[test]
fn what_nobody_tells_is_found() {
    let known = Known::new();
    let strangers = |query| known.strangers(&super::promql::read(query).unwrap());
    assert_eq!(
        strangers("sum by (scim_tenant, le) (rate(scim_delivery_delay_seconds_bucket[5m]))"),
        [""; 0]
    );
    assert_eq!(strangers("scim_delivery_delays"), ["scim_delivery_delays"]);
    assert_eq!(
        strangers("scim_outbox_items{tenant=\"x\"}"),
        ["scim_outbox_items{tenant}"]
    );
    assert_eq!(strangers("sum by (method) (scim_outbox_items)").len(), 1);
}
