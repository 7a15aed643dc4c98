//! What is shipped to run the services (compose files, images, the collector's settings, Kubernetes manifests) says nothing that the
//! programs do not understand: every variable is a setting of the service it is given to, the values go together, and names,
//! ports and files are those that there are. Neither a container engine nor a cluster is needed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compose;
mod hardening;
mod images;
mod kubernetes;
mod network_policies;
mod pods;
mod settings;
mod stacks;
mod telemetry;

use std::{fs, path::PathBuf};

use serde_json::Value;

/// A path from the project's root.
fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

#[track_caller]
fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file of YAML, with what it merges.
#[track_caller]
fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names in a mapping.
fn names(mapping: &Value) -> impl Iterator<Item = &str> {
    mapping.as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

/// The entries of a list; none where there is no list.
fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A value as a variable has it.
#[track_caller]
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => panic!("{value} is no plain value"),
    }
}
