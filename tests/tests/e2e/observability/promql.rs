//! What a query of PromQL asks for: metrics, and labels of them.

use std::collections::BTreeSet;

use promql_parser::{
    label::Labels,
    parser::{self, Expr, LabelModifier, VectorSelector},
};

/// What a query asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Each metric, with the labels by which it is chosen.
    pub(super) metrics: Vec<(String, BTreeSet<String>)>,
    /// Labels of `by` and `on`, each with the metrics of which one must have it.
    pub(super) labels: Vec<(String, BTreeSet<String>)>,
    /// Labels that `label_replace` makes.
    pub(super) made: BTreeSet<String>,
}

/// Reads a query. What Grafana fills in is filled in before.
pub(super) fn read(query: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    walk(&parser::parse(&filled_in(query))?, &mut asked);
    Ok(asked)
}

/// The query with a value for each variable of a dashboard: all tenants, services and instances, of the last hour.
pub(super) fn filled_in(query: &str) -> String {
    let times = query.replace("$__rate_interval", "1m").replace("$__range", "1h");
    ["$tenant", "$service", "$instance"]
        .iter()
        .fold(times, |query, variable| query.replace(variable, ".*"))
}

/// Collects what an expression asks for. Gives the metrics in it.
fn walk(expr: &Expr, asked: &mut Asked) -> BTreeSet<String> {
    match expr {
        Expr::Aggregate(aggregate) => {
            let mut metrics = walk(&aggregate.expr, asked);
            if let Some(LabelModifier::Include(labels)) = &aggregate.modifier {
                note(labels, &metrics, asked);
            }
            if let Some(parameter) = &aggregate.param {
                metrics.extend(walk(parameter, asked));
            }
            metrics
        }
        Expr::Binary(binary) => {
            let sides = [walk(&binary.lhs, asked), walk(&binary.rhs, asked)];
            if let Some(LabelModifier::Include(labels)) = binary.modifier.as_ref().and_then(|it| it.matching.as_ref()) {
                sides.iter().for_each(|side| note(labels, side, asked));
            }
            sides.into_iter().flatten().collect()
        }
        Expr::Unary(unary) => walk(&unary.expr, asked),
        Expr::Paren(paren) => walk(&paren.expr, asked),
        Expr::Subquery(subquery) => walk(&subquery.expr, asked),
        Expr::VectorSelector(selector) => choose(selector, asked),
        Expr::MatrixSelector(selector) => choose(&selector.vs, asked),
        Expr::Call(call) => {
            if let ("label_replace", Some(Expr::StringLiteral(label))) =
                (call.func.name, call.args.args.get(1).map(Box::as_ref))
            {
                asked.made.insert(label.val.clone());
            }
            let arguments = call.args.args.iter();
            arguments.flat_map(|argument| walk(argument, asked)).collect()
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => BTreeSet::new(),
        Expr::Extension(_) => panic!("no query has an extension"),
    }
}

fn choose(selector: &VectorSelector, asked: &mut Asked) -> BTreeSet<String> {
    let name = selector.name.clone().expect("a metric is asked for by its name");
    assert!(
        selector.matchers.or_matchers.is_empty(),
        "{name}: `or` in a selector is no PromQL of Prometheus"
    );
    let labels = selector.matchers.matchers.iter().map(|matcher| matcher.name.clone());
    asked.metrics.push((name.clone(), labels.collect()));
    BTreeSet::from([name])
}

fn note(labels: &Labels, metrics: &BTreeSet<String>, asked: &mut Asked) {
    let labels = labels.labels.iter().map(|label| (label.clone(), metrics.clone()));
    asked.labels.extend(labels);
}

#[test]
fn names_and_labels_are_found_where_they_stand() {
    let asked = read(
        r#"sum by (le, a) (rate(one_bucket{b=~"$tenant"}[$__rate_interval])) / on (c) max(two{d!="x{y}"} offset 1h) > 0.5
           or label_replace(absent(three), "e", "", "", "")"#,
    );
    let asked = asked.unwrap();
    let names: Vec<_> = asked.metrics.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["one_bucket", "two", "three"]);
    assert_eq!(asked.metrics[0].1, BTreeSet::from(["b".to_owned()]));
    assert_eq!(asked.made, BTreeSet::from(["e".to_owned()]));
    let labels: Vec<_> = asked.labels.iter().map(|(label, of)| (&**label, of.len())).collect();
    assert_eq!(labels, [("le", 1), ("a", 1), ("c", 1), ("c", 1)]);
    assert!(read("sum by (").is_err());
}
