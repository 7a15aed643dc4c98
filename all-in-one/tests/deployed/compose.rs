//! The compose files as Compose reads them: several on top of each other, their variables replaced. And what holds for each of the
//! combinations that `STACK` can choose.

use std::{collections::BTreeMap, fs};

use clap::{Args, Command};
use serde_json::{Map, Value};

use super::settings::{self, Environment, TOKEN};
use super::{entries, images, names, plain, text, yaml};

pub(crate) const BASE: &str = "docker-compose.yml";
pub(crate) const REAL: &str = "docker-compose.real.yml";
pub(crate) const SCALE: &str = "docker-compose.scale.yml";
pub(crate) const OBSERVE: &str = "docker-compose.observe.yml";
/// In the order in which `STACK` puts them on top of each other.
pub(crate) const FILES: [&str; 4] = [BASE, SCALE, OBSERVE, REAL];

/// The combinations.
pub(crate) const STACKS: [&[&str]; 6] = [
    &[BASE],
    &[BASE, REAL],
    &[BASE, SCALE],
    &[BASE, OBSERVE],
    &[BASE, SCALE, OBSERVE],
    &FILES,
];

/// What `.env` has of what must be set.
const DECIDED: [(&str, &str); 6] = [
    ("GRPC_TOKEN", TOKEN),
    (
        "BEARER_TOKEN_SHA256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("PLATFORM_CLIENT_SECRET", "secret"),
    ("PLATFORM_URL", "https://example.delinea.app"),
    ("PLATFORM_CLIENT_ID", "scim-gateway@example.com"),
    ("GRAFANA_PASSWORD", "secret"),
];

/// The files on top of each other.
pub(crate) fn stack(files: &[&str]) -> Value {
    let mut whole = Value::Object(Map::new());
    for file in files {
        put_on(&mut whole, yaml(file), "");
    }
    whole
}

/// Mappings are joined, lists are added to, and the rest is replaced. A volume takes the place of another at the same path.
fn put_on(below: &mut Value, above: Value, key: &str) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                put_on(below.entry(&name).or_insert(Value::Null), value, &name);
            }
        }
        (Value::Array(below), Value::Array(above)) if key != "command" => {
            let at = |volume: &Value| {
                volume
                    .as_str()
                    .and_then(|text| text.split(':').nth(1))
                    .map(str::to_owned)
            };
            if key == "volumes" {
                below.retain(|volume| above.iter().all(|other| at(other) != at(volume)));
            }
            below.extend(above);
        }
        (below, above) => *below = above,
    }
}

/// The services of a stack that are started, but for tools that are run by hand.
pub(crate) fn started(stack: &Value) -> BTreeMap<&str, &Value> {
    let services = stack["services"].as_object().unwrap().iter();
    let started = services.filter(|(_, service)| service["profiles"].is_null() && service["deploy"]["replicas"] != 0);
    started.map(|(name, service)| (name.as_str(), service)).collect()
}

/// Whether a service does one thing and ends.
pub(crate) fn ends(service: &Value) -> bool {
    service["restart"] == "no"
}

/// The program in a service's image, if it is one of ours.
pub(crate) fn program(service: &Value) -> Option<&str> {
    let image = service["image"].as_str().unwrap();
    image.strip_prefix("scim-gateway/")?.split(':').next()
}

/// The environment that a service of ours is given, with what its image has. A secret's file has something in it.
pub(crate) fn environment(stack: &Value, service: &Value, secrets: &tempfile::TempDir) -> Environment {
    let given = service["environment"].as_object().unwrap().iter();
    let given = given.map(|(name, value)| (name.clone(), substituted(&plain(value))));
    let given = given.map(|(name, value)| {
        let Some(secret) = value.strip_prefix("/run/secrets/") else {
            return (name, value);
        };
        assert!(
            entries(&service["secrets"]).any(|granted| granted == secret),
            "{secret}"
        );
        assert!(!stack["secrets"][secret]["file"].is_null(), "{secret}");
        let file = secrets.path().join(secret);
        fs::write(&file, "secret").unwrap();
        (name, file.display().to_string())
    });
    images::variables().into_iter().chain(given).collect()
}

/// Each `${…}` of a text: its name, and the default that stands with it.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split("${").skip(1).map(|rest| {
        let inner = rest.split_once('}').unwrap().0;
        match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (
                inner
                    .split_once(":?")
                    .unwrap_or_else(|| panic!("{inner}: neither a default nor a reason"))
                    .0,
                None,
            ),
        }
    })
}

