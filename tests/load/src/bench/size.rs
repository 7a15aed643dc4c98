//! Memory and start-up.

use std::{cell::Cell, time::Duration};

use anyhow::{Result, ensure};
use rand::{Rng, rngs::StdRng};

use super::Run;
use crate::{
    client::{Connection, Request},
    report::Figure,
    slice,
    system::{Delivery, System},
    workload,
};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// The most that a service may have, in MiB.
const MOST_RESIDENT: f64 = 64.0;
/// The longest that a start may take, in seconds.
const LONGEST_START: f64 = 2.0;

impl Run<'_> {
    /// What Redis keeps, by the user: in all, and by the keys that it stands in.
    pub(super) async fn redis_memory(&mut self, system: &System) -> Result<()> {
        let Some(redis) = &system.redis else {
            return Ok(());
        };
        let users = system.directory.users.len() as f64;
        let parts = redis.parts().await?;
        // Groups and memberships are not a user's.
        let of_groups = |key: &str| key.starts_with("group") || key.starts_with("members:");
        let groups: u64 = parts.iter().filter(|part| of_groups(part.0)).map(|part| part.1).sum();
        let way = match (system.filled.imported, system.delivery) {
            (true, _) => "imported as delivered",
            (false, Delivery::On(_)) => "created and delivered just now",
            (false, Delivery::Paused) => "still to be delivered",
        };
        self.figures(format!("Redis memory: {users} users, {way}"));
        if let Some((before, after)) = system.filled.memory {
            let groups = if system.filled.imported { groups } else { 0 };
            let each = after.saturating_sub(before + groups) as f64 / users;
            self.figure(Figure::new("for a user", each, "bytes").at_most(2048.0));
        }
        for (key, bytes) in &parts {
            let what = format!("of which `{key}`").replace("of which `group", "besides, in all groups, `group");
            self.figure(Figure::new(what, *bytes as f64 / users, "bytes a user"));
        }
        self.figure(Figure::new(
            "resident memory of redis-server",
            mib(redis.resident()?),
            "MiB",
        ));
        Ok(())
    }

    /// Resident memory while all kinds of requests come, and the largest group is read whole again and again.
    pub(super) async fn resident(&mut self, system: &System) -> Result<()> {
        let users = system.directory.users.as_slice();
        let (look_up, get, switch) = (workload::look_up(users), workload::get(users), workload::switch(users));
        let mixed = |nth: usize, rng: &mut StdRng| match rng.random_range(0..3) {
            0 => look_up(nth, rng),
            1 => get(nth, rng),
            _ => switch(nth, rng),
        };
        let pace = self.settings.pace;
        let length = pace.slice * u32::try_from(pace.rounds * 4)?;
        let mut connections = system.target.open(pace.connections).await?;
        let stop = Cell::new(false);
        let load = async {
            let slice = slice::run(&mut connections, length, &mixed).await;
            stop.set(true);
            slice
        };
        let (slice, whole, seen) = tokio::join!(load, read_groups(system, &stop), look(system, &stop));
        ensure!(slice.wrong.is_empty(), "under load: {:?}", slice.wrong);
        let (whole, seen) = (whole?, seen?);
        let largest = system.directory.groups.iter().max().map_or(0, |group| group.0);
        self.figures("Resident memory under load");
        self.figure(Figure::new(
            format!("requests under load, beside GETs of the group of {largest}"),
            slice.micros.len() as f64,
            "times",
        ));
        self.figure(Figure::new(
            format!("GETs of the whole group of {largest}, {:.1} MiB each", mib(whole.bytes)),
            whole.times as f64,
            "times",
        ));
        let halves = seen.split_at(seen.len() / 2);
        for (nth, name, process) in [
            (0, "gateway", &system.gateway),
            (1, "identity-service", &system.identity),
        ] {
            let most = |seen: &[[u64; 2]]| seen.iter().map(|both| both[nth]).max().unwrap_or_default();
            let ever = mib(process.most_resident()?);
            self.figure(Figure::new(format!("most of {name} ever"), ever, "MiB").at_most(MOST_RESIDENT));
            for (when, bytes) in [
                ("in the first half of the load", most(halves.0)),
                ("in the second half", most(halves.1)),
            ] {
                self.figure(Figure::new(format!("most of {name} {when}"), mib(bytes), "MiB"));
            }
        }
        Ok(())
    }

    /// Time until both services are ready again: after an orderly end, and after a kill.
    pub(super) async fn start_up(&mut self, system: &mut System) -> Result<()> {
        self.figures("Start-up");
        for (killed, after) in [(false, "an orderly end"), (true, "kill -9")] {
            let [identity, gateway] = system.restart(killed).await?;
            for (name, took) in [
                ("identity-service", identity),
                ("identity-service and gateway", gateway),
            ] {
                let what = format!("{name} after {after}, until ready");
                self.figure(Figure::new(what, took.as_secs_f64(), "s").at_most(LONGEST_START));
            }
        }
        Ok(())
    }
}

/// The largest group, read whole.
#[derive(Default)]
struct Whole {
    times: usize,
    bytes: u64,
}

async fn read_groups(system: &System, stop: &Cell<bool>) -> Result<Whole> {
    let mut whole = Whole::default();
    let Some((_, group)) = system.directory.groups.iter().max() else {
        return Ok(whole);
    };
    let mut connection = Connection::new(&system.target);
    while !stop.get() {
        let answer = connection.send(Request::get(format!("/Groups/{group}"))).await?;
        ensure!(answer.status.is_success(), "GET of the whole group: {}", answer.status);
        whole.times += 1;
        whole.bytes = answer.body.len() as u64;
    }
    Ok(whole)
}

/// What gateway and identity-service have, again and again.
async fn look(system: &System, stop: &Cell<bool>) -> Result<Vec<[u64; 2]>> {
    let mut seen = Vec::new();
    while !stop.get() {
        seen.push([system.gateway.resident()?, system.identity.resident()?]);
        tokio::time::sleep(LOOK).await;
    }
    Ok(seen)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
