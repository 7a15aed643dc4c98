//! `docker-compose.yml` and `Dockerfile` say nothing that the programs do not understand: every variable is a setting of the
//! service it is given to, and the values go together. No container engine is needed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, error::Error};

use clap::{Args, Command, FromArgMatches, builder::Resettable};
use service_runtime::Service;

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");
const IGNORED: &str = include_str!("../../.dockerignore");
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// What `.env` has of what must be set.
const DECIDED: [(&str, &str); 3] = [
    ("GRPC_TOKEN", "a-token-of-at-least-thirty-two-characters"),
    (
        "BEARER_TOKEN_SHA256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("PLATFORM_CLIENT_SECRET", "secret"),
];

#[test]
fn each_service_is_given_settings_that_it_knows_and_that_go_together() {
    let mut services = services();
    assert!(services.remove("redis").unwrap().is_empty());
    let mut given = |name: &str| {
        let mut settings = services.remove(name).unwrap();
        assert!(!settings.is_empty(), "{name}");
        // The image's own.
        settings.extend(image_settings());
        settings
    };
    for outcome in [
        check::<gateway::Service>(&given("gateway")),
        check::<identity_service::IdentityService>(&given("identity-service")),
        check::<delinea_adapter::DelineaAdapter>(&given("delinea-adapter")),
    ] {
        outcome.unwrap();
    }

    let simulator = services.remove("platform-simulator").unwrap();
    let command = platform_simulator::Config::augment_args(Command::new("platform-simulator"));
    command
        .clone()
        .try_get_matches_from(line(&command, &simulator))
        .unwrap();
    let entra = services.remove("entra-simulator").unwrap();
    let command = entra_simulator::command();
    let sync = command.find_subcommand("sync").unwrap();
    sync.clone().try_get_matches_from(line(sync, &entra)).unwrap();
    assert!(services.is_empty(), "{services:?}");
}

/// A container that is taken over can change no program, and gains no right.
#[test]
fn containers_of_ours_run_as_a_plain_user_on_a_file_system_that_they_cannot_write() {
    let (_, shared) = COMPOSE.split_once("\nx-image: &image\n").unwrap();
    let (shared, _) = shared.split_once("\n\n").unwrap();
    for line in [
        "  read_only: true",
        "  cap_drop:\n    - ALL",
        "  security_opt:\n    - no-new-privileges:true",
    ] {
        assert!(shared.contains(line), "{line}");
    }
    let (_, services) = COMPOSE.split_once("\nservices:\n").unwrap();
    let ours: Vec<_> = services
        .split("\n\n")
        .filter(|text| text.contains("image: scim-gateway/"))
        .collect();
    assert_eq!(ours.len(), 5);
    for service in ours {
        assert!(service.contains("    <<: *image\n"), "{service}");
        for opened in ["read_only:", "cap_add:", "privileged:", "user:", "security_opt:"] {
            assert!(!service.contains(opened), "{service}");
        }
    }
    let user = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("USER "))
        .next_back();
    assert!(
        user.is_some_and(|user| !user.starts_with("root") && !user.starts_with("0:")),
        "{user:?}"
    );
}

/// Parses the settings and checks them as the service does before it starts.
fn check<S: Service>(settings: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    let command = S::Config::augment_args(Command::new(S::NAME));
    let line = line(&command, settings);
    // What the machine of this test has set does not count.
    let command = command.mut_args(|argument| argument.env(Resettable::Reset));
    let config = S::Config::from_arg_matches(&command.try_get_matches_from(line)?)?;
    Ok(S::check(&config)?)
}

/// The settings as a command line.
#[track_caller]
fn line(command: &Command, settings: &BTreeMap<String, String>) -> Vec<String> {
    let flag = |variable: &str| {
        let mut arguments = command.get_arguments();
        let found = arguments.find(|argument| argument.get_env().is_some_and(|env| env == variable));
        let found = found.unwrap_or_else(|| panic!("{variable} is no setting of {}", command.get_name()));
        found.get_long().unwrap().to_owned()
    };
    let flags = settings.iter().map(|(name, value)| (flag(name), value));
    // An empty variable counts as not set.
    let flags = flags.filter(|(_, value)| !value.is_empty());
    let flags = flags.map(|(flag, value)| format!("--{flag}={value}"));
    [command.get_name().to_owned()].into_iter().chain(flags).collect()
}

/// The environment of each service. The file is read by its indentation, which is all of YAML that it needs.
fn services() -> BTreeMap<String, BTreeMap<String, String>> {
    let (_, text) = COMPOSE.split_once("\nservices:\n").unwrap();
    let mut services = BTreeMap::<_, BTreeMap<_, _>>::new();
    let (mut service, mut section) = (String::new(), "");
    // The next key without indentation ends the services.
    let ours = text.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    for line in ours.filter(|line| !line.trim_start().starts_with('#')) {
        let content = line.trim();
        match line.len() - line.trim_start().len() {
            2 => {
                content.trim_end_matches(':').clone_into(&mut service);
                services.insert(service.clone(), BTreeMap::new());
            }
            4 => section = content,
            6 if section == "environment:" => {
                let (name, value) = content.split_once(": ").unwrap();
                let settings = services.get_mut(&service).unwrap();
                settings.insert(name.to_owned(), substituted(value).to_owned());
            }
            _ => {}
        }
    }
    services
}

/// `${NAME:-default}` is the default, and `${NAME:?reason}` what `.env` has.
fn substituted(value: &str) -> &str {
    let Some(inner) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return value;
    };
    match inner.split_once(":-") {
        Some((_, default)) => default,
        None => {
            let (name, _) = inner.split_once(":?").unwrap();
            DECIDED.iter().find(|(decided, _)| *decided == name).unwrap().1
        }
    }
}

fn image_settings() -> impl Iterator<Item = (String, String)> {
    let variables = DOCKERFILE.lines().filter_map(|line| line.strip_prefix("ENV "));
    variables.map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    })
}

#[test]
fn the_image_is_built_from_the_whole_workspace() {
    let members = WORKSPACE
        .split_once("members = [")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    let members: Vec<_> = members
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
        .collect();
    assert!(members.contains(&"gateway"));
    for member in members.iter().filter(|member| !member.is_empty()) {
        let folder = member.split('/').next();
        let is_sent = IGNORED.lines().any(|line| line.strip_prefix('!') == folder);
        assert!(is_sent, ".dockerignore keeps {member} from the builder");
    }
    for service in services().keys().filter(|service| *service != "redis") {
        assert!(DOCKERFILE.contains(&format!("--package {service}")), "{service}");
        assert!(COMPOSE.contains(&format!("SERVICE: {service}\n")), "{service}");
    }
    assert!(
        DOCKERFILE.contains("--package admin;"),
        "the operator's command line is built too"
    );
}
