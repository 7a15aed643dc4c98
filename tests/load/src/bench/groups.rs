//! Groups of any size, and pages of a long list: what must cost the same wherever it is done.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use rand::rngs::StdRng;
use serde::Deserialize;
use uuid::Uuid;

use super::{Run, SAME};
use crate::{
    client::{Connection, Request},
    report::{Goal, Row},
    slice::{Pace, Work, compare},
    system::System,
    workload::{self, Membership, Page, read},
};

/// Users of each connection's own who go in and out of a group.
const OUTSIDERS: usize = 50;
/// How many users are on a page of the walk that collects cursors.
const WALK: usize = 1000;

const ANY_SIZE: Goal = Goal {
    ratio: SAME,
    p99_ratio: None,
};

impl Run<'_> {
    /// One member in or out, all connections on one group, in large groups against the small one; and groups without their
    /// members against the empty one.
    pub(super) async fn members(&mut self, system: &System) -> Result<()> {
        let pace = self.settings.pace;
        let (small, directory) = (self.settings.small, &system.directory);
        let of = |size| directory.group(size).context("a group is missing");
        let large: Vec<_> = directory
            .groups
            .iter()
            .filter(|group| group.0 > small)
            .copied()
            .collect();

        self.table(format!("One member added or removed, against a group of {small}"));
        for (size, group) in large.iter().copied() {
            let large = membership(system, size, group, pace);
            let few = membership(system, small, of(small)?, pace);
            let (in_large, in_small) = (
                |nth: usize, rng: &mut StdRng| large.next(nth, rng),
                |nth: usize, rng: &mut StdRng| few.next(nth, rng),
            );
            let compared = compare(pace, (&system.target, &in_large), (&system.target, &in_small)).await?;
            self.row(Row::new(format!("group of {size}"), compared, Some(ANY_SIZE)));
            for (size, changed) in [(size, &large), (small, &few)] {
                no_update_is_lost(system, size, changed).await?;
                put_back(system, changed).await?;
            }
        }
        self.table("GET of a group with excludedAttributes=members, against an empty group");
        let empty = workload::group_without_members(of(0)?);
        for (size, group) in large {
            let full = workload::group_without_members(group);
            let compared = compare(pace, (&system.target, &full), (&system.target, &empty)).await?;
            self.row(Row::new(format!("group of {size}"), compared, Some(ANY_SIZE)));
        }
        Ok(())
    }

    /// Pages of a hundred in the middle and at the end of the list, against its start.
    pub(super) async fn pages(&mut self, system: &System) -> Result<()> {
        let pace = self.settings.pace;
        let users = system.directory.users.len();
        let end = users.saturating_sub(200);
        self.table(format!(
            "A page of 100 of {users} users, against the first by the same way"
        ));
        let at = |query: String| workload::page(&query, users as u64);
        let [near_start, in_middle, near_end] = cursors(system, users).await?;
        let plan = [
            (
                "by index",
                "startIndex=1".to_owned(),
                format!("startIndex={}", users / 2),
                format!("startIndex={end}"),
            ),
            ("by cursor", near_start, in_middle, near_end),
        ];
        for (way, start, middle, end) in plan {
            let start = at(start);
            for (what, there) in [("the middle", at(middle)), ("the end", at(end))] {
                let (there, start): (&Work<'_>, &Work<'_>) = (&there, &start);
                let compared = compare(pace, (&system.target, there), (&system.target, start)).await?;
                self.row(Row::new(format!("{what}, {way}"), compared, Some(ANY_SIZE)));
            }
        }
        Ok(())
    }
}

fn membership(system: &System, size: usize, group: Uuid, pace: Pace) -> Membership {
    let inside: HashSet<Uuid> = system.directory.members(size).into_iter().collect();
    let outside = system.directory.users.iter().filter(|user| !inside.contains(user));
    let outside: Vec<_> = outside.take(OUTSIDERS * pace.connections).copied().collect();
    Membership::new(group, &outside, pace.connections)
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    value: Uuid,
}

/// The group has those who were in it, and those who were put in: nobody else, and nobody twice.
async fn no_update_is_lost(system: &System, size: usize, changed: &Membership) -> Result<()> {
    let path = format!("/Groups/{}", changed.group());
    let answer = Connection::new(&system.target).send(Request::get(path)).await?;
    let group: Group = read(&answer, StatusCode::OK).map_err(anyhow::Error::msg)?;
    let mut wanted: HashSet<Uuid> = changed.inside();
    wanted.extend(system.directory.members(size));
    let found: HashSet<Uuid> = group.members.iter().map(|member| member.value).collect();
    ensure!(
        found == wanted && group.members.len() == wanted.len(),
        "an update of the group of {size} was lost: it has {} members instead of {}",
        group.members.len(),
        wanted.len()
    );
    Ok(())
}

/// Takes everybody out again who was put in, so that the next comparison finds the group as it was.
async fn put_back(system: &System, changed: &Membership) -> Result<()> {
    let mut connection = Connection::new(&system.target);
    for request in changed.leave() {
        let answer = connection.send(request).await?;
        workload::no_content(&answer).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// Cursors to the start, the middle and the end of the list, as queries: one walk over it gives them.
async fn cursors(system: &System, users: usize) -> Result<[String; 3]> {
    let mut connection = Connection::new(&system.target);
    let (mut cursor, mut seen) = (String::new(), 0);
    let (mut middle, mut end) = (None, None);
    let query = |cursor: &str| format!("cursor={cursor}");
    while end.is_none() {
        let path = format!("/Users?{}&count={WALK}&attributes=id", query(&cursor));
        let answer = connection.send(Request::get(path)).await?;
        let page: Page = read(&answer, StatusCode::OK).map_err(anyhow::Error::msg)?;
        seen += page.resources.len();
        cursor = page.next_cursor.context("the list ended before its last page")?;
        if middle.is_none() && seen >= users / 2 {
            middle = Some(query(&cursor));
        }
        if seen + 2 * WALK > users {
            end = Some(query(&cursor));
        }
    }
    let (middle, end) = middle.zip(end).context("the list is too short")?;
    Ok([query(""), middle, end])
}
