//! What deploy/prometheus and deploy/grafana ask is what the services tell, and leads to what docs/operations.md says. The modules
//! before `long` read files alone; `long` has a real Prometheus scrape the running services.

mod boards;
mod known;
mod long;
mod promql;
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the project.
fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder with that ending, sorted.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no .{ending} in {folder}");
    found
}

/// Where links can lead in docs/operations.md.
fn anchors() -> BTreeSet<String> {
    let page = read("docs/operations.md");
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// The anchor that a heading gets, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
    });
    kept.collect()
}

#[test]
fn an_anchor_is_what_a_browser_is_sent_to() {
    assert_eq!(anchor("What a delivery's state means"), "what-a-deliverys-state-means");
    assert_eq!(anchor("EntraNotServed"), "entranotserved");
    assert!(anchors().contains("common-refusals"));
}
