//! What deliveries cost: how many a second a replica makes, and how many calls of the Platform Entra's requests become.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Run, waiting::SLOW};
use crate::{
    report::Figure,
    requests::{self, Asked, Made},
    slice::{Slice, send_all},
    system::{Answers, Delivery, Setup, System},
};

/// Single-member PATCHes of one group that a storm has.
const STORM: usize = 300;
/// Calls that put members in or out, which a storm may take with batches of a hundred.
const CALLS_OF_A_STORM: f64 = 5.0;
/// In an initial cycle: how many users there are for each group, how many members a group has.
const USERS_FOR_A_GROUP: u64 = 20;
const MEMBERS_OF_A_GROUP: usize = 60;

impl Run<'_> {
    /// An instance of nobody, which delivers to a Platform that answers so.
    pub(super) async fn delivering(&self, answers: Answers, setup: &Setup) -> Result<System> {
        let setup = Setup {
            delivery: Delivery::On(answers),
            users: 0,
            groups: Vec::new(),
            ..setup.clone()
        };
        System::start(&setup).await
    }

    /// Sends these on all connections; every answer must be right.
    pub(super) async fn send(&self, system: &System, requests: Vec<Asked>) -> Result<Slice> {
        let mut connections = system.target.open(self.settings.pace.connections).await?;
        let slice = send_all(&mut connections, requests).await;
        ensure!(slice.wrong.is_empty(), "wrong answers: {:?}", slice.wrong);
        Ok(slice)
    }

    /// Deliveries a second, to a Platform that answers at once: changes come together while nothing is delivered, and are
    /// delivered while nothing else is done.
    pub(super) async fn rate(&mut self, setup: &Setup) -> Result<()> {
        let system = self.delivering(Answers::default(), setup).await?;
        let count = self.settings.changes as u64;
        self.figures(format!(
            "Deliveries of one replica, {count} of each kind, to a Platform that answers at once"
        ));
        let made = Made::default();
        let create = (0..count).map(|n| made.user(n)).collect();
        self.drain(&system, "users created", create).await?;
        let users = made.ids();
        let titles = users.iter().map(|user| requests::title(*user, "Archivist")).collect();
        self.drain(&system, "users changed", titles).await?;
        let leave = users.iter().map(|user| requests::disable(*user)).collect();
        self.drain(&system, "users disabled", leave).await?;
        let made = Made::default();
        let create = (0..count).map(|n| made.group(n)).collect();
        self.drain(&system, "groups created", create).await?;
        let groups = made.ids();
        let join = groups.iter().zip(&users);
        let join = join
            .map(|(group, user)| requests::member("Add", *group, *user))
            .collect();
        self.drain(&system, "groups with one member more", join).await
    }

    async fn drain(&mut self, system: &System, what: &str, changes: Vec<Asked>) -> Result<()> {
        let platform = system.platform()?;
        let count = changes.len();
        system.deliveries.pause().await?;
        self.send(system, changes).await?;
        let waiting = system.deliveries.backlog().await?.pending;
        ensure!(
            usize::try_from(waiting) == Ok(count),
            "{waiting} of {count} changes wait"
        );
        platform.forget_calls().await?;
        let cpu = || anyhow::Ok(system.identity.cpu()? + system.adapter.cpu()?);
        let (before, began) = (cpu()?, Instant::now());
        system.deliveries.resume().await?;
        system.deliveries.done().await?;
        let (took, cpu, count) = (began.elapsed(), cpu()? - before, count as f64);
        let calls = platform.calls().await?;
        for figure in [
            Figure::new(what, count / took.as_secs_f64(), "deliveries a second"),
            Figure::new(
                format!("{what}: calls of the Platform"),
                calls.all() as f64 / count,
                "a delivery",
            ),
            Figure::new(
                format!("{what}: CPU time of identity-service and delinea-adapter"),
                cpu.as_secs_f64() * 1e6 / count,
                "µs a delivery",
            ),
        ] {
            self.figure(figure);
        }
        Ok(())
    }

    /// How many calls of the Platform an initial cycle becomes, and a storm of membership changes of one group.
    pub(super) async fn calls(&mut self, setup: &Setup) -> Result<()> {
        let system = self.delivering(Answers::default(), setup).await?;
        let (users, groups) = self.initial_cycle(&system).await?;
        let Some((group, _)) = groups.split_first() else {
            return Ok(());
        };
        // Of those who are not in the first group yet.
        let joining: Vec<_> = users.into_iter().skip(MEMBERS_OF_A_GROUP).take(STORM).collect();
        for (latency, said) in [
            (Answers::default(), "a Platform that answers at once".to_owned()),
            (
                Answers {
                    latency: SLOW,
                    ..Answers::default()
                },
                format!("a Platform that takes {SLOW:?} for each call"),
            ),
        ] {
            system.platform()?.answer(latency).await?;
            for (op, what) in [("Add", "put in"), ("Remove", "taken out")] {
                self.figures(format!("{STORM} members of one group {what}, one a PATCH: {said}"));
                self.storm(&system, op, *group, &joining).await?;
            }
        }
        Ok(())
    }

    /// Everybody is looked for and created, then each group, then each member is put in by a PATCH of its own, as Entra does
    /// in a first cycle. Gives users and groups.
    async fn initial_cycle(&mut self, system: &System) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
        let platform = system.platform()?;
        let users = self.settings.small as u64;
        let groups = (users / USERS_FOR_A_GROUP).max(1);
        self.figures(format!(
            "Calls of an initial cycle: {users} users, {groups} groups of {MEMBERS_OF_A_GROUP}, one member a PATCH"
        ));
        platform.forget_calls().await?;
        let began = Instant::now();
        let (people, racks) = (Made::default(), Made::default());
        let mut requests = Vec::new();
        let mut sent = 0;
        requests.extend((0..users).map(requests::no_user));
        requests.extend((0..users).map(|n| people.user(n)));
        requests.extend((0..groups).map(requests::no_group));
        requests.extend((0..groups).map(|n| racks.group(n)));
        sent += self.send(system, requests).await?.micros.len();
        let (users, groups) = (people.ids(), racks.ids());
        // Each group begins where the last one ended, so that everybody is in about as many.
        let mut everybody: VecDeque<_> = users.iter().copied().collect();
        let mut joining = Vec::new();
        for group in &groups {
            let some = everybody.iter().take(MEMBERS_OF_A_GROUP);
            joining.extend(some.map(|user| requests::member("Add", *group, *user)));
            everybody.rotate_left(MEMBERS_OF_A_GROUP % users.len());
        }
        sent += self.send(system, joining).await?.micros.len();
        let answered = began.elapsed();
        system.deliveries.done().await?;
        let delivered = began.elapsed();
        let (calls, thousands) = (platform.calls().await?, sent as f64 / 1000.0);
        self.figure(Figure::new("requests", sent as f64, "requests"));
        self.figure(Figure::new("until all were answered", answered.as_secs_f64(), "s"));
        self.figure(Figure::new("until all was delivered", delivered.as_secs_f64(), "s"));
        let all = calls.all() as f64;
        self.figure(Figure::new("calls", all / thousands, "per 1,000 requests"));
        let writes = calls.writes as f64;
        self.figure(Figure::new("of which write", writes / thousands, "per 1,000 requests"));
        for (method, times) in &calls.by_method {
            let each = *times as f64 / thousands;
            self.figure(Figure::new(format!("of which `{method}`"), each, "per 1,000 requests"));
        }
        Ok((users, groups))
    }

    async fn storm(&mut self, system: &System, op: &str, group: Uuid, users: &[Uuid]) -> Result<()> {
        let platform = system.platform()?;
        platform.forget_calls().await?;
        let began = Instant::now();
        let requests = users.iter().map(|user| requests::member(op, group, *user)).collect();
        let answers = self.send(system, requests).await?;
        let answered = began.elapsed();
        system.deliveries.done().await?;
        let delivered = began.elapsed();
        let calls = platform.calls().await?;
        let of_members = calls.of_members() as f64;
        self.figure(Figure::new("membership calls", of_members, "calls").at_most(CALLS_OF_A_STORM));
        self.figure(Figure::new("all calls", calls.all() as f64, "calls"));
        self.figure(Figure::new("an answer, p50", answers.percentile(50.0), "ms"));
        self.figure(Figure::new("an answer, p99", answers.percentile(99.0), "ms"));
        self.figure(Figure::new("until all were answered", answered.as_secs_f64(), "s"));
        self.figure(Figure::new("until all was delivered", delivered.as_secs_f64(), "s"));
        Ok(())
    }
}
