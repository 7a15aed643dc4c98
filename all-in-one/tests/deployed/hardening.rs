//! A container that is taken over can change no program, and gains no right.

use serde_json::{Value, json};

use super::compose::{FILES, REAL, STACKS, ends, program, stack, started};
use super::{entries, plain};

/// Neither has a shell or a client in its image, so nothing inside can ask; Prometheus does.
const SILENT: [&str; 2] = ["otel/opentelemetry-collector-contrib", "grafana/tempo"];

/// Whether the engine learns how a service is: by itself or by its image.
pub(crate) fn tells_its_health(service: &Value) -> bool {
    !service["healthcheck"]["test"].is_null() || program(service).is_some()
}

#[test]
fn containers_of_ours_run_as_a_plain_user_on_a_file_system_that_they_cannot_write() {
    for files in STACKS {
        for (name, service) in stack(files)["services"].as_object().unwrap() {
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
            assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
            for opened in ["privileged", "user", "devices", "pid"] {
                assert!(service[opened].is_null(), "{name}: {opened}");
            }
            assert!(
                service["network_mode"].is_null() || service["network_mode"] == "none",
                "{name}"
            );
            // To give its folder to a plain user, and become it.
            let kept = match name.as_str() {
                "redis" => json!(["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"]),
                "tempo-volume" => json!(["CHOWN"]),
                _ => Value::Null,
            };
            assert_eq!(service["cap_add"], kept, "{name}");
        }
    }
}

#[test]
fn each_container_tells_its_health_and_is_of_a_version_that_is_stated() {
    for (name, service) in started(&stack(&FILES)).into_iter().chain(started(&stack(&[FILES[0]]))) {
        let image = plain(&service["image"]);
        let (what, version) = image.split_once(':').unwrap();
        assert_ne!(
            tells_its_health(service) || ends(service),
            SILENT.contains(&what),
            "{name}"
        );
        if program(service).is_none() {
            assert!(
                version.contains(|digit: char| digit.is_ascii_digit()),
                "{name}: {version}"
            );
        } else {
            assert_eq!(version, "${IMAGE_TAG:-latest}", "{name}");
        }
        assert!(
            service["restart"] == "unless-stopped" || name == "tempo-volume",
            "{name}"
        );
    }
}

/// What is published is published on this machine alone, unless somebody decides otherwise.
#[test]
fn nothing_is_reached_from_other_machines_by_default() {
    for files in STACKS {
        for (name, service) in stack(files)["services"].as_object().unwrap() {
            for port in entries(&service["ports"]).map(plain) {
                assert!(
                    super::compose::substituted(&port).starts_with("127.0.0.1:"),
                    "{name}: {port}"
                );
            }
        }
    }
}

/// Nobody who was made up reaches a tenant, and nothing is let through that a brake would hold.
#[test]
fn a_real_tenant_has_brakes_a_store_of_its_own_and_nobody_who_is_simulated() {
    let (trial, real) = (stack(&[FILES[0]]), stack(&[FILES[0], REAL]));
    assert!(started(&trial).contains_key("platform-simulator"));
    assert!(!started(&real).contains_key("platform-simulator"));

    let secrets = tempfile::tempdir().unwrap();
    let of = |service: &str| super::compose::environment(&real, &real["services"][service], &secrets);
    let adapter = of("delinea-adapter");
    assert_eq!(adapter["PLATFORM_URL"], "https://example.delinea.app");
    for unset in ["PLATFORM_SIMULATOR_HOST", "PLATFORM_CLIENT_SECRET", "MAX_RPS"] {
        assert_eq!(adapter[unset], "", "{unset}");
    }
    let identity = of("identity-service");
    for brake in ["MAX_REMOVALS_PER_HOUR", "MAX_DEACTIVATIONS_PER_HOUR"] {
        let default = super::settings::default::<identity_service::IdentityService>(brake);
        assert_eq!(identity[brake], default, "{brake}");
    }
    let entra = of("entra-simulator");
    assert_eq!((&*entra["SCIM_BASE_URL"], &*entra["SCIM_TOKEN"]), ("", ""));

    let store = |stack: &Value| stack["services"]["redis"]["volumes"].clone();
    assert_eq!(store(&trial), json!(["redis:/data"]));
    assert_eq!(store(&real), json!(["redis-real:/data"]));
}
