//! Who waits for the Platform, and how long: what is still to be delivered where calls are few, and answers where calls are
//! slow.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use uuid::Uuid;

use super::Run;
use crate::{
    client::Connection,
    report::{Figure, Row},
    requests::{self, Asked, Made},
    slice::{Compared, Slice, send_all},
    system::{Answers, Setup, System},
};

/// How long a call of a slow Platform takes.
pub(super) const SLOW: Duration = Duration::from_millis(50);
/// How many calls a second a Platform with a limit takes.
const FEW: u32 = 5;
/// How often the oldest pending change is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The pause between changes that come one by one: each takes three calls at most, so that there is no backlog.
const TRICKLE: Duration = Duration::from_secs(1);
/// How many changes come one by one.
const TRICKLING: usize = 20;
/// How many requests a connection sends in a round.
const EACH: usize = 2;

/// What was seen of the oldest pending change, in seconds; 0 where nothing was pending.
#[derive(Default)]
struct Ages(Vec<f64>);

impl Ages {
    fn saw(&mut self, oldest: Option<Duration>) {
        self.0.push(oldest.unwrap_or_default().as_secs_f64());
    }

    fn most(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    fn median(&self) -> f64 {
        let mut ages = self.0.clone();
        ages.sort_by(f64::total_cmp);
        ages.get(ages.len() / 2).copied().unwrap_or_default()
    }
}

impl Run<'_> {
    /// How old the oldest pending change gets where the Platform takes few calls: after many changes at once, among which
    /// somebody leaves; and with changes that come one by one.
    pub(super) async fn ages(&mut self, setup: &Setup) -> Result<()> {
        let answers = Answers {
            max_rps: FEW,
            ..Answers::default()
        };
        let system = self.delivering(answers, setup).await?;
        let (platform, burst) = (system.platform()?, self.settings.burst as u64);
        let made = Made::default();
        self.send(&system, vec![made.user(burst)]).await?;
        system.deliveries.done().await?;
        let leaver = made.ids().pop().context("nobody was created")?;

        platform.forget_calls().await?;
        let began = Instant::now();
        self.send(&system, (0..burst).map(|n| made.user(n)).collect()).await?;
        let answered = began.elapsed();
        let (left_at, mut gone_after) = (Instant::now(), None);
        self.send(&system, vec![requests::disable(leaver)]).await?;
        let mut ages = Ages::default();
        loop {
            let backlog = system.deliveries.backlog().await?;
            ensure!(backlog.refused == 0, "{} deliveries were refused", backlog.refused);
            ages.saw(backlog.oldest);
            if gone_after.is_none() && system.deliveries.is_applied(leaver).await? {
                gone_after = Some(left_at.elapsed());
            }
            if backlog.pending == 0 {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let took = began.elapsed();
        let calls = platform.calls().await?.all() as f64;
        self.figures(format!(
            "A Platform that takes {FEW} calls a second: {burst} users are created at once"
        ));
        self.figure(Figure::new("until all were answered", answered.as_secs_f64(), "s"));
        self.figure(Figure::new("until all was delivered", took.as_secs_f64(), "s"));
        self.figure(Figure::new("age of the oldest pending change, most", ages.most(), "s"));
        self.figure(Figure::new(
            "age of the oldest pending change, median",
            ages.median(),
            "s",
        ));
        self.figure(Figure::new(
            "until somebody was disabled who left after that",
            gone_after.unwrap_or(took).as_secs_f64(),
            "s",
        ));
        self.figure(Figure::new("calls", calls, "calls"));
        self.figure(Figure::new("calls", calls / took.as_secs_f64(), "a second"));
        self.figure(Figure::new(
            "calls that the Platform turned away",
            platform.throttled().await? as f64,
            "calls",
        ));
        self.trickle(&system, &made.ids()).await
    }

    async fn trickle(&mut self, system: &System, users: &[Uuid]) -> Result<()> {
        let mut ages = Ages::default();
        let mut answers = Slice::default();
        for (n, user) in users.iter().cycle().take(TRICKLING).enumerate() {
            let began = Instant::now();
            let change = requests::title(*user, &format!("Archivist {n}"));
            // Who looks may not wait for the answer.
            let looks = async {
                let mut seen = Vec::new();
                while began.elapsed() < TRICKLE {
                    seen.push(system.deliveries.backlog().await?.oldest);
                    tokio::time::sleep(LOOK).await;
                }
                anyhow::Ok(seen)
            };
            let (sent, seen) = tokio::join!(self.send(system, vec![change]), looks);
            answers.add(sent?);
            seen?.into_iter().for_each(|oldest| ages.saw(oldest));
        }
        system.deliveries.done().await?;
        self.figures(format!(
            "A Platform that takes {FEW} calls a second: one user is changed every {TRICKLE:?}"
        ));
        self.figure(Figure::new("age of the oldest pending change, most", ages.most(), "s"));
        self.figure(Figure::new(
            "age of the oldest pending change, median",
            ages.median(),
            "s",
        ));
        self.figure(Figure::new("an answer, p50", answers.percentile(50.0), "ms"));
        self.figure(Figure::new("an answer, p99", answers.percentile(99.0), "ms"));
        Ok(())
    }

    /// What it adds to an answer that it waits for the verdict of a slow Platform.
    pub(super) async fn waits(&mut self, setup: &Setup) -> Result<()> {
        let answers = Answers {
            latency: SLOW,
            ..Answers::default()
        };
        let waits = self.delivering(answers, setup).await?;
        let at_once = Setup {
            answer_wait: Some(Duration::ZERO),
            ..setup.clone()
        };
        let at_once = self.delivering(answers, &at_once).await?;
        let mut sides = [
            Side::new(waits, self.settings.small),
            Side::new(at_once, self.settings.small),
        ];
        for side in &mut sides {
            side.found().await?;
        }
        let mut added = Vec::new();
        self.table(format!(
            "Answers that wait for the verdict (ANSWER_WAIT by default) of a Platform that takes {SLOW:?} for each call, \
             against ANSWER_WAIT=0"
        ));
        for (connections, said) in [
            (1, "one at a time".to_owned()),
            (
                self.settings.pace.connections,
                format!("{} at a time", self.settings.pace.connections),
            ),
        ] {
            for kind in [Kind::Create, Kind::Change, Kind::Join] {
                let mut compared = Compared::default();
                for _ in 0..self.settings.pace.rounds {
                    let [waits, at_once] = &mut sides;
                    let ours = waits.round(kind, connections).await?;
                    let other = at_once.round(kind, connections).await?;
                    compared.ratios.push(ours.rate() / other.rate());
                    compared.ours.add(ours);
                    compared.other.add(other);
                }
                for percent in [50.0, 99.0] {
                    let more = compared.ours.percentile(percent) - compared.other.percentile(percent);
                    let what = format!("{}, {said}, p{percent}", kind.said());
                    added.push(Figure::new(what, more, "ms"));
                }
                self.row(Row::new(format!("{}, {said}", kind.said()), compared, None));
            }
        }
        self.figures(format!(
            "What waiting for the verdict of a Platform that takes {SLOW:?} for each call adds to an answer"
        ));
        for figure in added {
            self.figure(figure);
        }
        Ok(())
    }
}

/// What is asked in a round.
#[derive(Clone, Copy)]
enum Kind {
    Create,
    Change,
    Join,
}

impl Kind {
    fn said(self) -> &'static str {
        match self {
            Self::Create => "POST of a user",
            Self::Change => "PATCH of a user",
            Self::Join => "a member put into a group",
        }
    }
}

/// One of the two systems, and whom it has.
struct Side {
    system: System,
    users: Made,
    groups: Made,
    next: u64,
    /// How many have been put into the group.
    joined: usize,
}

impl Side {
    fn new(system: System, first: usize) -> Self {
        Self {
            system,
            users: Made::default(),
            groups: Made::default(),
            next: first as u64,
            joined: 0,
        }
    }

