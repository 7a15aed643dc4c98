//! `docs/platform.md` is held to the code: it names every call that is made, all that is not known, settings that exist and
//! tests that exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All sources below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|end| end == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// What stands between backticks in the rows of tables.
fn marked(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_call_is_in_the_table() {
    let page = read("docs/platform.md");
    let is_call = |text: &&str| {
        let (controller, method) = text.split_once('/').unwrap_or_default();
        let is_name = |name: &str| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
        is_name(controller) && is_name(method)
    };
    let code = sources(&root().join("delinea-adapter/src/platform/rpc"));
    let calls: Vec<&str> = code.split('"').skip(1).step_by(2).filter(is_call).collect();
    assert!(calls.len() > 20, "{calls:?}");
    for call in calls {
        let method = call.split_once('/').unwrap().1;
        assert!(
            page.contains(call) || page.contains(&format!("`{method}`")),
            "{call} is not in docs/platform.md"
        );
    }
}

#[test]
fn everything_that_is_not_known_has_its_row() {
    let page = read("docs/platform.md");
    for number in 1..=33 {
        let row = page.lines().filter(|line| line.starts_with(&format!("| {number} |")));
        assert_eq!(row.count(), 1, "row {number}");
    }
}

#[test]
fn settings_and_tests_that_it_names_exist() {
    let page = read("docs/platform.md");
    let settings = read("docs/configuration.md");
    let tests = ["delinea-adapter", "tests/tests"]
        .map(|folder| sources(&root().join(folder)))
        .concat();
    for word in marked(&page) {
        let is_setting = word.contains('_') && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if is_setting {
            assert!(settings.contains(&format!("`{word}`")), "{word} is no setting");
        }
        // A name that is cut short ends with an ellipsis.
        let name = word.trim_end_matches('…');
        let is_test = name.matches('_').count() > 3 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_test {
            assert!(tests.contains(&format!("fn {name}")), "there is no test {word}");
        }
    }
}
