//! Whether tenants were kept apart: whatever one's own credential, change feed, audit trail and Platform show, nothing of it is
//! another's. Their names are no evidence, since they have them in common; ids are, and the mark that each tenant's users carry.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use entra_simulator::{Client, Failure, RequestKind};
use serde_json::Value;

use crate::{changes::Changes, journal, links, neighbours::mark, settings::credential, tenant::Tenant, trail::Trail};

/// How many resources a page of a list has.
const PAGE: usize = 100;

/// What there is of a tenant, wherever it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub(crate) tenant: &'static str,
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// The resources of the change feed, of the audit trail, and those that are members of a group.
    feed: BTreeSet<String>,
    trail: BTreeSet<String>,
    members: BTreeSet<String>,
    credentials: BTreeSet<String>,
    /// The Platform's ids, as resources are linked to them, and as they were ever made there.
    links: BTreeSet<String>,
    made: BTreeSet<String>,
    /// What the lists, the trail and the Platform's journal say, as text.
    texts: [(&'static str, String); 3],
}

impl Traces {
    /// Gathers them. The tenant has nothing left to be delivered.
    pub(crate) async fn of(
        tenant: &Tenant,
        feed: &Changes,
        trail: &Trail,
        links: BTreeSet<String>,
        journal: &journal::Told,
    ) -> Result<Self> {
        let users = list(tenant.job.client(), RequestKind::ListUsers).await?;
        let groups = list(tenant.job.client(), RequestKind::ListGroups).await?;
        let ids = |resources: &[Value]| resources.iter().filter_map(id).collect();
        let members = groups.iter().filter_map(|group| group["members"].as_array()).flatten();
        let shown: Vec<String> = users.iter().map(Value::to_string).collect();
        Ok(Self {
            tenant: tenant.name,
            users: ids(&users),
            groups: ids(&groups),
            feed: feed.each().map(|(id, _)| id.to_owned()).collect(),
            trail: trail.ids().map(str::to_owned).collect(),
            members: members
                .filter_map(|member| member["value"].as_str())
                .map(str::to_owned)
                .collect(),
            credentials: trail.credentials(),
            links,
            made: journal.ids.clone(),
            texts: [
                ("lists", shown.join("\n")),
                ("audit trail", trail.text()),
                ("journal", journal.text.clone()),
            ],
        })
    }

    /// What of it is not right by itself.
    fn alone(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let mut add = |what: &str, ids: Vec<&String>| {
            if !ids.is_empty() {
                findings.push(format!("{what}: {ids:?}"));
            }
        };
        let listed: BTreeSet<_> = self.users.union(&self.groups).cloned().collect();
        add(
            "listed, and not in the change feed",
            listed.difference(&self.feed).collect(),
        );
        add(
            "a member who is nobody's user",
            self.members.difference(&self.users).collect(),
        );
        let own = BTreeSet::from([credential(self.tenant)]);
        add(
            "asked for by whose credential",
            self.credentials.difference(&own).collect(),
        );
        // Over SCIM some Platforms have ids of their own.
        let by_rpc = self.links.iter().filter(|link| !link.starts_with(links::MARK));
        add(
            "linked, and never made on its Platform",
            by_rpc.filter(|link| !self.made.contains(*link)).collect(),
        );
        for (what, text) in &self.texts {
            if !text.contains(&mark(self.tenant)) {
                findings.push(format!(
                    "{} is nowhere in its {what}: it could not be seen whose it is",
                    mark(self.tenant)
                ));
            }
        }
        findings
    }

    /// What of it is the other's, too.
    fn beside(&self, other: &Self) -> Vec<String> {
        let mut findings = Vec::new();
        let of_other = &other.tenant;
        for (what, own, others) in [
            ("in both change feeds", &self.feed, &other.feed),
            (
                "in its audit trail, and in the other's change feed",
                &self.trail,
                &other.feed,
            ),
            ("listed, and in the other's change feed", &self.users, &other.feed),
            ("listed, and in the other's change feed", &self.groups, &other.feed),
            ("a member, and in the other's change feed", &self.members, &other.feed),
            ("linked by both", &self.links, &other.links),
            ("linked, and made on the other's Platform", &self.links, &other.made),
            ("made on both Platforms", &self.made, &other.made),
        ] {
            let both: Vec<_> = own.intersection(others).collect();
            if !both.is_empty() {
                findings.push(format!("{what} ({of_other}): {both:?}"));
            }
        }
        for (what, text) in &self.texts {
            if let Some(line) = text.lines().find(|line| line.contains(&mark(of_other))) {
                findings.push(format!("{of_other} in its {what}: {line:.500}"));
            }
        }
        findings
    }
}

/// What is wrong with these, of each by itself and of each beside each other.
pub(crate) fn findings(all: &[Traces]) -> Vec<String> {
    let mut findings = Vec::new();
    for one in all {
        let others = all.iter().filter(|other| other.tenant != one.tenant);
        let found = one
            .alone()
            .into_iter()
            .chain(others.flat_map(|other| one.beside(other)));
        findings.extend(found.map(|found| format!("{}: {found}", one.tenant)));
    }
    findings
}

/// Asks by each tenant's credential for all that the others have; gives what was there.
pub(crate) async fn crossings(tenants: &[Tenant], all: &[Traces]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for tenant in tenants {
        let client = tenant.job.client();
        for other in all.iter().filter(|other| other.tenant != tenant.name) {
            let users = other.users.iter().map(|id| (RequestKind::ReadUser, id));
            let groups = other.groups.iter().map(|id| (RequestKind::ReadGroup, id));
            for (kind, id) in users.chain(groups) {
                match client.send(kind, Some(id), &[], None).await {
                    Err(Failure::NotFound(_)) => {}
                    Ok(_) => findings.push(format!("{} reads {id} of {}", tenant.name, other.tenant)),
                    Err(failure) => findings.push(format!("{}: {kind} of {}: {failure}", tenant.name, other.tenant)),
                }
            }
        }
    }
    Ok(findings)
}

/// All resources of a kind, as the tenant's credential shows them.
async fn list(client: &Client, kind: RequestKind) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    loop {
        let (start, count) = ((found.len() + 1).to_string(), PAGE.to_string());
        let query = [("startIndex", start.as_str()), ("count", count.as_str())];
        let page = client
            .send(kind, None, &query, None)
            .await?
            .body
            .context("an empty page")?;
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        let is_last = resources.len() < PAGE;
        found.extend(resources);
        if is_last {
            return Ok(found);
        }
    }
}

