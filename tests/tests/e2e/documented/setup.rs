//! What docs/entra-setup.md and docs/entra.md say of settings, of the gateway's words and of addresses is so.

use std::{fs, path::Path};

use proto::error::ErrorReason;

use super::{
    commands::{Page, is_setting, marked},
    read, root,
};

fn pages() -> [Page; 2] {
    ["docs/entra-setup.md", "docs/entra.md"].map(Page::read)
}

/// The row of a setting, in docs/configuration.md, which is made of the settings themselves.
fn row<'a>(configuration: &'a str, setting: &str) -> Option<&'a str> {
    let begins = format!("| `{setting}` |");
    configuration.lines().find(|line| line.starts_with(&begins))
}

#[test]
fn every_setting_is_there_and_takes_the_value_that_is_named() {
    let configuration = read("docs/configuration.md");
    let mut named = 0;
    for page in pages() {
        for word in marked(&page.text) {
            let (name, value) = word
                .split_once('=')
                .map_or((word, None), |(name, value)| (name, Some(value)));
            let is_reason = ErrorReason::from_name(name).is_some();
            if !is_setting(name) || !name.contains('_') || is_reason {
                continue;
            }
            named += 1;
            let row = row(&configuration, name);
            let row = row.unwrap_or_else(|| panic!("{}: there is no setting {name}", page.name));
            let Some((value, (_, values))) = value.zip(row.split_once(" Values: ")) else {
                continue;
            };
            assert!(
                values.contains(&format!("`{value}`")),
                "{}: {word}: {values}",
                page.name
            );
        }
    }
    assert!(named > 30, "only {named} settings were understood");
}

/// All code below a folder, with texts that go over several lines in one.
fn code(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let mut parts = text.split("\\\n");
            all.push_str(parts.next().unwrap_or_default());
            parts.for_each(|part| all.push_str(part.trim_start()));
        }
    }
}

#[test]
fn what_it_quotes_of_the_gateway_the_gateway_says() {
    let mut all = String::new();
    for service in ["gateway/src", "identity-service/src", "delinea-adapter/src"] {
        code(&root().join(service), &mut all);
    }
    let mut quoted = 0;
    for page in pages() {
        let quotes = page.text.split('“').skip(1).filter_map(|rest| rest.split('”').next());
        for words in quotes {
            assert!(
                all.contains(words.trim_end_matches('.')),
                "{}: nobody says {words}",
                page.name
            );
            quoted += 1;
        }
    }
    assert!(quoted > 10, "only {quoted} were understood");
}
