//! `docs/configuration.md` says of every setting what the programs themselves say: its variable, its default, its meaning.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use clap::{Args, Command};

const PAGE: &str = include_str!("../../docs/configuration.md");

#[test]
fn every_setting_is_documented_as_it_is() {
    let programs = [
        ("gateway", settings::<gateway::Config>()),
        ("identity-service", settings::<identity_service::Config>()),
        ("delinea-adapter", settings::<delinea_adapter::Config>()),
        ("all-in-one", settings::<all_in_one::Options>()),
        (
            "platform-simulator",
            service_runtime::TelemetryArgs::augment_args(settings::<platform_simulator::Config>()),
        ),
        ("entra-simulator", entra_simulator::command()),
        ("admin", admin::command()),
    ];
    let mut wrong = Vec::new();
    for (program, command) in programs {
        let said: BTreeSet<String> = rows(&command).collect();
        let written: BTreeSet<String> = section(program).map(str::to_owned).collect();
        wrong.extend(
            said.difference(&written)
                .map(|row| format!("{program}, missing: {row}")),
        );
        wrong.extend(
            written
                .difference(&said)
                .map(|row| format!("{program}, stale:   {row}")),
        );
    }
    assert!(wrong.is_empty(), "docs/configuration.md:\n{}", wrong.join("\n"));
}

/// The file of docs/tenants.md is one, for both services.
#[test]
fn the_file_of_tenants_is_one_that_can_be_used() {
    let page = include_str!("../../docs/tenants.md");
    let file = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("secret"), "ab".repeat(32)).unwrap();
    let file = file
        .replace("KESTREL_PLATFORM_SECRET", "PATH")
        .replace("/run/secrets/kestrel-client-sha256", &at("secret"))
        .replace("/run/secrets/merlin-platform", &at("secret"));
    std::fs::write(at("tenants.toml"), file).unwrap();
    let command = all_in_one::Settings::command().mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
    let matches = command.get_matches_from(["all-in-one", "--tenants-file", &at("tenants.toml")]);
    let settings = all_in_one::Settings::read(&matches).unwrap();
    settings.check().unwrap();
    assert!(settings.serves_many());
}

/// With nothing set, the operator's command line finds identity-service where `make run` and its own image have it.
#[test]
fn admin_finds_identity_service_where_it_is_by_default() {
    let url = default(&admin::command(), "identity-url");
    let alone = default(&settings::<identity_service::Config>(), "listen");
    let beside = default(&all_in_one::Settings::command(), "identity-service-listen");
    assert_eq!(
        [&alone, &beside].map(|listen| format!("http://{listen}")),
        [url.clone(), url]
    );
}

fn default(command: &Command, flag: &str) -> String {
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| argument.get_long() == Some(flag)).unwrap();
    argument.get_default_values()[0].to_str().unwrap().to_owned()
}

fn settings<C: Args>() -> Command {
    C::augment_args(Command::new("settings"))
}

/// The rows of a program's table.
fn section(program: &str) -> impl Iterator<Item = &'static str> {
    let heading = format!("## {program}\n");
    let text = PAGE.split_once(&heading).map_or("", |(_, rest)| rest);
    let text = text.split("\n## ").next().unwrap_or_default();
    text.lines().filter(|line| line.starts_with("| `"))
}

/// The rows that a program's own help makes, its subcommands' included.
fn rows(command: &Command) -> impl Iterator<Item = String> {
    let nested = command.get_subcommands().flat_map(Command::get_arguments);
    command.get_arguments().chain(nested).filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?;
        let values = argument.get_default_values().iter().filter_map(|value| value.to_str());
        let default: Vec<_> = values.map(|value| format!("`{value}`")).collect();
        let help = argument.get_long_help().or(argument.get_help());
        let meaning = help.map(ToString::to_string).unwrap_or_default().replace('\n', " ");
        let possible: Vec<_> = argument
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let possible = if possible.is_empty() || possible == ["`true`", "`false`"] {
            String::new()
        } else {
            format!(" Values: {}.", possible.join(", "))
        };
        let meaning = meaning.trim_end_matches('.');
        Some(format!(
            "| `{variable}` | {} | {meaning}.{possible} |",
            default.join(",")
        ))
    })
}
