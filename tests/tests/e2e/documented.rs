//! docs/conformance.md and SECURITY.md promise tests by their names. Each must be there, and each request, quirk and attack must
//! have its row. Commands, links and settings of all pages are held to the programs, and docs/entra-setup.md is walked through.

mod attacks;
mod commands;
mod events;
mod links;
mod setup;
mod walk_through;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Where the tests of a crate stand, by the name that the page gives it.
const CRATES: [(&str, &[&str]); 9] = [
    ("e2e", &["tests/tests/e2e"]),
    ("gateway", &["gateway/src", "gateway/tests"]),
    ("scim", &["scim/src", "scim/tests"]),
    ("identity", &["identity-service/src", "identity-service/tests/it"]),
    ("adapter", &["delinea-adapter/src", "delinea-adapter/tests/it"]),
    ("runtime", &["service-runtime/src", "service-runtime/tests"]),
    ("proto", &["proto/src", "proto/tests"]),
    ("all-in-one", &["all-in-one/src", "all-in-one/tests"]),
    ("torture", &["tests/torture/src", "tests/torture/tests"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the project; nothing where there is none.
fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

fn page() -> String {
    fs::read_to_string(root().join("docs/conformance.md")).unwrap()
}

/// The cells of each row of each table.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let lines = page
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    lines
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// Names of tests in a text: `crate::module::test` between backticks.
fn tests_in(text: &str) -> Vec<&str> {
    let marked = text.split('`').skip(1).step_by(2);
    marked
        .filter(|name| CRATES.iter().any(|(of, _)| name.starts_with(&format!("{of}::"))))
        .collect()
}

/// Whether a test of this name is there: marked as one, in the file of its module or of the module around it.
fn exists(name: &str) -> bool {
    let mut parts: Vec<_> = name.split("::").collect();
    let (of, function) = (parts.remove(0), parts.pop().unwrap());
    let (_, folders) = CRATES.iter().find(|(known, _)| *known == of).unwrap();
    let around = parts.len().saturating_sub(1);
    let modules = [parts.join("/"), parts[..around].join("/")];
    let mut files = folders
        .iter()
        .flat_map(|folder| modules.iter().map(move |module| format!("{folder}/{module}.rs")));
    // A suite that runs over several engines lists its tests, each on a line, in the module around them.
    let around = folders
        .iter()
        .map(|folder| format!("{folder}/{}.rs", modules[1]))
        .any(|file| read(&file).lines().any(|line| line.trim() == function));
    let suite = format!("pub(super) async fn {function}(");
    files.any(|file| {
        let text = read(&file);
        if around && text.lines().any(|line| line.starts_with(&suite)) {
            return true;
        }
        let mut lines = text.lines().map(str::trim);
        let mut marked = false;
        lines.any(|line| {
            let found = marked
                && line
                    .split("fn ")
                    .nth(1)
                    .is_some_and(|rest| rest.starts_with(&format!("{function}(")));
            let is_mark = line.contains("test]") || line.contains("test(");
            marked = is_mark && line.starts_with("#[") || marked && (line.starts_with("#[") || line.starts_with("//"));
            found
        })
    })
}

/// Every test in a folder whose name begins with a letter and two digits.
fn numbered(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            numbered(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.trim().strip_prefix("async fn "));
            let names = names.filter_map(|rest| rest.split_once("()").map(|(name, _)| name));
            found.extend(names.filter(|name| number(name).is_some()).map(str::to_owned));
        }
    }
}

/// `R07` of `r07_a_user_is_created`.
fn number(name: &str) -> Option<String> {
    let (number, _) = name.split_once('_')?;
    let digits = number.strip_prefix(['r', 'q'])?;
    (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| number.to_uppercase())
}

/// `§3.4.2`, and not the heading of the column.
fn is_section(cell: &str) -> bool {
    cell.strip_prefix('§')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = page();
    let names: BTreeSet<_> = tests_in(&page).into_iter().collect();
    assert!(names.len() > 100, "only {} names were understood", names.len());
    let missing: Vec<_> = names.into_iter().filter(|name| !exists(name)).collect();
    assert!(
        missing.is_empty(),
        "docs/conformance.md names tests that are not there: {missing:#?}"
    );
    assert!(!exists("e2e::documented::a_test_that_is_not_there"));
    assert!(!exists("e2e::documented::exists"), "a function is not a test");
}

#[test]
fn every_rule_has_a_level_and_an_answer_and_every_yes_a_test() {
    let page = page();
    let mut rules = 0;
    for row in rows(&page).into_iter().filter(|row| is_section(row[0])) {
        let [section, rule, level, answer, tests] = row[..] else {
            panic!("five cells are wanted: {row:?}");
        };
        rules += 1;
        let levels = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];
        assert!(levels.contains(&level), "{section} {rule}: {level}");
        match answer.split([':', ';']).next().unwrap() {
            "yes" => assert!(!tests_in(tests).is_empty(), "{section} {rule}: no test is named"),
            "deviation" | "does not apply" => assert!(answer.len() > 20, "{section} {rule}: the reason is missing"),
            other => panic!("{section} {rule}: {other}"),
        }
    }
    assert!(rules >= 100, "only {rules} rules were understood");
}

#[test]
fn every_request_and_every_quirk_has_its_row_and_its_tests() {
    let page = page();
    let mut there = BTreeSet::new();
    numbered(&root().join("tests/tests/e2e/entra"), &mut there);
    let wanted = (1..=18)
        .map(|n| format!("R{n:02}"))
        .chain((1..=47).map(|n| format!("Q{n:02}")));
    for wanted in wanted {
        let rows = rows(&page)
            .into_iter()
            .filter(|row| row[0] == wanted)
            .collect::<Vec<_>>();
        assert_eq!(rows.len(), 1, "{wanted} has its one row");
        let named = tests_in(rows[0].last().unwrap());
        let own = named
            .iter()
            .filter_map(|name| number(name.rsplit("::").next().unwrap()));
        assert!(
            own.clone().any(|number| number == wanted),
            "{wanted} names no test of its own: {named:?}"
        );
        for test in there.iter().filter(|test| number(test).as_ref() == Some(&wanted)) {
            assert!(
                named.iter().any(|name| name.ends_with(&format!("::{test}"))),
                "{test} is not named"
            );
        }
    }
}
