//! Documentation is held to what the programs themselves say of their settings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod configuration;

use clap::{Args, Command};

/// The file of docs/tenants.md is one, for both services.
#[test]
fn the_file_of_tenants_is_one_that_can_be_used() {
    let page = include_str!("../../../docs/tenants.md");
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
