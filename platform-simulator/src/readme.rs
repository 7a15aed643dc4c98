//! The README says of profiles, faults and calls what the code does.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api;
use crate::faults::{Fault, FaultRule};
use crate::profile::{NAMES, Profile};

const README: &str = include_str!("../README.md");

/// What stands under a heading, its own sub-headings included.
fn section(heading: &str) -> &'static str {
    let level = heading.split(' ').next().unwrap();
    let start = README
        .find(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    let text = &README[start + 1 + heading.len()..];
    let ends = (1..=level.len()).map(|n| format!("\n{} ", "#".repeat(n)));
    let end = ends.filter_map(|end| text.find(&end)).min();
    &text[..end.unwrap_or(text.len())]
}

/// The cells of the rows of the tables in this text whose first cell is code.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| {
        line.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().trim_matches('`'))
            .collect()
    })
}

fn json_block(text: &str) -> Value {
    let block = text
        .split_once("```json\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .unwrap()
        .0;
    serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"))
}

fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else {
        panic!("{value}")
    };
    fields
}

#[test]
fn every_field_is_there_with_its_default() {
    let text = section("## Fields");
    let text = &text[..text.find("\n### Texts").unwrap()];
    let mut told = Map::new();
    let mut all = fields(json!(Profile::default()));
    all.insert("texts".to_owned(), Value::Null);
    for row in rows(text) {
        assert!(row[2].len() > 10, "{row:?} says nothing");
        let default = if row[0] == "texts" {
            Value::Null
        } else {
            serde_json::from_str(row[1]).unwrap()
        };
        assert!(told.insert(row[0].to_owned(), default).is_none(), "{row:?} twice");
    }
    assert_eq!(Value::Object(told), Value::Object(all));
    let texts: Map<_, _> = rows(section("### Texts"))
        .map(|row| (row[0].to_owned(), json!(row[1])))
        .collect();
    assert_eq!(Value::Object(texts), json!(Profile::default().texts));
}

#[test]
fn every_named_profile_is_what_it_is_said_to_be() {
    for name in NAMES {
        let said = Profile::from_fields(fields(json_block(section(&format!("### {name}"))))).unwrap();
        let is = Profile {
            extends: None,
            ..Profile::named(name).unwrap()
        };
        assert_eq!(json!(said), json!(is), "{name}");
    }
    let headings = section("## Profiles")
        .lines()
        .filter_map(|line| line.strip_prefix("### "));
    assert_eq!(headings.collect::<Vec<_>>(), NAMES);
    Profile::from_fields(fields(json_block(section("## Profiles")))).unwrap();
}

#[test]
fn every_fault_and_every_part_of_a_rule_is_told() {
    let said: BTreeSet<_> = rows(section("## Faults")).map(|row| row[0].to_owned()).collect();
    let whole = FaultRule {
        about: Some("x".to_owned()),
        retry_after_s: Some(1),
        delay_ms: Some(1),
        status: Some(500),
        message: Some("x".to_owned()),
        after: true,
        error_id: Some("x".to_owned()),
        ..FaultRule::new("*", Fault::Drop)
    };
    let parts = fields(json!(whole)).into_iter().map(|(name, _)| name);
    let kinds = Fault::ALL.iter().map(|fault| FaultRule::new("*", *fault).name());
    assert_eq!(said, parts.chain(kinds).collect());
    let example: FaultRule = serde_json::from_value(json_block(section("## Faults"))).unwrap();
    example.check().unwrap();
}

#[test]
fn every_call_is_told() {
    let text = section("## Calls");
    let mut said = BTreeSet::new();
    for row in rows(text) {
        match row[0] {
            rest if rest.starts_with("entities/") || rest.starts_with("users") => {
                said.insert(row[1].to_owned());
            }
            controller => said.extend(row[1].split("`, `").map(|method| format!("{controller}/{method}"))),
        }
    }
    let scim = text
        .lines()
        .filter_map(|line| line.strip_prefix("- `scim:")?.strip_suffix('`'));
    said.extend(scim.map(|operation| format!("scim:{operation}")));
    let is: BTreeSet<_> = api::names().into_iter().map(str::to_owned).collect();
    assert_eq!(said, is);
}

#[test]
fn the_example_of_a_transcript_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let line = json_block(section("## Replay")).to_string();
    std::fs::write(folder.path().join("tenant.jsonl"), line).unwrap();
    assert_eq!(crate::replay::Replay::read(folder.path()).unwrap().len(), 1);
}
