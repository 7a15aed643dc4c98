//! The quirks of Entra and of those who copy it, Q01 to Q47, each a promise with its number. They are sorted by what they
//! are about: paths and operations, values, sets and what clears them, whole bodies, and how requests arrive.

mod bodies;
mod merging;
mod paths;
mod queries;
mod sets;
mod transport;
mod values;
