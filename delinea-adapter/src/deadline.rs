//! Until when the caller of the present task waits for its answer. Known to all that is done for one request, however deep, so
//! that nothing is begun which its caller cannot see the end of.

use std::time::Duration;

use tokio::time::{Instant, error::Elapsed, timeout_at};

tokio::task_local! {
    static END: Instant;
}

/// Does a piece of work within a time: what it awaits knows when that is over.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let end = Instant::now() + time;
    END.scope(end, timeout_at(end, work)).await
}

/// When the time of the present work is over, if it has an end.
pub(crate) fn present() -> Option<Instant> {
    END.try_with(|end| *end).ok()
}