fn id(resource: &Value) -> Option<String> {
    resource["id"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(tenant: &'static str, ids: [&str; 3]) -> Traces {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let [user, group, link] = ids;
        let text = format!("{{\"displayName\":\"Ada {}\"}}\n", mark(tenant));
        Traces {
            tenant,
            users: set(&[user]),
            groups: set(&[group]),
            feed: set(&[user, group]),
            trail: set(&[user, group]),
            members: set(&[user]),
            credentials: set(&[&credential(tenant)]),
            links: set(&[link]),
            made: set(&[link]),
            texts: ["lists", "audit trail", "journal"].map(|what| (what, text.clone())),
        }
    }

    #[test]
    fn who_is_apart_has_no_findings_and_whatever_is_crossed_is_found() {
        type Cross = fn(&mut Traces);
        fn put(set: &mut BTreeSet<String>, id: &str) {
            set.insert(id.to_owned());
        }
        let kestrel = || traces("kestrel", ["k1", "k2", "p1"]);
        let merlin = || traces("merlin", ["m1", "m2", "p2"]);
        assert_eq!(findings(&[kestrel(), merlin()]), [""; 0]);
        let crossings: [(&str, Cross); 9] = [
            ("a user in its list", |of| put(&mut of.users, "m1")),
            ("a group in its list", |of| put(&mut of.groups, "m2")),
            ("a change in its feed", |of| put(&mut of.feed, "m1")),
            ("an entry in its trail", |of| put(&mut of.trail, "m2")),
            ("a member", |of| put(&mut of.members, "m1")),
            ("a credential", |of| put(&mut of.credentials, &credential("merlin"))),
            ("a link", |of| put(&mut of.links, "p2")),
            ("an account", |of| put(&mut of.made, "p2")),
            ("a value", |of| of.texts[2].1 += &mark("merlin")),
        ];
        for (what, cross) in crossings {
            let mut of = kestrel();
            cross(&mut of);
            assert_ne!(findings(&[of, merlin()]), [""; 0], "{what}");
        }
        let mut nameless = kestrel();
        nameless.texts[1].1.clear();
        assert_ne!(
            findings(&[nameless, merlin()]),
            [""; 0],
            "it cannot be seen whose it is"
        );
    }
}
