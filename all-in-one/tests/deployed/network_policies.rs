//! Who may talk to whom in the cluster: the edges of the drawing in the README, and no others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::kubernetes::{SERVICES, applied, chosen};
use super::{entries, plain};

/// From, to, port. A service is its name; who is outside is the label or network that the policy has.
type Edges = BTreeSet<(String, String, u64)>;

/// The services that a policy is about.
fn about(policy: &Value) -> Vec<String> {
    match policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"].as_str() {
        Some(name) => vec![name.to_owned()],
        None => SERVICES.map(str::to_owned).to_vec(),
    }
}

/// Another end of an edge.
fn end(peer: &Value) -> String {
    let pod = &peer["podSelector"]["matchLabels"];
    let space = &peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    match (
        pod["app.kubernetes.io/name"].as_str(),
        space.as_str(),
        peer["ipBlock"]["cidr"].as_str(),
    ) {
        (Some(service), None, None) => service.to_owned(),
        (None, Some(space), None) => space.to_owned(),
        (None, None, Some(network)) => network.to_owned(),
        _ => panic!("{peer}"),
    }
}

/// What policies let out, and what they let in.
fn edges(documents: &[Value]) -> (Edges, Edges) {
    let (mut out, mut into) = (Edges::new(), Edges::new());
    for policy in documents.iter().filter(|document| document["kind"] == "NetworkPolicy") {
        for (direction, peers, edges) in [("egress", "to", &mut out), ("ingress", "from", &mut into)] {
            for rule in entries(&policy["spec"][direction]) {
                let others: Vec<_> = entries(&rule[peers]).map(end).collect();
                let others = if others.is_empty() {
                    vec!["anybody".to_owned()]
                } else {
                    others
                };
                let ports: Vec<_> = entries(&rule["ports"])
                    .map(|port| port["port"].as_u64().unwrap())
                    .collect();
                assert!(!ports.is_empty(), "{policy}");
                for (service, other) in about(policy)
                    .iter()
                    .flat_map(|service| others.iter().map(move |other| (service, other)))
                {
                    for port in &ports {
                        let (from, to) = if direction == "egress" {
                            (service, other)
                        } else {
                            (other, service)
                        };
                        edges.insert((from.clone(), to.clone(), *port));
                    }
                }
            }
        }
    }
    (out, into)
}

fn set<const N: usize>(edges: [(&str, &str, u64); N]) -> Edges {
    edges
        .map(|(from, to, port)| (from.to_owned(), to.to_owned(), port))
        .into()
}

#[test]
fn only_the_edges_that_are_needed_are_open() {
    let documents = applied();
    let closed = documents.iter().find(|document| {
        document["kind"] == "NetworkPolicy"
            && document["spec"] == json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    });
    assert!(closed.is_some(), "what no policy opens is closed");

    let (out, into) = edges(&documents);
    let inside = [
        ("gateway", "identity-service", 50051),
        ("identity-service", "delinea-adapter", 50052),
    ];
    let names = SERVICES.map(|service| (service, "kube-system", 53));
    let mut expected = set(inside);
    expected.extend(set(names));
    expected.extend(set([
        ("identity-service", "anybody", 6379),
        ("delinea-adapter", "0.0.0.0/0", 443),
        ("delinea-adapter", "::/0", 443),
    ]));
    assert_eq!(out, expected);

    let mut expected = set(inside);
    expected.extend(set(SERVICES.map(|service| ("monitoring", service, 9090))));
    assert_eq!(into, expected);
}

#[test]
fn what_is_chosen_opens_what_it_says() {
    let opens = |file: &str| edges(&chosen(file));
    assert_eq!(opens("ingress"), (set([]), set([("ingress", "gateway", 8080)])));
    assert_eq!(opens("own-tls"), (set([]), set([("anybody", "gateway", 8080)])));
    assert_eq!(
        opens("entra-keys"),
        (set([("gateway", "0.0.0.0/0", 443), ("gateway", "::/0", 443)]), set([]))
    );
    let traces = SERVICES.map(|service| (service, "monitoring", 4317));
    assert_eq!(opens("traces"), (set(traces), set([])));
    // The port that is opened is the one that traces go to.
    let map = chosen("traces")
        .into_iter()
        .find(|document| document["kind"] == "ConfigMap")
        .unwrap();
    assert_eq!(
        plain(&map["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"]),
        "http://collector.monitoring:4317"
    );
}

/// Who is called outside is never a neighbour in the same network.
#[test]
fn the_outside_is_outside() {
    let documents = applied().into_iter().chain(chosen("entra-keys"));
    let mut seen = 0;
    for policy in documents.filter(|document| document["kind"] == "NetworkPolicy") {
        for peer in entries(&policy["spec"]["egress"]).flat_map(|rule| entries(&rule["to"])) {
            let Some(network) = peer["ipBlock"]["cidr"].as_str() else {
                continue;
            };
            let except: Vec<_> = entries(&peer["ipBlock"]["except"]).map(plain).collect();
            let private: &[&str] = match network {
                "0.0.0.0/0" => &[
                    "10.0.0.0/8",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "169.254.0.0/16",
                    "100.64.0.0/10",
                ],
                "::/0" => &["fc00::/7", "fe80::/10"],
                _ => panic!("{network}"),
            };
            assert!(
                private
                    .iter()
                    .all(|network| except.iter().any(|other| other == network)),
                "{except:?}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}
