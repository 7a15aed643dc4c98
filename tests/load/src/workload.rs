//! What is sent, and when an answer is right: the requests of Entra (R03 to R15 of its catalogue), and their like for the
//! floor. A look-up must find exactly its user, a page must have its hundred; a status alone proves nothing.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
};

use http::{Method, StatusCode};
use rand::{Rng, rngs::StdRng};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Answer, Request},
    people,
    slice::Check,
};

/// What is read of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    pub(crate) total_results: u64,
    #[serde(default)]
    pub(crate) next_cursor: Option<String>,
    #[serde(default, rename = "Resources")]
    pub(crate) resources: Vec<Named>,
}

/// What is read of a resource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named {
    pub(crate) id: Uuid,
    #[serde(default)]
    pub(crate) user_name: String,
}

/// The look-up before each change: `userName eq`, of somebody who is there.
pub fn look_up(ids: &[Uuid]) -> impl Fn(usize, &mut StdRng) -> (Request, Check) + '_ {
    move |_, rng| {
        let (n, id) = any(ids, rng);
        let check = move |answer: &Answer| {
            let page: Page = read(answer, StatusCode::OK)?;
            match page.resources.as_slice() {
                [one] if page.total_results == 1 && one.id == id => Ok(()),
                _ => Err(format!("found {} instead of one", page.total_results)),
            }
        };
        (Request::get(by_name(&people::user_name(n))), Box::new(check))
    }
}

/// The look-up of somebody who is not there.
pub fn look_up_nobody() -> impl Fn(usize, &mut StdRng) -> (Request, Check) {
    move |_, rng| {
        let name = format!("nobody.{}@kestrelworks.example", rng.random::<u32>());
        let check = |answer: &Answer| {
            let page: Page = read(answer, StatusCode::OK)?;
            let nobody = page.total_results == 0 && page.resources.is_empty();
            nobody.then_some(()).ok_or_else(|| "found somebody".to_owned())
        };
        (Request::get(by_name(&name)), Box::new(check))
    }
}

/// GET of a user by id.
pub fn get(ids: &[Uuid]) -> impl Fn(usize, &mut StdRng) -> (Request, Check) + '_ {
    move |_, rng| {
        let (n, id) = any(ids, rng);
        let check = move |answer: &Answer| {
            let user: Named = read(answer, StatusCode::OK)?;
            let right = user.id == id && user.user_name == people::user_name(n);
            right.then_some(()).ok_or_else(|| "another user".to_owned())
        };
        (Request::get(format!("/Users/{id}")), Box::new(check))
    }
}

/// POST of users by number, from `next` on.
pub fn create(next: Rc<Cell<u64>>) -> impl Fn(usize, &mut StdRng) -> (Request, Check) {
    move |_, _| {
        let n = next.replace(next.get() + 1);
        let check = move |answer: &Answer| {
            let user: Named = read(answer, StatusCode::CREATED)?;
            let right = user.user_name == people::user_name(n);
            right.then_some(()).ok_or_else(|| "another user".to_owned())
        };
        let body = people::user(n).to_string();
        (Request::new(Method::POST, "/Users".to_owned(), body), Box::new(check))
    }
}

/// PATCH of `active` as Entra writes it. Each user's next one is the opposite of the last, so that each changes something.
pub fn switch(ids: &[Uuid]) -> impl Fn(usize, &mut StdRng) -> (Request, Check) + '_ {
    let disabled = RefCell::new(HashSet::new());
    move |_, rng| {
        let (n, id) = any(ids, rng);
        let mut disabled = disabled.borrow_mut();
        let active = disabled.remove(&n) || !disabled.insert(n);
        let value = if active { "True" } else { "False" };
        let body = people::patch(&json!({"op": "Replace", "path": "active", "value": value}));
        (
            Request::new(Method::PATCH, format!("/Users/{id}"), body),
            Box::new(no_content),
        )
    }
}

/// Adding one member to a group and taking one out, all connections on the same group.
#[derive(Debug)]
pub struct Membership {
    group: Uuid,
    /// Users of each connection's own, so that it is known who is in the group at the end.
    pools: Vec<Vec<Uuid>>,
    /// Those of them who are in the group by the answers so far.
    inside: Rc<RefCell<HashSet<Uuid>>>,
}

