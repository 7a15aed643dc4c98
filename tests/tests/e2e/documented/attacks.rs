//! The attack list of SECURITY.md is a list of tests.

use std::{collections::BTreeSet, fs};

use super::{exists, root, rows, tests_in};

/// The rows below the heading of the list: attack, what stops it, tests.
fn attacks(page: &str) -> Vec<Vec<&str>> {
    let (_, list) = page.split_once("\n## Attacks").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    rows(list).into_iter().filter(|row| row[0] != "attack").collect()
}

#[test]
fn every_attack_names_what_stops_it_and_tests_that_are_there() {
    let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let attacks = attacks(&page);
    assert!(attacks.len() > 30, "only {} rows were understood", attacks.len());
    let mut seen = BTreeSet::new();
    for row in attacks {
        let [attack, stopped_by, tests] = row[..] else {
            panic!("three cells are wanted: {row:?}");
        };
        assert!(seen.insert(attack), "{attack} is there twice");
        assert!(!stopped_by.is_empty(), "{attack}: what stops it?");
        let named = tests_in(tests);
        assert!(!named.is_empty(), "{attack}: no test is named");
        let marked = tests.split('`').skip(1).step_by(2).count();
        assert_eq!(named.len(), marked, "{attack}: a test of an unknown crate in {tests}");
        for test in named {
            assert!(exists(test), "{attack}: there is no test {test}");
        }
    }
}
