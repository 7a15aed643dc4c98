//! The manifests of deploy/kubernetes, and the settings in them: those that services know, and placeholders that nobody can start with
//! by mistake. That they are manifests at all is checked by scripts/kubernetes.sh.

use std::{error::Error, fs};

use clap::Args;
use serde_json::Value;

use super::settings::{self, Environment, TOKEN};
use super::{entries, images, plain, text};

const FOLDER: &str = "deploy/kubernetes";
pub(crate) const SERVICES: [&str; 3] = ["gateway", "identity-service", "delinea-adapter"];
/// What stands where a deployment has to say something.
const PLACEHOLDER: &str = "REPLACE-ME";

/// The documents of a folder's files, in their order.
pub(crate) fn documents(folder: &str) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(super::path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let documents = |file: &std::path::PathBuf| -> Vec<Value> {
        let text = fs::read_to_string(file).unwrap();
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().flat_map(documents).collect()
}

/// What `kubectl apply -f deploy/kubernetes` makes.
pub(crate) fn applied() -> Vec<Value> {
    documents(FOLDER)
}

/// What is applied by choice.
pub(crate) fn chosen(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(&format!("{FOLDER}/choose/{file}.yaml"))).unwrap()
}

#[track_caller]
pub(crate) fn named<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = documents
        .iter()
        .filter(|document| document["kind"] == kind && document["metadata"]["name"] == name);
    let document = found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} is there twice");
    document
}

/// The one container of a deployment's pods.
pub(crate) fn container(deployment: &Value) -> &Value {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The environment of a service with a choice of how it is reached; a secret's files are those of `secrets`.
fn environment(service: &str, choice: Option<&str>, secrets: &tempfile::TempDir) -> Environment {
    let mut documents = applied();
    for file in choice.into_iter().chain(["traces"]) {
        documents.extend(chosen(file));
    }
    let deployment = named(&documents, "Deployment", service);
    let mut environment: Environment = images::variables().into_iter().collect();
    let container = container(deployment);
    assert!(container["env"].is_null() && container["command"].is_null() && container["args"].is_null());
    for source in entries(&container["envFrom"]) {
        let map = &source["configMapRef"];
        let name = plain(&map["name"]);
        if map["optional"] == true
            && documents
                .iter()
                .all(|it| it["kind"] != "ConfigMap" || it["metadata"]["name"] != name)
        {
            continue;
        }
        let data = named(&documents, "ConfigMap", &name)["data"].as_object().unwrap();
        environment.extend(
            data.iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())),
        );
    }
    let secret_files = environment
        .values_mut()
        .filter(|value| value.starts_with("/etc/scim-gateway/"));
    for value in secret_files {
        let (folder, key) = value.rsplit_once('/').unwrap();
        let mount = entries(&container["volumeMounts"]).find(|mount| mount["mountPath"] == folder);
        let mount = mount.unwrap_or_else(|| panic!("{service}: nothing is mounted at {folder}"));
        let mut volumes = entries(&deployment["spec"]["template"]["spec"]["volumes"]);
        let volume = volumes.find(|volume| volume["name"] == mount["name"]).unwrap();
        let file = format!("{}-{key}", plain(&volume["secret"]["secretName"]));
        *value = secrets.path().join(file).display().to_string();
    }
    environment
}

/// Files of secrets: what a deployment has, or the placeholder for the one named so.
fn secrets(left: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, content: &str| fs::write(folder.path().join(file), content).unwrap();
    for secret in chosen("secrets").iter().filter(|document| document["kind"] == "Secret") {
        for (key, placeholder) in secret["stringData"].as_object().unwrap() {
            let file = format!("{}-{key}", plain(&secret["metadata"]["name"]));
            write(
                &file,
                if file == left {
                    placeholder.as_str().unwrap()
                } else {
                    TOKEN
                },
            );
        }
    }
    folder
}

/// The settings with the placeholders replaced, all but the one named.
fn decided(mut environment: Environment, left: &str) -> Environment {
    for (name, value) in &mut environment {
        if name == left || !(value == PLACEHOLDER || value.is_empty()) {
            continue;
        }
        *value = match name.as_str() {
            "PLATFORM_URL" => "https://example.delinea.app",
            "PLATFORM_CLIENT_ID" => "scim-gateway@example.com",
            "REDIS_URL" => "redis://redis.example:6379",
            "TRUSTED_PROXIES" => "10.0.0.0/16",
            _ => panic!("{name} has a placeholder that this test does not know"),
        }
        .to_owned();
    }
    environment
}

fn check(service: &str, choice: Option<&str>, setting: &str, secret: &str) -> Result<(), Box<dyn Error>> {
    let secrets = secrets(secret);
    settings::check(service, &decided(environment(service, choice, &secrets), setting))
}

#[test]
fn each_service_is_given_settings_that_it_knows_and_that_go_together() {
    for service in SERVICES {
        check(service, None, "", "").unwrap_or_else(|error| panic!("{service}: {error}"));
    }
    check("gateway", Some("ingress"), "", "").unwrap();
    // The keys of a secret of type kubernetes.io/tls.
    let secrets = secrets("");
    let tls = environment("gateway", Some("own-tls"), &secrets);
    assert!(
        tls["TLS_CERT_FILE"].ends_with("/gateway-tls-tls.crt") && tls["TLS_KEY_FILE"].ends_with("/gateway-tls-tls.key")
    );
    settings::parse(&gateway::Config::augment_args(clap::Command::new("gateway")), &tls).unwrap();
}

/// Whoever forgets one is told, and not served half.
#[test]
fn a_placeholder_that_is_left_is_refused_before_anything_starts() {
    for (service, choice, setting, secret) in [
        ("delinea-adapter", None, "PLATFORM_URL", ""),
        ("delinea-adapter", None, "PLATFORM_CLIENT_ID", ""),
        ("delinea-adapter", None, "", "platform-client-secret"),
        ("delinea-adapter", None, "", "grpc-token"),
        ("identity-service", None, "", "grpc-token"),
        ("identity-service", None, "REDIS_URL", ""),
        ("identity-service", None, "", "redis-password"),
        ("gateway", Some("ingress"), "TRUSTED_PROXIES", ""),
    ] {
        assert!(
            check(service, choice, setting, secret).is_err(),
            "{service}: {setting}{secret}"
        );
    }
}
