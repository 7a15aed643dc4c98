//! The pods of deploy/kubernetes: their ports, probes and images are the services' own, a stop has the time that it takes, and whoever
//! takes one over can do little.

use serde_json::json;

use super::kubernetes::{SERVICES, applied, container, named};
use super::settings::{default, seconds};
use super::{entries, images, plain, text};

#[test]
fn addresses_ports_and_images_are_those_that_there_are() {
    let documents = applied();
    let version = concat!(":", env!("CARGO_PKG_VERSION"));
    for service in SERVICES {
        let container = container(named(&documents, "Deployment", service));
        let data = &named(&documents, "ConfigMap", service)["data"];
        let image = plain(&container["image"]);
        assert!(image.ends_with(&format!("/scim-gateway/{service}{version}")), "{image}");
        assert!(text("Dockerfile").contains(&format!("--package {service}")));

        let port = |name: &str| {
            let mut ports = entries(&container["ports"]);
            let found = ports.find(|port| port["name"] == name);
            found.unwrap_or_else(|| panic!("{service}: no port {name}"))["containerPort"]
                .as_u64()
                .unwrap()
        };
        assert_eq!(port("operators"), images::operators_port());
        for (probe, asks) in [
            ("startupProbe", "/healthz"),
            ("livenessProbe", "/healthz"),
            ("readinessProbe", "/readyz"),
        ] {
            assert_eq!(
                container[probe]["httpGet"],
                json!({"path": asks, "port": "operators"}),
                "{service}: {probe}"
            );
        }
        let annotations = &named(&documents, "Deployment", service)["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/port"], images::operators_port().to_string());

        let exposed = &named(&documents, "Service", service)["spec"]["ports"][0];
        let listen = plain(&data["LISTEN"]);
        let listen: u64 = listen.strip_prefix("0.0.0.0:").unwrap().parse().unwrap();
        assert_eq!(port(&plain(&exposed["targetPort"])), listen);
        assert_eq!(exposed["port"], listen);
    }
    for (caller, setting, called) in [
        ("gateway", "IDENTITY_URL", "identity-service"),
        ("identity-service", "ADAPTER_URL", "delinea-adapter"),
    ] {
        let port = &named(&documents, "Service", called)["spec"]["ports"][0]["port"];
        let url = format!("http://{called}:{port}");
        assert_eq!(named(&documents, "ConfigMap", caller)["data"][setting], url);
    }
}

#[test]
fn drains_replicas_and_budgets_go_together() {
    let documents = applied();
    let request = seconds(&default::<gateway::Service>("REQUEST_TIMEOUT"));
    for service in SERVICES {
        let spec = &named(&documents, "Deployment", service)["spec"];
        let data = &named(&documents, "ConfigMap", service)["data"];
        let (linger, limit) = (
            seconds(&plain(&data["DRAIN_LINGER"])),
            seconds(&plain(&data["DRAIN_LIMIT"])),
        );
        let grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
            .as_f64()
            .unwrap();
        assert!(
            linger + request < limit && linger <= limit / 2.0 && limit < grace,
            "{service}"
        );
        let probe = &container(named(&documents, "Deployment", service))["readinessProbe"];
        let noticed = probe["periodSeconds"].as_f64().unwrap() * probe["failureThreshold"].as_f64().unwrap();
        assert!(noticed < linger, "{service}: a stop is noticed late");
        assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "{service}");

        let budget = &named(&documents, "PodDisruptionBudget", service)["spec"];
        assert_eq!(budget["selector"], spec["selector"], "{service}");
        assert_eq!(spec["selector"]["matchLabels"]["app.kubernetes.io/name"], service);
        assert_eq!(
            spec["template"]["metadata"]["labels"]["app.kubernetes.io/name"],
            service
        );
        let replicas = match spec["replicas"].as_u64() {
            Some(replicas) => replicas,
            None => {
                let scaler = &named(&documents, "HorizontalPodAutoscaler", service)["spec"];
                assert_eq!(scaler["scaleTargetRef"]["name"], service);
                assert!(!container(named(&documents, "Deployment", service))["resources"]["requests"]["cpu"].is_null());
                scaler["minReplicas"].as_u64().unwrap()
            }
        };
        // A node can be emptied, and somebody serves meanwhile if there are two.
        match budget["minAvailable"].as_u64() {
            Some(least) => assert!(least < replicas, "{service}"),
            None => assert_eq!((replicas, &budget["maxUnavailable"]), (1, &json!(1)), "{service}"),
        }
        if service == "delinea-adapter" {
            assert_eq!(data["ADAPTER_REPLICAS"], replicas.to_string());
        }
    }
}

/// What the namespace's `restricted` asks for, and no way to the cluster's API.
#[test]
fn pods_can_do_little() {
    let documents = applied();
    let (user, group) = images::user();
    let namespace = named(&documents, "Namespace", "scim-gateway");
    assert_eq!(
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
    for service in SERVICES {
        let deployment = named(&documents, "Deployment", service);
        let pod = &deployment["spec"]["template"]["spec"];
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(
            (context["runAsUser"].as_u64(), context["runAsGroup"].as_u64()),
            (Some(user), Some(group))
        );
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container(deployment)["securityContext"], expected);
        assert!(!container(deployment)["resources"]["limits"]["memory"].is_null());
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(
            named(&documents, "ServiceAccount", &plain(&pod["serviceAccountName"]))["automountServiceAccountToken"],
            false
        );
        assert_eq!(pod["enableServiceLinks"], false, "{service}");
        assert!(entries(&container(deployment)["volumeMounts"]).all(|mount| mount["readOnly"] == true));
    }
    // Applied again, nobody's secrets are replaced by examples.
    for document in &documents {
        assert_ne!(document["kind"], "Secret");
        assert!(
            document["kind"] == "Namespace" || document["metadata"]["namespace"] == "scim-gateway",
            "{document}"
        );
    }
}
