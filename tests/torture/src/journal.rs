//! The simulated Platform's journal, which has every change that was ever made there: nobody ever had two accounts or groups at a
//! time, and nobody lost one without having left (P2). Where the Platform refused a part of a creation and it was taken back,
//! the object is made once more; how often that was is told, to be compared with what identity-service says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use entra_simulator::Directory;
use serde_json::Value;

use crate::tenant::Names;

/// What the journal tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What speaks against us.
    pub(crate) findings: Vec<String>,
    /// The Platform's ids of the accounts and groups that were ever made.
    pub(crate) ids: BTreeSet<String>,
    /// All of it, as it stands on disk.
    pub(crate) text: String,
    /// How many were taken away of whom the directory still has.
    pub(crate) lost: usize,
}

/// Accounts, or groups.
struct Kind<'a> {
    noun: &'static str,
    names: &'a BTreeMap<String, String>,
    /// Whose it is, by the Platform's id of what is there.
    objects: BTreeMap<String, &'a str>,
}

/// Reads the journal in that folder.
pub(crate) fn read(folder: &Path, names: &Names, directory: &Directory) -> Result<Told> {
    let path = folder.join("journal.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut told = Told::default();
    let mut users = Kind::new("account", &names.users);
    let mut groups = Kind::new("group", &names.groups);
    for line in text.lines() {
        let operations: Vec<Value> = serde_json::from_str(line).context("the journal has a line that is none")?;
        for operation in &operations {
            users.put(&operation["user"], "ID", "Name", &mut told);
            groups.put(&operation["group"], "id", "name", &mut told);
            users.gone(
                &operation["user_gone"],
                |id| directory.users.contains_key(id),
                &mut told,
            );
            groups.gone(
                &operation["group_gone"],
                |id| directory.groups.contains_key(id),
                &mut told,
            );
        }
    }
    told.text = text;
    Ok(told)
}

impl<'a> Kind<'a> {
    fn new(noun: &'static str, names: &'a BTreeMap<String, String>) -> Self {
        Self {
            noun,
            names,
            objects: BTreeMap::new(),
        }
    }

    fn put(&mut self, put: &Value, id: &str, name: &str, told: &mut Told) {
        // What the tenant came with is nobody's.
        let is_own = ["BuiltIn", "ServiceUser", "built_in"]
            .iter()
            .any(|flag| put[*flag] == true);
        let (Some(id), Some(name), false) = (put[id].as_str(), put[name].as_str(), is_own) else {
            return;
        };
        if self.objects.contains_key(id) {
            return;
        }
        told.ids.insert(id.to_owned());
        let noun = self.noun;
        let Some(object) = self.names.get(&name.to_lowercase()) else {
            told.findings.push(format!(
                "the {noun} {id} was made as {name}, which nobody was ever called"
            ));
            return;
        };
        if let Some((other, _)) = self.objects.iter().find(|(_, whose)| *whose == object) {
            told.findings.push(format!(
                "{object} had two {noun}s at a time: {other} and {id}, made as {name}"
            ));
        }
        self.objects.insert(id.to_owned(), object);
    }

    fn gone(&mut self, gone: &Value, is_there: impl Fn(&str) -> bool, told: &mut Told) {
        if let Some(object) = gone.as_str().and_then(|id| self.objects.remove(id)) {
            told.lost += usize::from(is_there(object));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(lines: &[(&str, &str)]) -> Told {
        let names = [("ada@x", "a"), ("lovelace@x", "a"), ("bert@x", "b")];
        let names = names.map(|(name, object)| (name.to_owned(), object.to_owned())).into();
        let mut told = Told::default();
        let mut kind = Kind::new("account", &names);
        for (id, name) in lines {
            match *name {
                "" => kind.gone(&json!(id), |object| object == "a", &mut told),
                name => kind.put(
                    &json!({"ID": id, "Name": name, "BuiltIn": false}),
                    "ID",
                    "Name",
                    &mut told,
                ),
            }
        }
        told
    }

    #[test]
    fn one_account_at_a_time_is_right_and_two_are_not() {
        let right = told(&[("1", "Ada@x"), ("1", "lovelace@x"), ("2", "bert@x"), ("2", "")]);
        assert_eq!((right.findings.len(), right.ids.len(), right.lost), (0, 2, 0));
        let anew = told(&[("1", "ada@x"), ("1", ""), ("2", "ada@x")]);
        assert_eq!((anew.findings.len(), anew.ids.len(), anew.lost), (0, 2, 1));
        for (lines, finding) in [
            (&[("1", "ada@x"), ("2", "lovelace@x")][..], "two accounts at a time"),
            (
                &[("1", "ada@x"), ("2", "lovelace@x"), ("1", "")],
                "two accounts at a time",
            ),
            (&[("3", "carol@x")], "nobody was ever called"),
        ] {
            let findings = told(lines).findings;
            assert!(findings[0].contains(finding), "{findings:?}");
        }
    }
}
