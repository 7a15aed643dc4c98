//! Promises P1, P2 and P7 under `kill -9`: whichever of the three services dies at whichever moment, and however often, in
//! the end Entra's directory, SCIM and Platform agree, nothing is lost, nothing doubled, and nothing is left to do.
//!
//! All chance comes from one seed, which is printed; `KILLS_SEED=N` throws the same dice again. What is under way when a
//! process dies is up to the machine, so a seed repeats a story only in its outline.

mod in_doubt;

use std::{
    collections::HashSet,
    ops::{Range, RangeInclusive},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use entra_simulator::{CycleReport, Dialect, Directory, Error, Failure, Job, Knobs, SavedState, VerifyOptions, verify};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::processes::{PATIENCE, Process, Services};

/// How long a cycle is repeated until nothing is in the escrow.
const RETRY_FOR: Duration = Duration::from_secs(120);
/// The pause between two passes of a cycle.
const PAUSE: Duration = Duration::from_millis(200);

/// The services that die; the simulated Platform lives, as Delinea's does.
const GATEWAY: Victim = |services| &mut services.gateway;
const IDENTITY: Victim = |services| &mut services.identity;
const ADAPTER: Victim = |services| &mut services.adapter;
type Victim = fn(&mut Services) -> &mut Process;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_survives_the_killing_of_its_services() {
    const KILLS: RangeInclusive<u32> = 24..=40;
    let seed = seed();
    let mut services = Services::start(&[]).await;
    let mut tenant = Tenant::new(&services, Directory::generate(seed, 200, 20));

    widen_the_windows(&services).await;
    let chaos = Chaos::new(seed, &[GATEWAY, IDENTITY, ADAPTER], 20..700, *KILLS.end());
    let work = async {
        tenant.cycle().await;
        while chaos.kills() < *KILLS.start() || tenant.directory.rounds() < 2 {
            tenant.directory.advance();
            tenant.change_dialect();
            tenant.cycle().await;
        }
        chaos.stop.cancel();
    };
    tokio::join!(work, chaos.kill(&mut services));
    chaos.tell();

    services.platform_side().no_faults().await;
    services.ready().await;
    tenant.agrees(&services).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_members_survives_kills() {
    const KILLS: RangeInclusive<u32> = 10..=20;
    let seed = seed();
    let mut services = Services::start(&[]).await;
    let mut directory = Directory::generate(seed, 300, 1);
    let group = directory.groups.keys().next().unwrap().clone();
    directory.groups.get_mut(&group).unwrap().members.clear();
    let mut tenant = Tenant::new(&services, directory);
    tenant.cycle().await;
    let users = tenant.directory.users.keys();
    let provisioned: Vec<_> = users.filter(|id| tenant.job.linked(id).is_some()).cloned().collect();
    assert!(provisioned.len() > 250, "{} of 300 users", provisioned.len());

    widen_the_windows(&services).await;
    let chaos = Chaos::new(seed, &[IDENTITY, ADAPTER], 10..250, *KILLS.end());
    let mut rng = StdRng::seed_from_u64(seed);
    let work = async {
        // All of them, then again and again a random half.
        let mut share = 1.0;
        while chaos.kills() < *KILLS.start() || share == 1.0 {
            let members = provisioned.iter().filter(|_| rng.random_bool(share)).cloned();
            tenant.directory.groups.get_mut(&group).unwrap().members = members.collect();
            tenant.cycle().await;
            share = 0.5;
        }
        chaos.stop.cancel();
    };
    tokio::join!(work, chaos.kill(&mut services));
    chaos.tell();

    services.platform_side().no_faults().await;
    services.ready().await;
    tenant.agrees(&services).await;
}

/// Between what the Platform has done and what is known of it lie microseconds here; over the internet it is more. A
/// process shall often die just there, and now and then the answer is lost all by itself.
async fn widen_the_windows(services: &Services) {
    let platform = services.platform_side();
    platform
        .fault(json!({"method": "*", "fault": "slow", "delay_ms": 100, "probability": 0.25}))
        .await;
    platform
        .fault(json!({"method": "*", "fault": "lost_answer", "probability": 0.02}))
        .await;
}

fn seed() -> u64 {
    let given = std::env::var("KILLS_SEED").ok();
    let seed = given.map_or_else(|| u64::from(rand::random::<u32>()), |text| text.parse().unwrap());
    eprintln!("KILLS_SEED={seed}");
    seed
}

/// Kills services at random moments and starts them again.
struct Chaos {
    seed: u64,
    victims: Vec<Victim>,
    /// Milliseconds between a start and the next kill.
    moments: Range<u64>,
    /// After so many kills there is peace, or a slow machine might never come to an end.
    limit: u32,
    kills: AtomicU32,
    stop: CancellationToken,
}

impl Chaos {
    fn new(seed: u64, victims: &[Victim], moments: Range<u64>, limit: u32) -> Self {
        Self {
            seed,
            victims: victims.to_vec(),
            moments,
            limit,
            kills: AtomicU32::new(0),
            stop: CancellationToken::new(),
        }
    }

    fn kills(&self) -> u32 {
        self.kills.load(Ordering::Relaxed)
    }

    fn tell(&self) {
        eprintln!("KILLS_SEED={}: {} kills", self.seed, self.kills());
    }

    /// Kills until told to stop, or until it is enough; then all are running.
    async fn kill(&self, services: &mut Services) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        while self.kills() < self.limit {
            let moment = Duration::from_millis(rng.random_range(self.moments.clone()));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(moment) => {}
            }
            // Now and then two go at once.
            let count = if rng.random_bool(0.2) { 2 } else { 1 };
            let victims: Vec<_> = self.victims.choose_multiple(&mut rng, count).collect();
            for victim in &victims {
                victim(services).kill().await;
                self.kills.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
            for victim in &victims {
                victim(services).start();
            }
            for victim in &victims {
                victim(services).alive().await;
            }
        }
    }
}

/// An Entra tenant: its directory, and the job that provisions it.
struct Tenant {
    clients: [entra_simulator::Client; 2],
    directory: Directory,
    job: Job,
}

impl Tenant {
    fn new(services: &Services, directory: Directory) -> Self {
        let clients = [Dialect::Default, Dialect::Flagged].map(|dialect| services.entra(Knobs::of(dialect)));
        Self {
            job: Job::new(clients[0].clone()),
            clients,
            directory,
        }
    }

    /// Goes on in the other dialect, as after an administrator has changed the tenant URL.
    fn change_dialect(&mut self) {
        self.clients.swap(0, 1);
        let saved = SavedState::of(&self.directory, &self.job);
        (self.directory, self.job) = saved.resume(self.clients[0].clone());
    }

    /// A cycle, repeated until everything in it was answered with success; gives its writes. Services that die are heard of
    /// as connections that break and as 503, never as the client's mistake.
    async fn cycle(&mut self) -> u64 {
        let began = Instant::now();
        let mut writes = 0;
        // Objects of which a request got no verdict. The last of a killed gateway's creates may come after the look-up by
        // which Entra begins the next pass; then 409 is the truth, and the pass after that finds what it made.
        let mut in_doubt = HashSet::new();
        loop {
            let failures = match self.job.cycle(&self.directory).await {
                Ok(CycleReport {
                    writes: sent, escrow, ..
                }) => {
                    writes += sent;
                    if escrow.is_empty() {
                        return writes;
                    }
                    escrow
                }
                Err(Error::ConnectionTest(failure)) => {
                    assert!(is_passing(&failure), "{failure}");
                    Vec::new()
                }
                Err(error) => panic!("{error}"),
            };
            for escrowed in &failures {
                let is_truth =
                    matches!(escrowed.reason, Failure::Conflict(_)) && in_doubt.contains(&escrowed.object_id);
                assert!(is_passing(&escrowed.reason) || is_truth, "{escrowed}");
                if is_truth {
                    eprintln!("made after the next look-up: {escrowed}");
                }
            }
            in_doubt.extend(failures.iter().map(|escrowed| escrowed.object_id.clone()));
            assert!(began.elapsed() < RETRY_FOR, "after {RETRY_FOR:?}: {failures:#?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Directory, SCIM and Platform agree, and nobody has anything left to do.
    async fn agrees(&mut self, services: &Services) {
        let options = VerifyOptions {
            platform_url: Some(services.platform_url().to_owned()),
            settle: PATIENCE,
            ..VerifyOptions::default()
        };
        let verification = verify(&self.job, &self.directory, &options, None).await.unwrap();
        assert!(verification.differences.is_empty(), "{verification}");
        services.settled().await;

        let before = services.platform_side().state().await;
        assert_eq!(self.cycle().await, 0, "an identical cycle writes nothing");
        self.job.restart();
        assert_eq!(self.cycle().await, 0, "a full restart writes nothing");
        services.settled().await;
        let after = services.platform_side().state().await;
        assert_eq!(after["writes"], before["writes"], "nor does it reach the Platform");

        for process in [&services.gateway, &services.identity, &services.adapter] {
            // Nothing that was asked of the Platform was wrong at any time, nor did any of them find itself at fault.
            for unheard in ["panicked", " was refused", " ERROR "] {
                let log = process.log();
                let line = log.lines().find(|line| line.contains(unheard));
                assert!(line.is_none(), "{} wrote {line:?}", process.program());
            }
        }
    }
}

/// Whether a failure says that somebody was away.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unavailable { .. } | Failure::Timeout | Failure::Connection(_)
    )
}