impl Membership {
    /// On this group, with these users, who are no members yet.
    pub fn new(group: Uuid, outsiders: &[Uuid], connections: usize) -> Self {
        let size = (outsiders.len() / connections).max(1);
        Self {
            group,
            pools: outsiders.chunks(size).take(connections).map(<[Uuid]>::to_vec).collect(),
            inside: Rc::default(),
        }
    }

    /// The next PATCH of a connection: of a random user of its pool, in or out, as the default dialect has it.
    pub fn next(&self, connection: usize, rng: &mut StdRng) -> (Request, Check) {
        let pool = &self.pools[connection];
        let user = pool[rng.random_range(0..pool.len())];
        let inside = Rc::clone(&self.inside);
        let add = !inside.borrow().contains(&user);
        let check = move |answer: &Answer| {
            no_content(answer)?;
            let mut inside = inside.borrow_mut();
            let _ = if add { inside.insert(user) } else { inside.remove(&user) };
            Ok(())
        };
        (self.change(if add { "Add" } else { "Remove" }, user), Box::new(check))
    }

    /// Takes everybody out again who is in.
    pub fn leave(&self) -> Vec<Request> {
        let inside = self.inside.take();
        inside.into_iter().map(|user| self.change("Remove", user)).collect()
    }

    fn change(&self, op: &str, user: Uuid) -> Request {
        let operation = json!({"op": op, "path": "members", "value": [{"$ref": null, "value": user}]});
        let path = format!("/Groups/{}", self.group);
        Request::new(Method::PATCH, path, people::patch(&operation))
    }

    /// The group.
    pub fn group(&self) -> Uuid {
        self.group
    }

    /// Who was put in and not taken out again.
    pub fn inside(&self) -> HashSet<Uuid> {
        self.inside.borrow().clone()
    }
}

/// A page of a hundred users.
pub fn page(query: &str, total: u64) -> impl Fn(usize, &mut StdRng) -> (Request, Check) + use<> {
    let path = format!("/Users?{query}&count=100");
    move |_, _| {
        let check = move |answer: &Answer| {
            let page: Page = read(answer, StatusCode::OK)?;
            let right = page.resources.len() == 100 && page.total_results >= total;
            right
                .then_some(())
                .ok_or_else(|| format!("a page of {}", page.resources.len()))
        };
        (Request::get(path.clone()), Box::new(check))
    }
}

/// A group without its members, as Entra reads it (R05).
pub fn group_without_members(group: Uuid) -> impl Fn(usize, &mut StdRng) -> (Request, Check) {
    move |_, _| {
        let check = move |answer: &Answer| {
            let found: Value = read(answer, StatusCode::OK)?;
            let right = found["id"] == group.to_string() && found.get("members").is_none();
            right
                .then_some(())
                .ok_or_else(|| "another group, or members".to_owned())
        };
        (
            Request::get(format!("/Groups/{group}?excludedAttributes=members")),
            Box::new(check),
        )
    }
}

/// One read of the floor.
pub fn floor_read(records: u64) -> impl Fn(usize, &mut StdRng) -> (Request, Check) {
    move |_, rng| {
        let n = rng.random_range(0..records);
        let check = move |answer: &Answer| {
            let user: Value = read(answer, StatusCode::OK)?;
            let right = user["userName"] == people::user_name(n);
            right.then_some(()).ok_or_else(|| "another record".to_owned())
        };
        (Request::get(format!("/{n}")), Box::new(check))
    }
}

/// One write of the floor.
pub fn floor_write(records: u64) -> impl Fn(usize, &mut StdRng) -> (Request, Check) {
    move |_, rng| {
        let n = rng.random_range(0..records);
        let check = |answer: &Answer| no_content(answer);
        let body = people::user(n).to_string();
        (Request::new(Method::POST, format!("/{n}"), body), Box::new(check))
    }
}

/// Reads a body of this status.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(answer: &Answer, status: StatusCode) -> Result<T, String> {
    if answer.status != status {
        return Err(format!("status {}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|_| "a body that is not what was asked for".to_owned())
}

pub(crate) fn no_content(answer: &Answer) -> Result<(), String> {
    let right = answer.status == StatusCode::NO_CONTENT;
    right.then_some(()).ok_or_else(|| format!("status {}", answer.status))
}

pub(crate) fn by_name(name: &str) -> String {
    format!("/Users?filter=userName+eq+%22{}%22", name.replace('@', "%40"))
}

fn any(ids: &[Uuid], rng: &mut StdRng) -> (u64, Uuid) {
    let n = rng.random_range(0..ids.len());
    (n as u64, ids[n])
}
