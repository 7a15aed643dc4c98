//! The simulated Platform's journal, which has every change that was ever made there: nobody got a second account or group, also
//! none that was taken away again, and nobody lost one without having left (P2).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use entra_simulator::Directory;
use serde_json::Value;

use crate::tenant::Names;

/// What was made on the Platform and taken away again, by the Platform's ids.
#[derive(Debug, Default)]
struct Kind {
    /// The name that each was made with.
    made: BTreeMap<String, String>,
    gone: BTreeSet<String>,
}

/// What the journal in that folder says against us, and how many accounts and groups were made.
pub(crate) fn findings(folder: &Path, names: &Names, directory: &Directory) -> Result<(Vec<String>, usize)> {
    let path = folder.join("journal.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut users, mut groups) = (Kind::default(), Kind::default());
    for line in text.lines() {
        let operations: Vec<Value> = serde_json::from_str(line).context("the journal has a line that is none")?;
        for operation in &operations {
            users.take(&operation["user"], "ID", "Name", &operation["user_gone"]);
            groups.take(&operation["group"], "id", "name", &operation["group_gone"]);
        }
    }
    let mut findings = Vec::new();
    users.judge(
        "account",
        &names.users,
        |id| directory.users.contains_key(id),
        &mut findings,
    );
    groups.judge(
        "group",
        &names.groups,
        |id| directory.groups.contains_key(id),
        &mut findings,
    );
    Ok((findings, users.made.len() + groups.made.len()))
}

impl Kind {
    fn take(&mut self, put: &Value, id: &str, name: &str, gone: &Value) {
        // What the tenant came with is nobody's.
        let is_own = ["BuiltIn", "ServiceUser", "built_in"]
            .iter()
            .any(|flag| put[*flag] == true);
        if let (Some(id), Some(name), false) = (put[id].as_str(), put[name].as_str(), is_own) {
            self.made.entry(id.to_owned()).or_insert_with(|| name.to_lowercase());
        }
        self.gone.extend(gone.as_str().map(str::to_owned));
    }

    fn judge(
        &self,
        kind: &str,
        names: &BTreeMap<String, String>,
        is_there: impl Fn(&str) -> bool,
        findings: &mut Vec<String>,
    ) {
        let mut of_object: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, name) in &self.made {
            match names.get(name) {
                Some(object) => of_object.entry(object).or_default().push(id),
                None => findings.push(format!(
                    "the {kind} {id} was made as {name}, which nobody was ever called"
                )),
            }
        }
        for (object, made) in of_object {
            if made.len() > 1 {
                findings.push(format!("{object} got more than one {kind}: {made:?}"));
            }
            for id in made.iter().filter(|id| self.gone.contains(**id)) {
                if is_there(object) {
                    findings.push(format!("{object} lost the {kind} {id} without having left"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &[(&str, &str, &str)], there: &[&str]) -> Vec<String> {
        let mut kind = Kind::default();
        for (what, id, name) in lines {
            let (put, gone) = match *what {
                "put" => (
                    serde_json::json!({"ID": id, "Name": name, "BuiltIn": false}),
                    Value::Null,
                ),
                _ => (Value::Null, Value::from(*id)),
            };
            kind.take(&put, "ID", "Name", &gone);
        }
        let names = [("ada@x", "a"), ("lovelace@x", "a"), ("bert@x", "b")];
        let names = names.map(|(name, object)| (name.to_owned(), object.to_owned())).into();
        let mut findings = Vec::new();
        kind.judge("account", &names, |id| there.contains(&id), &mut findings);
        findings
    }

    #[test]
    fn one_account_for_each_is_right_and_two_are_not() {
        let ada = ("put", "1", "Ada@x");
        assert_eq!(
            judged(&[ada, ("put", "1", "lovelace@x"), ("put", "2", "bert@x")], &["a", "b"]),
            [""; 0]
        );
        assert_eq!(judged(&[ada, ("gone", "1", "")], &[]), [""; 0]);
        for (lines, finding) in [
            (vec![ada, ("put", "2", "lovelace@x")], "more than one"),
            (vec![ada, ("gone", "1", "")], "without having left"),
            (
                vec![ada, ("put", "2", "lovelace@x"), ("gone", "2", "")],
                "more than one",
            ),
            (vec![("put", "3", "carol@x")], "nobody was ever called"),
        ] {
            let findings = judged(&lines, &["a", "b"]);
            assert!(findings[0].contains(finding), "{findings:?}");
        }
    }
}
