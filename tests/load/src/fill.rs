//! Making a directory of a given size: as a file for `identity-service import`, or, where there is no such command, by
//! the requests that Entra would send.

use std::{
    cell::Cell,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Result, ensure};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    client::{Connection, Request, Target},
    people,
    workload::{Named, read},
};

/// How many members stand in one line of an import, and go in one PATCH.
const MEMBERS_AT_ONCE: usize = 1000;
/// How many connections fill by requests.
const CONNECTIONS: usize = 16;

/// A directory: everybody by number, and groups whose members are spread evenly over all of them, so that every part of the
/// list is alike.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The users' ids.
    pub users: Vec<Uuid>,
    /// The groups, by how many members they have.
    pub groups: Vec<(usize, Uuid)>,
}

impl Directory {
    /// The ids of a directory that is to be imported, in the order in which the service would have made them.
    pub fn new(users: usize, groups: &[usize]) -> Self {
        Self {
            users: (0..users).map(|_| Uuid::now_v7()).collect(),
            groups: groups.iter().map(|size| (*size, Uuid::now_v7())).collect(),
        }
    }

    /// The group of so many members.
    pub fn group(&self, size: usize) -> Option<Uuid> {
        self.groups.iter().find(|group| group.0 == size).map(|group| group.1)
    }

    /// The members of a group of this size.
    pub fn members(&self, size: usize) -> Vec<Uuid> {
        (0..size).map(|nth| self.users[nth * self.users.len() / size]).collect()
    }

    /// Writes it as an export of a directory at rest: everybody has an account on the Platform, nothing is to be delivered.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = Lines {
            file: BufWriter::with_capacity(1 << 20, File::create(path)?),
            digest: Sha256::new(),
        };
        let now = jiff::Timestamp::now();
        file.line(&json!({"header": {
            "format": "delinea-scim-gateway-store", "version": 1, "tenant": "default", "at": now,
            "engine": "load", "layout": 1,
        }}))?;
        file.line(&json!({"counters": {"stamp": 1}}))?;
        let resource = |id: &Uuid, kind: &str, document: Value| {
            json!({"id": id, "kind": kind, "version": 1, "document_version": 1, "created": now, "modified": now,
                "document": document})
        };
        for (n, id) in (0..).zip(&self.users) {
            file.line(&json!({"resource": resource(id, "user", people::user(n))}))?;
        }
        for (size, id) in &self.groups {
            let mut group = resource(id, "group", people::group(&group_name(*size)));
            if *size > 0 {
                group["member_count"] = json!(size);
            }
            file.line(&json!({"resource": group}))?;
        }
        let mut memberships = 0;
        for (size, id) in &self.groups {
            memberships += size;
            for part in self.members(*size).chunks(MEMBERS_AT_ONCE) {
                let members: Vec<_> = part.iter().map(|user| json!([user, "user"])).collect();
                file.line(&json!({"members": {"group": id, "members": members}}))?;
            }
        }
        let users = self.users.iter().map(|id| (id, "user"));
        for (id, kind) in users.chain(self.groups.iter().map(|(_, id)| (id, "group"))) {
            let link = json!({"platform_id": Uuid::new_v4(), "backend": "directory", "applied_version": 1,
                "applied_document": 1});
            file.line(&json!({"link": {"id": id, "kind": kind, "link": link}}))?;
        }
        let links = self.users.len() + self.groups.len();
        let counts = json!({"users": self.users.len(), "groups": self.groups.len(), "memberships": memberships,
            "links": links, "tombstones": 0, "unconfirmed": 0, "work": 0, "waiting": 0, "chores": 0});
        file.end(&counts)
    }

    /// Makes the users by POSTs, sixteen at a time.
    pub async fn post_users(target: &Target, users: usize) -> Result<Self> {
        let next = Cell::new(0);
        let mut workers = FuturesUnordered::new();
        for _ in 0..CONNECTIONS {
            workers.push(post_some(Connection::new(target), &next, users));
        }
        let mut ids = vec![Uuid::nil(); users];
        while let Some(made) = workers.next().await {
            for (n, id) in made? {
                ids[n] = id;
            }
        }
        Ok(Self {
            users: ids,
            groups: Vec::new(),
        })
    }

    /// Makes the groups by PATCHes of many members.
    pub async fn post_groups(&mut self, target: &Target, groups: &[usize]) -> Result<()> {
        let mut connection = Connection::new(target);
        for size in groups {
            let body = people::group(&group_name(*size)).to_string();
            let request = Request::new(Method::POST, "/Groups".to_owned(), body);
            let answer = connection.send(request).await?;
            let group: Named = read(&answer, StatusCode::CREATED).map_err(anyhow::Error::msg)?;
            for part in self.members(*size).chunks(MEMBERS_AT_ONCE) {
                let members: Vec<_> = part.iter().map(|user| json!({"value": user})).collect();
                let body = people::patch(&json!({"op": "Add", "path": "members", "value": members}));
                let request = Request::new(Method::PATCH, format!("/Groups/{}", group.id), body);
                let answer = connection.send(request).await?;
                ensure!(answer.status.is_success(), "adding members: {}", answer.status);
            }
            self.groups.push((*size, group.id));
        }
        Ok(())
    }
}

fn group_name(size: usize) -> String {
    format!("Group of {size}")
}

async fn post_some(mut connection: Connection, next: &Cell<usize>, users: usize) -> Result<Vec<(usize, Uuid)>> {
    let mut made = Vec::new();
    loop {
        let n = next.replace(next.get() + 1);
        if n >= users {
            return Ok(made);
        }
        let body = people::user(n as u64).to_string();
        let answer = connection
            .send(Request::new(Method::POST, "/Users".to_owned(), body))
            .await?;
        let user: Named = read(&answer, StatusCode::CREATED).map_err(anyhow::Error::msg)?;
        made.push((n, user.id));
    }
}

struct Lines {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Lines {
    fn line(&mut self, line: &Value) -> Result<()> {
        let mut text = line.to_string();
        text.push('\n');
        self.digest.update(&text);
        Ok(self.file.write_all(text.as_bytes())?)
    }

    fn end(mut self, counts: &Value) -> Result<()> {
        let digest = self.digest.clone().finalize();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        // The reader knows the last line by how it begins.
        self.line(&json!({"footer": {"counts": counts, "sha256": digest}}))?;
        Ok(self.file.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn members_are_spread_and_each_is_one_once() {
        let directory = Directory::new(10, &[]);
        let members = directory.members(5);
        assert_eq!(members, [0, 2, 4, 6, 8].map(|n| directory.users[n]));
        assert_eq!(directory.members(7).iter().collect::<HashSet<_>>().len(), 7);
        assert_eq!(directory.members(10), directory.users);
        assert!(directory.members(0).is_empty());
    }
}
