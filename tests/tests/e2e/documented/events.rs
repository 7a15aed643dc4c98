//! docs/traces-and-logs.md lists every record that the services write at `info` and above, by level and words: no more, no fewer. The
//! records are found in the code, as tokens.

use std::{collections::BTreeSet, fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{read, root};

/// Where each part of the page has its records from.
const PARTS: [(&str, &str); 4] = [
    ("### Every service", "service-runtime/src"),
    ("### gateway", "gateway/src"),
    ("### identity-service", "identity-service/src"),
    ("### delinea-adapter", "delinea-adapter/src"),
];
const LEVELS: [&str; 3] = ["error", "warn", "info"];

/// A level, and the words with `…` for what differs.
type Event = (String, String);

#[test]
fn every_event_of_the_log_is_documented() {
    let page = read("docs/traces-and-logs.md");
    for (title, source) in PARTS {
        let mut found = BTreeSet::new();
        events_below(&root().join(source), &mut found);
        assert!(found.len() > 5, "{source}: {found:?}");
        let listed = listed(&page, title);
        let missing: Vec<_> = found.difference(&listed).collect();
        let gone: Vec<_> = listed.difference(&found).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{title}: not on the page {missing:#?}, not in {source} {gone:#?}"
        );
    }
}

/// The rows of a part.
fn listed(page: &str, title: &str) -> BTreeSet<Event> {
    let (_, part) = page
        .split_once(&format!("\n{title}\n"))
        .unwrap_or_else(|| panic!("no part {title}"));
    let part = part.split("\n### ").next().unwrap_or_default();
    let rows = part.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (level, words) = (cells.next()?, cells.next()?);
        LEVELS.contains(&level).then(|| (level.to_owned(), words.to_owned()))
    });
    rows.collect()
}

fn events_below(folder: &Path, found: &mut BTreeSet<Event>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            events_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let tokens: TokenStream = source
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            events_in(tokens, found);
        }
    }
}

/// `info!(…)` and its like, outside tests.
fn events_in(tokens: TokenStream, found: &mut BTreeSet<Event>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut of_tests = false;
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if is_mark_of_tests(group) {
            of_tests = true;
        } else if group.delimiter() == Delimiter::Brace && of_tests {
            of_tests = false;
        } else if let Some(level) = level_before(&tokens[..at]) {
            found.extend(words(group.stream()).map(|words| (level, words)));
        } else {
            events_in(group.stream(), found);
        }
    }
}

fn is_mark_of_tests(group: &proc_macro2::Group) -> bool {
    let text: String = group.stream().to_string().split_whitespace().collect();
    group.delimiter() == Delimiter::Bracket
        && text.starts_with("cfg(")
        && text.contains("test")
        && !text.contains("not(")
}

/// The level of a macro of tracing, where these tokens end with its name.
fn level_before(tokens: &[TokenTree]) -> Option<String> {
    let [.., TokenTree::Ident(name), TokenTree::Punct(mark)] = tokens else {
        return None;
    };
    let name = name.to_string();
    (mark.as_char() == '!' && LEVELS.contains(&name.as_str())).then_some(name)
}

/// The last text among the arguments that is none of a field's: a field's has `=` before it.
fn words(arguments: TokenStream) -> Option<String> {
    let mut last = None;
    let mut before = ',';
    for token in arguments {
        match token {
            TokenTree::Literal(literal) if before == ',' => {
                let text = literal.to_string();
                last = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                    .map(in_words)
                    .or(last);
                before = ' ';
            }
            TokenTree::Punct(mark) => before = mark.as_char(),
            _ => before = ' ',
        }
    }
    last
}

/// With `…` for placeholders, and without the breaks of a text over several lines.
fn in_words(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text.split("\\\n").map(str::trim_start).collect::<String>();
    while let Some((before, after)) = rest.split_once('{') {
        words.push_str(before);
        words.push('…');
        rest = after
            .split_once('}')
            .map_or_else(String::new, |(_, after)| after.to_owned());
    }
    words.push_str(&rest);
    words
}
