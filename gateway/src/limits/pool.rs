//! Places for requests that are worked on. A quarter of them is kept for changes of users: whatever else comes, these find a place as
//! long as not all of them are changes of users themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Kind;

/// There was no place in time, or too many waited for one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// So many places.
#[derive(Debug)]
pub(super) struct Pool {
    /// For everything.
    open: Arc<Semaphore>,
    /// For changes of users alone.
    reserved: Arc<Semaphore>,
    /// How many wait: changes of users, and all else.
    waiting: [AtomicUsize; 2],
    most_waiting: usize,
}

/// Waits for a place; without a pool there is always one.
pub(super) async fn enter(
    pool: Option<&Pool>,
    kind: Kind,
    until: Instant,
) -> Result<Option<OwnedSemaphorePermit>, Full> {
    match pool {
        Some(pool) => pool.enter(kind, until).await.map(Some),
        None => Ok(None),
    }
}

impl Pool {
    /// A pool of so many places, where as many again may wait of each kind. `None` for zero: no limit.
    pub(super) fn new(places: u32) -> Option<Self> {
        let places = usize::try_from(places).ok().filter(|places| *places > 0)?;
        let reserved = places / 4;
        Some(Self {
            open: Arc::new(Semaphore::new(places - reserved)),
            reserved: Arc::new(Semaphore::new(reserved)),
            waiting: Default::default(),
            most_waiting: places,
        })
    }

    async fn enter(&self, kind: Kind, until: Instant) -> Result<OwnedSemaphorePermit, Full> {
        let at_once = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let found = at_once(&self.open);
        let found = found.or_else(|| (kind == Kind::UserChange).then(|| at_once(&self.reserved)).flatten());
        if let Some(place) = found {
            return Ok(place);
        }
        let _waits = Waits::among(&self.waiting[usize::from(kind == Kind::Other)], self.most_waiting)?;
        let wait = |places: &Arc<Semaphore>| Arc::clone(places).acquire_owned();
        let place = async {
            match kind {
                Kind::Other => wait(&self.open).await,
                Kind::UserChange => tokio::select! {
                    place = wait(&self.open) => place,
                    place = wait(&self.reserved) => place,
                },
            }
        };
        // No semaphore of ours is ever closed.
        timeout_at(until, place).await.ok().and_then(Result::ok).ok_or(Full)
    }

    #[cfg(test)]
    pub(super) fn places_free(&self) -> usize {
        self.open.available_permits() + self.reserved.available_permits()
    }
}

/// One that waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn among(waiting: &'a AtomicUsize, most: usize) -> Result<Self, Full> {
        let waits = Self(waiting);
        match waiting.fetch_add(1, Ordering::Relaxed) < most {
            true => Ok(waits),
            false => Err(Full),
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    async fn enter(pool: &Pool, kind: Kind) -> Result<OwnedSemaphorePermit, Full> {
        pool.enter(kind, Instant::now() + WAIT).await
    }

    #[tokio::test(start_paused = true)]
    async fn changes_of_users_find_a_place_that_others_cannot_take() {
        let pool = Pool::new(8).unwrap();
        let others = join_all((0..6).map(|_| enter(&pool, Kind::Other))).await;
        assert!(others.iter().all(Result::is_ok));
        let began = Instant::now();
        assert_eq!(enter(&pool, Kind::Other).await.unwrap_err(), Full);
        assert_eq!(began.elapsed(), WAIT, "it waited for its turn");
        let changes = [
            enter(&pool, Kind::UserChange).await.unwrap(),
            enter(&pool, Kind::UserChange).await.unwrap(),
        ];
        assert_eq!(enter(&pool, Kind::UserChange).await.unwrap_err(), Full);
        // Either kind of place that becomes free lets a change in; only the open ones let others in.
        let mut change = Box::pin(enter(&pool, Kind::UserChange));
        let mut other = Box::pin(enter(&pool, Kind::Other));
        assert!(change.as_mut().now_or_never().is_none() && other.as_mut().now_or_never().is_none());
        drop(changes);
        let change = change.now_or_never().unwrap().unwrap();
        assert!(other.as_mut().now_or_never().is_none());
        drop(others);
        let other = other.now_or_never().unwrap().unwrap();
        drop((change, other));
        assert_eq!(pool.places_free(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_no_more() {
        let pool = Pool::new(4).unwrap();
        let held = join_all((0..3).map(|_| enter(&pool, Kind::Other))).await;
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(enter(&pool, Kind::Other))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        assert_eq!(
            enter(&pool, Kind::Other).now_or_never().unwrap().unwrap_err(),
            Full,
            "it is refused at once"
        );
        // Who gives up makes room for the next.
        waiting.pop();
        let mut next = Box::pin(enter(&pool, Kind::Other));
        assert!(next.as_mut().now_or_never().is_none());
        drop((held, waiting));
        drop(next.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        assert!(Pool::new(0).is_none());
        let until = Instant::now();
        assert!(super::enter(None, Kind::Other, until).await.unwrap().is_none());
        let one = Pool::new(1).unwrap();
        let _held = one.enter(Kind::UserChange, until).await.unwrap();
        one.enter(Kind::UserChange, until).await.unwrap_err();
    }
}
