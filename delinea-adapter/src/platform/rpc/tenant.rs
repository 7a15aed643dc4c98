//! What holds for the whole tenant: its login suffixes, and whether it has a federation. Both change rarely, so they are
//! kept for a few minutes.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{
    super::{
        failure::Failure,
        rows::{Row, column},
    },
    Rpc, reports,
};

const CDS_ALIASES: &str = "Core/GetCdsAliasesForTenant";
const ALIASES: &str = "Core/GetAliasesForTenant";
pub(crate) const FEDERATIONS: &str = "Federation/GetFederations";

/// How long a fact is believed. A suffix that was just added is known that much later at most.
const BELIEVED: Duration = Duration::from_secs(120);

/// The facts that are believed.
#[derive(Default)]
pub(crate) struct Facts {
    suffixes: Mutex<Option<(Instant, Arc<Suffixes>)>>,
    federation: Mutex<Option<(Instant, Federation)>>,
}

/// The login suffixes of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Suffixes {
    /// The tenant does not tell.
    Unknown,
    /// These, in lower case.
    Known(Vec<String>),
}

/// Whether a tenant has a federation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Federation {
    /// It has none.
    Absent,
    /// It has one.
    Present,
    /// It does not tell.
    Unknown,
}

impl Rpc {
    /// The login suffixes of the tenant.
    pub(crate) async fn suffixes(&self) -> Result<Arc<Suffixes>, Failure> {
        let mut believed = self.facts.suffixes.lock().await;
        if let Some((_, suffixes)) = believed.as_ref().filter(|(since, _)| since.elapsed() < BELIEVED) {
            return Ok(Arc::clone(suffixes));
        }
        let suffixes = Arc::new(self.ask_suffixes().await?);
        *believed = Some((Instant::now(), Arc::clone(&suffixes)));
        Ok(suffixes)
    }

    /// Whether the tenant has a federation.
    pub(crate) async fn federation(&self) -> Result<Federation, Failure> {
        let mut believed = self.facts.federation.lock().await;
        if let Some((_, federation)) = believed.filter(|(since, _)| since.elapsed() < BELIEVED) {
            return Ok(federation);
        }
        let federation = self.ask_federation().await?;
        *believed = Some((Instant::now(), federation));
        Ok(federation)
    }

    /// The login suffixes as the tenant tells them now.
    pub(crate) async fn ask_suffixes(&self) -> Result<Suffixes, Failure> {
        for method in [CDS_ALIASES, ALIASES] {
            match self.client.call(method, &json!({})).await {
                Ok(result) => return Ok(suffixes_of(result)),
                Err(failure) if failure.is_later() => return Err(failure),
                Err(_) => {}
            }
        }
        Ok(Suffixes::Unknown)
    }

    /// Whether the tenant has a federation, as it tells now.
    pub(crate) async fn ask_federation(&self) -> Result<Federation, Failure> {
        match self.client.call(FEDERATIONS, &json!({})).await {
            Ok(result) => Ok(federation_of(result)),
            Err(failure) if failure.is_later() => Err(failure),
            // A missing right is for a person to settle, as is a call that is not there.
            Err(_) => Ok(Federation::Unknown),
        }
    }
}

/// The entries of a list that comes bare, or as rows.
fn entries(result: Value) -> Option<Vec<Value>> {
    match result {
        Value::Array(list) => Some(list),
        other => reports::rows(other).map(|(rows, _)| rows.into_iter().map(|Row(row)| Value::Object(row)).collect()),
    }
}

fn suffixes_of(result: Value) -> Suffixes {
    let name = |entry: &Value| match entry {
        Value::String(suffix) => Some(suffix.clone()),
        Value::Object(row) => ["Alias", "Name", "Suffix", "ID", "_RowKey"]
            .iter()
            .find_map(|name| column(row, name).and_then(Value::as_str))
            .map(str::to_owned),
        _ => None,
    };
    let suffixes: Vec<String> = entries(result)
        .unwrap_or_default()
        .iter()
        .filter_map(name)
        .map(|suffix| suffix.trim().trim_start_matches('@').to_lowercase())
        .filter(|suffix| !suffix.is_empty())
        .collect();
    if suffixes.is_empty() {
        Suffixes::Unknown
    } else {
        Suffixes::Known(suffixes)
    }
}

fn federation_of(result: Value) -> Federation {
    let is_list = match &result {
        Value::Array(_) => true,
        Value::Object(rows) => column(rows, "Results").is_some_and(Value::is_array),
        _ => false,
    };
    match entries(result).filter(|_| is_list) {
        None => Federation::Unknown,
        Some(list) if list.is_empty() => Federation::Absent,
        Some(_) => Federation::Present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_found_in_each_shape() {
        let known = || Suffixes::Known(vec!["a.example".to_owned(), "b.example".to_owned()]);
        for (result, suffixes) in [
            (json!(["A.example", "@b.example"]), known()),
            (
                json!({"Results": [{"Row": {"ID": "a.example"}}, {"Row": {"Alias": "b.example"}}]}),
                known(),
            ),
            (json!([]), Suffixes::Unknown),
            (json!(null), Suffixes::Unknown),
            (json!("a.example"), Suffixes::Unknown),
        ] {
            assert_eq!(suffixes_of(result.clone()), suffixes, "{result}");
        }
    }

    #[test]
    fn a_federation_that_cannot_be_told_is_not_absent() {
        for (result, federation) in [
            (json!([]), Federation::Absent),
            (json!({"Results": []}), Federation::Absent),
            (json!([{"Name": "Entra"}]), Federation::Present),
            (json!({"Results": [{"Row": {"Name": "Entra"}}]}), Federation::Present),
            (json!(null), Federation::Unknown),
            (json!(true), Federation::Unknown),
            (json!({"Name": "Entra"}), Federation::Unknown),
        ] {
            assert_eq!(federation_of(result.clone()), federation, "{result}");
        }
    }
}
