//! Every command line that a page shows is one that the program takes.

use std::{collections::BTreeSet, fs};

use clap::{Args, Command, error::ErrorKind};
use service_runtime::command as service;

use super::root;

/// A page: its text, and the shell blocks below each heading.
pub(super) struct Page {
    pub(super) name: String,
    pub(super) text: String,
}

impl Page {
    pub(super) fn read(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: fs::read_to_string(root().join(name)).unwrap(),
        }
    }

    /// What stands below a heading, up to the next one of any level.
    pub(super) fn section(&self, heading: &str) -> &str {
        let start = self.text.find(&format!("# {heading}\n"));
        let start = start.unwrap_or_else(|| panic!("{}: no heading {heading}", self.name));
        let rest = &self.text[start + heading.len() + 3..];
        let mut in_block = false;
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            in_block ^= line.starts_with("```");
            if line.starts_with('#') && !in_block {
                break;
            }
            end += line.len();
        }
        &rest[..end]
    }
}

/// The command lines of the shell blocks of a text; a line that ends with a backslash goes on.
pub(super) fn command_lines(text: &str) -> Vec<String> {
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines = blocks.map(|block| block.replace("\\\n", " "));
    let lines = lines.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| !words(line).is_empty()).collect()
}

/// The words of a command line, up to what the shell would take for itself: a comment, a pipe, another command.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '|' | '>' | ';' | '&' | '<') => break,
            (None, c) if c.is_whitespace() => all.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// A program of ours and its arguments, however the line starts it: by Cargo, in a container, with variables before it. `None` for
/// what is not ours.
pub(super) fn of_ours(line: &str) -> Option<Vec<String>> {
    let mut words = words(line);
    let is_variable = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_setting(name));
    let first = words.iter().position(|word| !is_variable(word))?;
    words.drain(..first);
    if words.starts_with(&["cargo".to_owned(), "run".to_owned()]) {
        words.drain(..2);
        words.retain(|word| word != "--bin" && word != "--");
    } else if words.starts_with(&["docker".to_owned(), "compose".to_owned()]) {
        let at = words.iter().position(|word| word == "exec" || word == "run")?;
        let service = at + 1 + words[at + 1..].iter().position(|word| !word.starts_with('-'))?;
        let is_exec = words[at] == "exec";
        words.drain(..=if is_exec { service } else { service - 1 });
    }
    let is_ours = programs()
        .iter()
        .any(|program| program.get_name() == words.first().unwrap());
    is_ours.then_some(words)
}

/// `GRPC_TOKEN`.
pub(super) fn is_setting(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// What each program takes.
fn programs() -> Vec<Command> {
    vec![
        ::admin::command(),
        service::<gateway::Service>(),
        service::<identity_service::IdentityService>(),
        service::<delinea_adapter::DelineaAdapter>(),
        platform_simulator::Config::augment_args(Command::new("platform-simulator")),
        entra_simulator::command(),
    ]
}

/// Why a program would not take the line; nothing is read from the environment. Running text may leave out what a command needs.
fn refusal(words: &[String], is_whole: bool) -> Option<String> {
    use ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument, MissingSubcommand};
    let lacks = [
        DisplayHelpOnMissingArgumentOrSubcommand,
        MissingRequiredArgument,
        MissingSubcommand,
    ];
    let mut programs = programs().into_iter();
    let program = programs.find(|program| program.get_name() == words[0]).unwrap();
    let without = |argument: clap::Arg| argument.env(clap::builder::Resettable::Reset).required(false);
    let program = program
        .mut_args(without)
        .mut_subcommands(move |command| command.mut_args(without));
    let refused = program.try_get_matches_from(words).err();
    let refused = refused.filter(clap::Error::use_stderr);
    let refused = refused.filter(|error| is_whole || !lacks.contains(&error.kind()));
    refused.map(|error| error.to_string())
}

/// All pages that people read.
pub(super) fn pages() -> Vec<Page> {
    let mut names: Vec<_> = ["README.md", "SECURITY.md", "platform-simulator/README.md"]
        .map(str::to_owned)
        .into();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.iter().map(|name| Page::read(name)).collect()
}

/// What stands between backticks in running text.
pub(super) fn marked(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_command_line_of_a_page_is_one_that_the_program_takes() {
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for page in pages() {
        // In running text a command may be cut short by an ellipsis.
        let named = marked(&page.text).into_iter().filter(|text| !text.contains('…'));
        let named = named.filter(|text| text.starts_with("admin ") || text.starts_with("delinea-adapter "));
        let named = named.map(|line| (line.to_owned(), false));
        let lines = command_lines(&page.text).into_iter().map(|line| (line, true));
        for (line, is_whole) in named.chain(lines) {
            let Some(words) = of_ours(&line) else { continue };
            if let Some(reason) = refusal(&words, is_whole) {
                wrong.push(format!("{}: {line}\n{reason}", page.name));
            }
            tried.insert(words);
        }
    }
    assert!(tried.len() > 30, "only {} were understood", tried.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refusal(&["admin".to_owned(), "tokens".to_owned()], false).is_some());
}

#[test]
fn a_line_is_read_as_the_shell_does() {
    let line = r#"A=b docker compose exec identity-service admin show 'a "b" c' --json | jq . # x"#;
    assert_eq!(of_ours(line).unwrap(), ["admin", "show", r#"a "b" c"#, "--json"]);
    let line = "cargo run --bin delinea-adapter -- check --domains example.com";
    assert_eq!(
        of_ours(line).unwrap(),
        ["delinea-adapter", "check", "--domains", "example.com"]
    );
    assert_eq!(of_ours("curl -s http://127.0.0.1"), None);
    assert_eq!(of_ours("# only a comment"), None);
}