    /// Makes the group.
    async fn found(&mut self) -> Result<()> {
        let group = self.groups.group(0);
        self.send(vec![group], 1).await?;
        Ok(())
    }

    /// Sends a round's requests, and waits until all is delivered.
    async fn round(&mut self, kind: Kind, connections: usize) -> Result<Slice> {
        let many = EACH * connections;
        let ids = self.users.ids();
        let requests: Vec<_> = match kind {
            Kind::Create => (0..many).map(|_| self.user()).collect(),
            Kind::Change => {
                self.next += 1;
                let title = format!("Archivist {}", self.next);
                ids.iter()
                    .take(many)
                    .map(|user| requests::title(*user, &title))
                    .collect()
            }
            Kind::Join => {
                let group = self.groups.ids();
                let joining = ids.iter().skip(self.joined).take(many);
                self.joined += many;
                joining
                    .flat_map(|user| group.iter().map(|group| requests::member("Add", *group, *user)))
                    .collect()
            }
        };
        ensure!(requests.len() == many, "too few users for a round");
        self.send(requests, connections).await
    }

    fn user(&mut self) -> Asked {
        self.next += 1;
        self.users.user(self.next)
    }

    async fn send(&self, requests: Vec<Asked>, connections: usize) -> Result<Slice> {
        let mut connections: Vec<Connection> = self.system.target.open(connections).await?;
        let slice = send_all(&mut connections, requests).await;
        ensure!(slice.wrong.is_empty(), "wrong answers: {:?}", slice.wrong);
        self.system.deliveries.done().await?;
        Ok(slice)
    }
}
