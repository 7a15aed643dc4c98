//! The traces of the changes that a piece of work is to deliver, as the outbox keeps them: for each its W3C trace context and the time
//! of the change, the newest first. Only some, or a group that is changed all day while its Platform is away would keep a day's.

use jiff::Timestamp;

/// How many changes a delivery names at most.
pub const MOST: usize = 8;

/// A change that asked for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The trace context of whoever made it.
    pub traceparent: &'a str,
    /// When, where that was kept.
    pub at: Option<Timestamp>,
}

/// What is kept of one change.
pub fn asked(traceparent: &str, at: Timestamp) -> String {
    format!("{traceparent}@{}", at.as_millisecond())
}

/// What is kept when another change comes before the last one is delivered. The Redis store does the same in a script.
pub(super) fn joined(newer: &str, older: Option<&str>) -> String {
    let older = older.unwrap_or_default().split_whitespace().take(MOST - 1);
    std::iter::once(newer).chain(older).collect::<Vec<_>>().join(" ")
}

/// The changes that are kept, the newest first.
pub fn changes(kept: &str) -> impl Iterator<Item = Asked<'_>> {
    kept.split_whitespace().map(|one| {
        // Earlier versions kept no time.
        let (traceparent, at) = one.split_once('@').unwrap_or((one, ""));
        let at = at.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        Asked { traceparent, at }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_changes_are_kept_with_their_times() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut kept = "00-old-1-01".to_owned();
        for second in 1..=10 {
            kept = joined(&asked(&format!("00-{second}-1-01"), at(second)), Some(&kept));
        }
        let changes: Vec<_> = changes(&kept).collect();
        assert_eq!(changes.len(), MOST);
        assert_eq!(
            (changes[0].traceparent, changes[0].at, changes[7].traceparent),
            ("00-10-1-01", Some(at(10)), "00-3-1-01")
        );
        let earlier: Vec<_> = super::changes("00-old-1-01").collect();
        assert_eq!((earlier[0].traceparent, earlier[0].at), ("00-old-1-01", None));
        assert_eq!(super::changes("").count(), 0);
    }
}