/// What is decided, or else the default.
pub(crate) fn substituted(value: &str) -> String {
    let mut value = value.to_owned();
    while let Some(from) = value.find("${") {
        let to = from + value[from..].find('}').unwrap();
        let (name, default) = variables(&value[from..]).next().unwrap();
        let decided = || DECIDED.iter().find(|(decided, _)| *decided == name).unwrap().1;
        let instead = default.unwrap_or_else(decided).to_owned();
        value.replace_range(from..=to, &instead);
    }
    value
}

#[test]
fn each_service_is_given_settings_that_it_knows_and_that_go_together() {
    let secrets = tempfile::tempdir().unwrap();
    for files in STACKS {
        let stack = stack(files);
        let mut seen = 0;
        for (name, service) in stack["services"].as_object().unwrap() {
            let Some(program) = program(service).filter(|program| *program != "balancer") else {
                continue;
            };
            seen += 1;
            let mut environment = environment(&stack, service, &secrets);
            if program.ends_with("-simulator") {
                // Of the services' image; a simulator has no use for it.
                environment.remove("OPS_LISTEN").unwrap();
            }
            match program {
                "platform-simulator" => {
                    let command = platform_simulator::Config::augment_args(Command::new("platform-simulator"));
                    settings::parse(&command, &environment).unwrap();
                }
                "entra-simulator" => {
                    let command = entra_simulator::command();
                    let parsed = settings::parse(command.find_subcommand("sync").unwrap(), &environment);
                    // It has nobody to call there.
                    assert_ne!(parsed.is_ok(), files.contains(&REAL));
                }
                program => settings::check(program, &environment).unwrap_or_else(|error| panic!("{name}: {error}")),
            }
        }
        assert!(seen >= 5, "{files:?}");
    }
}

#[test]
fn what_a_stack_mounts_joins_and_waits_for_is_there() {
    for files in STACKS {
        let stack = stack(files);
        for (name, service) in started(&stack) {
            for volume in entries(&service["volumes"]).map(plain) {
                let source = volume.split(':').next().unwrap();
                let is_there = match source.strip_prefix("./") {
                    Some(file) => super::path(file).exists(),
                    None => names(&stack["volumes"]).any(|volume| volume == source),
                };
                assert!(is_there, "{name}: {source}");
            }
            let listed = entries(&service["networks"]).map(|network| network.as_str().unwrap());
            for network in listed
                .chain(names(&service["networks"]))
                .filter(|network| *network != "default")
            {
                assert!(
                    names(&stack["networks"]).any(|there| there == network),
                    "{name}: {network}"
                );
            }
            for dependency in names(&service["depends_on"]) {
                let other = *started(&stack)
                    .get(dependency)
                    .unwrap_or_else(|| panic!("{name}: {dependency}"));
                let condition = match ends(other) {
                    true => "service_completed_successfully",
                    false => "service_healthy",
                };
                assert!(ends(other) || super::hardening::tells_its_health(other), "{name}");
                assert_eq!(
                    service["depends_on"][dependency]["condition"], condition,
                    "{name}: {dependency}"
                );
            }
        }
    }
}

/// A person finds every variable in .env.example, with a sentence, and nothing that does nothing.
#[test]
fn the_example_of_env_has_each_variable_with_a_sentence_and_its_default() {
    let example = text(".env.example");
    let mut described = BTreeMap::new();
    let mut above = "";
    for line in example.lines() {
        if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            assert!(
                above.starts_with("# ") && above.ends_with('.') || above.ends_with("(scale)."),
                "{name}: {above}"
            );
            assert!(
                described.insert(name.to_owned(), value.to_owned()).is_none(),
                "{name} stands there twice"
            );
        }
        above = line;
    }
    // Compose's own.
    assert_eq!(described.remove("COMPOSE_FILE").as_deref(), Some(BASE));

    let mut used = BTreeMap::<String, Vec<Option<String>>>::new();
    for file in FILES {
        let text = text(file);
        let text: Vec<_> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect();
        for (name, default) in variables(&text.join("\n")) {
            used.entry(name.to_owned())
                .or_default()
                .push(default.map(str::to_owned));
        }
    }
    let said: Vec<_> = described.keys().collect();
    assert_eq!(said, used.keys().collect::<Vec<_>>());
    for (name, mut defaults) in used {
        defaults.dedup();
        // What files disagree about, or what must be decided, has no default.
        let default = match &defaults[..] {
            [Some(default)] => default.as_str(),
            _ => "",
        };
        assert_eq!(described[&name], default, "{name}");
    }
}
