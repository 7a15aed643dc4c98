//! What goes on a page: at most so many resources, and no more than a message holds.

use super::{Page, Place, Start};
use crate::store::Seen;

/// How many bytes the resources of a page have together: more do not fit into one message. A page with one resource is
/// never too large.
pub const PAGE_BYTES: usize = 16 << 20;
/// What is on a page, until it is full.
pub(super) struct Filling {
    size: usize,
    bytes: usize,
    pub(super) seen: Vec<Seen>,
}

impl Filling {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            bytes: 0,
            seen: Vec::new(),
        }
    }

    /// Puts a resource on the page; `false` when there is no room for it.
    pub(super) fn put(&mut self, seen: Seen) -> bool {
        self.bytes += seen.record.bytes();
        let too_large = self.bytes > PAGE_BYTES && !self.seen.is_empty();
        if too_large || self.seen.len() == self.size {
            return false;
        }
        self.seen.push(seen);
        true
    }

    /// The page, in the order of creation.
    pub(super) fn into_page(self, total: u64, more: bool) -> Page {
        let next = next(&self.seen, more);
        Page {
            seen: self.seen,
            total,
            first: 0,
            more,
            next,
        }
    }
}

/// A page in a row of matches: of those before and after it only the number is kept.
pub(super) struct Window {
    start: Start,
    seen: u64,
    filling: Filling,
    full: bool,
}

impl Window {
    pub(super) fn new(start: Start, size: usize) -> Self {
        Self {
            start,
            seen: 0,
            filling: Filling::new(size),
            full: false,
        }
    }

    /// Takes the next match, in the order of creation.
    pub(super) fn see(&mut self, seen: Seen) {
        let before = match self.start {
            Start::Offset(offset) => self.seen < offset,
            Start::After(id) | Start::AfterPlace(Place { id, .. }) => seen.record.id <= id,
        };
        self.seen += 1;
        if !before && !self.full {
            self.full = !self.filling.put(seen);
        }
    }

    pub(super) fn into_page(self) -> Page {
        self.filling.into_page(self.seen, self.full)
    }
}

/// How the page after this one is asked for, in the order of creation.
fn next(seen: &[Seen], more: bool) -> Option<Start> {
    seen.last().filter(|_| more).map(|last| Start::After(last.record.id))
}
