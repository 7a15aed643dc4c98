//! Moving a tenant's state out of the file and into it, a page at a time.

mod export;
mod import;
mod place;

pub(super) use import::import;
