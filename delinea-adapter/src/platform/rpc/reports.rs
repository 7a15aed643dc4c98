//! Canned reports, read page by page to their end. Their search is a substring search in which `_` and `%` of the text
//! are wildcards, so what comes back is more than was asked for: whoever asks picks the exact ones.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    super::{
        failure::{Failure, Trouble},
        rows::{Row, column},
    },
    Rpc,
    roles::ROLE_SEARCH,
};

pub(crate) const RUN_REPORT: &str = "Report/RunReport";

/// What pages are ordered by: without an order, a row may stand on two pages and another on none.
const ORDER: &str = "ID";

/// How reports are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Rows in a page.
    pub(crate) page_size: usize,
    /// The `Caching` argument.
    pub(crate) caching: i32,
    /// The `Limit` argument. A report that reaches it may be cut off, so it is an error rather than a shorter list.
    pub(crate) limit: usize,
}

/// A report under way.
pub(crate) struct Pages<'a> {
    rpc: &'a Rpc,
    report: &'static str,
    parameters: Value,
    next: usize,
    seen: HashSet<String>,
    rows: usize,
    ended: bool,
}

impl Rpc {
    /// Begins a report; nothing is called before the first page is asked for.
    pub(crate) fn report(&self, report: &'static str, parameters: &[(&str, &str)]) -> Pages<'_> {
        let parameters = parameters
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value, "Label": name, "Type": "string", "ColumnType": 12}))
            .collect();
        Pages {
            rpc: self,
            report,
            parameters: Value::Array(parameters),
            next: 1,
            seen: HashSet::new(),
            rows: 0,
            ended: false,
        }
    }

    /// All rows of a report that satisfy a condition.
    pub(crate) async fn report_rows(
        &self,
        report: &'static str,
        parameters: &[(&str, &str)],
        keep: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, Failure> {
        let mut pages = self.report(report, parameters);
        let mut kept = Vec::new();
        while let Some(page) = pages.next().await? {
            kept.extend(page.into_iter().filter(&keep));
        }
        Ok(kept)
    }

    /// One row of a report, to see whether reports can be read.
    pub(crate) async fn try_report(&self, report: &'static str) -> Result<(), Failure> {
        let parameters =
            json!([{"Name": "searchString", "Value": "%", "Label": "", "Type": "string", "ColumnType": 12}]);
        let args = arguments(
            1,
            Settings {
                page_size: 1,
                ..self.reports
            },
            &parameters,
        );
        let body = json!({"ID": report, "Args": args});
        let result = self.client.call_for_list(RUN_REPORT, &body).await?;
        let (rows, _) = rows(result).ok_or(Failure::unavailable(RUN_REPORT, Trouble::Incomplete))?;
        match rows.first() {
            Some(row) if report == ROLE_SEARCH => self.shapes.role(row),
            Some(row) => self.shapes.user(row),
            None => {}
        }
        Ok(())
    }
}

fn arguments(page: usize, settings: Settings, parameters: &Value) -> Value {
    let Settings {
        page_size,
        caching,
        limit,
    } = settings;
    json!({
        "PageNumber": page, "PageSize": page_size, "Limit": limit, "FilterQuery": null, "Caching": caching,
        "Ascending": true, "SortBy": ORDER, "Parameters": parameters,
    })
}

impl Pages<'_> {
    /// The next rows; `None` after the last. Rows that came before do not come again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let settings = self.rpc.reports;
        if self.rows >= settings.limit {
            return Err(Failure::unavailable(RUN_REPORT, Trouble::TooLong));
        }
        let args = arguments(self.next, settings, &self.parameters);
        let body = json!({"ID": self.report, "Args": args});
        let result = self.rpc.client.call_for_list(RUN_REPORT, &body).await?;
        let (rows, full_count) = rows(result).ok_or(Failure::unavailable(RUN_REPORT, Trouble::Incomplete))?;
        self.next += 1;
        let got = rows.len();
        self.rows += got;
        let seen = &mut self.seen;
        let fresh: Vec<Row> = rows
            .into_iter()
            .filter(|row| seen.insert(row.text("ID").to_owned()))
            .collect();
        // A server may give fewer rows than were asked for and still have more, unless it says how many there are. One
        // that knows no pages gives the same rows again and again.
        let all_counted = full_count.is_some_and(|count| self.rows >= count) && got < settings.page_size;
        self.ended = fresh.is_empty() || all_counted;
        Ok((!fresh.is_empty()).then_some(fresh))
    }
}

/// The rows of a report's `Result`, and how many there are in all where it says so.
pub(crate) fn rows(result: Value) -> Option<(Vec<Row>, Option<usize>)> {
    let Value::Object(mut result) = result else {
        // A report without rows may have no result at all.
        return result.is_null().then(Default::default);
    };
    // `Count` is about the page only.
    let count = column(&result, "FullCount").and_then(Value::as_u64);
    let count = count.and_then(|count| usize::try_from(count).ok());
    let key = result.keys().find(|key| key.eq_ignore_ascii_case("Results")).cloned();
    let list = match key.and_then(|key| result.remove(&key)) {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return None,
    };
    let rows = list.into_iter().map(|entry| match entry {
        Value::Object(mut entry) => {
            let key = entry.keys().find(|key| key.eq_ignore_ascii_case("Row")).cloned();
            match key.and_then(|key| entry.remove(&key)) {
                Some(Value::Object(row)) => Some(Row(row)),
                Some(_) => None,
                None => Some(Row(entry)),
            }
        }
        _ => None,
    });
    Some((rows.collect::<Option<_>>()?, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_each_shape() {
        for (result, ids) in [
            (
                json!({"Results": [{"Row": {"ID": "1"}}, {"row": {"id": "2"}}], "FullCount": 2}),
                Some(vec!["1", "2"]),
            ),
            (json!({"results": [{"ID": "1"}]}), Some(vec!["1"])),
            (json!({"Results": null}), Some(vec![])),
            (json!(null), Some(vec![])),
            (json!("rows"), None),
            (json!({"Results": [7]}), None),
            (json!({"Results": {"Row": {}}}), None),
        ] {
            let found = rows(result.clone());
            let found = found
                .as_ref()
                .map(|(rows, _)| rows.iter().map(|row| row.text("ID")).collect::<Vec<_>>());
            assert_eq!(found, ids, "{result}");
        }
        let counted = |result: Value| rows(result).unwrap().1;
        assert_eq!(counted(json!({"Results": [], "Count": 0, "FullCount": 7})), Some(7));
        assert_eq!(
            counted(json!({"Results": [], "Count": 1})),
            None,
            "a page's count is not the list's"
        );
    }
}
