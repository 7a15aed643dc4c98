//! A closed loop for a while: each connection sends its next request when the answer to the last one was read. And two such
//! loops in turn, so that whatever else the machine does hits both.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anyhow::Result;
use futures_util::{StreamExt, stream::FuturesUnordered};
use rand::{SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use crate::client::{Answer, Connection, Request, Target};

/// What a right answer looks like; otherwise what is wrong, in a few words without a value.
pub type Check = Box<dyn FnOnce(&Answer) -> Result<(), String>>;

/// Makes the next request of a connection, known by its number.
pub type Work<'a> = dyn Fn(usize, &mut StdRng) -> (Request, Check) + 'a;

/// How long, how often, and on how many connections.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The length of a slice.
    pub slice: Duration,
    /// How many slices of each side.
    pub rounds: usize,
    /// How many connections.
    pub connections: usize,
}

/// What a loop did.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// How long each right answer took, in µs.
    pub micros: Vec<u32>,
    /// How long the loop took until its last answer.
    pub took: Duration,
    /// How many answers were wrong, by what was wrong with them.
    pub wrong: BTreeMap<String, u64>,
}

impl Slice {
    /// Right answers a second.
    pub fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// How many requests were sent.
    fn sent(&self) -> usize {
        let wrong: u64 = self.wrong.values().sum();
        self.micros.len() + usize::try_from(wrong).unwrap_or(usize::MAX)
    }

    /// The latency that so many of a hundred answers did not exceed, in ms.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut micros = self.micros.clone();
        micros.sort_unstable();
        let nth = (micros.len() as f64 * percent / 100.0).ceil() as usize;
        micros
            .get(nth.max(1) - 1)
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }

    /// Adds another loop's, whose time comes after this one's.
    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.took += other.took;
        for (what, count) in other.wrong {
            *self.wrong.entry(what).or_default() += count;
        }
    }
}

/// Two loops that ran in turn.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// All slices of what is judged.
    pub ours: Slice,
    /// All slices of what it is judged by.
    pub other: Slice,
    /// The ratio of the rates, round by round.
    pub ratios: Vec<f64>,
    /// How many requests were sent to what is judged, those before the first slice included.
    pub sent: usize,
    /// The CPU time that its processes took for each of them, where that was measured.
    pub cpu: Option<Duration>,
    /// How many scripts its redis-server ran for each of them, where that was counted.
    pub scripts: Option<f64>,
}

impl Compared {
    /// The median of the ratios.
    pub fn ratio(&self) -> f64 {
        let mut ratios = self.ratios.clone();
        ratios.sort_by(f64::total_cmp);
        let middle = ratios.len() / 2;
        match ratios.len() {
            0 => f64::NAN,
            even if even % 2 == 0 => (ratios[middle - 1] + ratios[middle]) / 2.0,
            _ => ratios[middle],
        }
    }

    /// How many times longer the slowest of a hundred take.
    pub fn p99_ratio(&self) -> f64 {
        self.ours.percentile(99.0) / self.other.percentile(99.0)
    }
}

/// Runs both in turn, and changes who begins.
pub async fn compare(
    pace: Pace,
    (ours, our_work): (&Target, &Work<'_>),
    (other, other_work): (&Target, &Work<'_>),
) -> Result<Compared> {
    let mut ours = ours.open(pace.connections).await?;
    let mut other = other.open(pace.connections).await?;
    // Nobody's first requests count: connections and caches are new to both.
    let warm_up = pace.slice / 4;
    let mut compared = Compared {
        sent: run(&mut ours, warm_up, our_work).await.sent(),
        ..Compared::default()
    };
    run(&mut other, warm_up, other_work).await;
    for round in 0..pace.rounds {
        let (mine, theirs);
        if round % 2 == 0 {
            mine = run(&mut ours, pace.slice, our_work).await;
            theirs = run(&mut other, pace.slice, other_work).await;
        } else {
            theirs = run(&mut other, pace.slice, other_work).await;
            mine = run(&mut ours, pace.slice, our_work).await;
        }
        compared.sent += mine.sent();
        compared.ratios.push(mine.rate() / theirs.rate());
        compared.ours.add(mine);
        compared.other.add(theirs);
    }
    Ok(compared)
}

/// Runs a loop for a while.
pub async fn run(connections: &mut [Connection], length: Duration, work: &Work<'_>) -> Slice {
    let began = Instant::now();
    let mut loops: FuturesUnordered<_> = connections
        .iter_mut()
        .enumerate()
        .map(|(nth, connection)| keep_sending(nth, connection, began + length, work))
        .collect();
    let mut slice = Slice::default();
    while let Some(part) = loops.next().await {
        slice.add(part);
    }
    slice.took = began.elapsed();
    slice
}

/// Sends these and no more, in order, each on the connection that is free first.
pub async fn send_all(connections: &mut [Connection], requests: Vec<(Request, Check)>) -> Slice {
    let began = Instant::now();
    let left = RefCell::new(VecDeque::from(requests));
    let mut workers: FuturesUnordered<_> = connections
        .iter_mut()
        .map(|connection| async {
            let mut slice = Slice::default();
            loop {
                let next = left.borrow_mut().pop_front();
                let Some((request, check)) = next else { return slice };
                send(connection, request, check, &mut slice).await;
            }
        })
        .collect();
    let mut slice = Slice::default();
    while let Some(part) = workers.next().await {
        slice.add(part);
    }
    slice.took = began.elapsed();
    slice
}

async fn keep_sending(nth: usize, connection: &mut Connection, end: Instant, work: &Work<'_>) -> Slice {
    let mut rng = StdRng::from_os_rng();
    let mut slice = Slice::default();
    loop {
        let (request, check) = work(nth, &mut rng);
        if send(connection, request, check, &mut slice).await >= end {
            return slice;
        }
    }
}

/// Sends one request, and gives when its answer was there.
async fn send(connection: &mut Connection, request: Request, check: Check, slice: &mut Slice) -> Instant {
    let began = Instant::now();
    let wrong = match connection.send(request).await {
        Ok(answer) => check(&answer).err(),
        Err(error) => Some(format!("no answer: {error}")),
    };
    let now = Instant::now();
    match wrong {
        None => {
            let micros = (now - began).as_micros();
            slice.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        Some(what) => *slice.wrong.entry(what).or_default() += 1,
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let slice = Slice {
            micros: (1..=200).rev().map(|n| n * 1000).collect(),
            took: Duration::from_secs(2),
            ..Slice::default()
        };
        assert_eq!(slice.percentile(50.0), 100.0);
        assert_eq!(slice.percentile(99.0), 198.0);
        assert_eq!(slice.rate(), 100.0);
        assert!(Slice::default().percentile(99.0).is_nan());
    }

    #[test]
    fn the_median_is_no_mean() {
        let compared = |ratios: &[f64]| Compared {
            ratios: ratios.to_vec(),
            ..Compared::default()
        };
        assert_eq!(compared(&[0.9, 0.1, 1.0]).ratio(), 0.9);
        assert_eq!(compared(&[0.75, 0.1, 1.0, 0.5]).ratio(), 0.625);
    }
}
