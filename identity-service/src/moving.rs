//! Moving a tenant between stores: `export` writes its entries to a file of JSON lines, `import` puts them into an empty
//! store of any engine, and both compare the counts. docs/moving.md describes the file.
//!
//! This module knows the file and how to go on after an interruption; what an entry means is the store's.

mod bar;
mod command;
mod counts;
mod error;
mod export;
mod file;
mod import;

pub(crate) use command::{commands, run};
pub use counts::Counts;
pub use error::MovingError;
pub use export::export;
pub use file::{Footer, Header, Origin};
pub use import::import;
