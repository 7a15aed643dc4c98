//! What goes on a page: at most so many resources, and no more than a message holds.

use super::{Page, Place, Start};
use crate::record::Record;

/// How many bytes the resources of a page have together: more do not fit into one message. A page with one resource is
/// never too large.
pub const PAGE_BYTES: usize = 16 << 20;
/// The records of a page, until it is full.
pub(super) struct Filling {
    size: usize,
    bytes: usize,
    pub(super) records: Vec<Record>,
}

impl Filling {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            bytes: 0,
            records: Vec::new(),
        }
    }

    /// Puts a record on the page; `false` when there is no room for it.
    pub(super) fn put(&mut self, record: Record) -> bool {
        self.bytes += record.bytes();
        let too_large = self.bytes > PAGE_BYTES && !self.records.is_empty();
        if too_large || self.records.len() == self.size {
            return false;
        }
        self.records.push(record);
        true
    }

    /// The page, in the order of creation.
    pub(super) fn into_page(self, total: u64, more: bool) -> Page {
        let next = next(&self.records, more);
        Page {
            records: self.records,
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
    pub(super) fn see(&mut self, record: Record) {
        let before = match self.start {
            Start::Offset(offset) => self.seen < offset,
            Start::After(id) | Start::AfterPlace(Place { id, .. }) => record.id <= id,
        };
        self.seen += 1;
        if !before && !self.full {
            self.full = !self.filling.put(record);
        }
    }

    pub(super) fn into_page(self) -> Page {
        self.filling.into_page(self.seen, self.full)
    }
}

/// How the page after this one is asked for, in the order of creation.
fn next(records: &[Record], more: bool) -> Option<Start> {
    records.last().filter(|_| more).map(|record| Start::After(record.id))
}
