//! The images: what is in them, and what they say of themselves.

use super::{compose::BASE, names, text, yaml};

/// What the image sets by itself.
pub(crate) fn variables() -> Vec<(String, String)> {
    let dockerfile = text("Dockerfile");
    let variables = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let variables = variables.map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    variables.collect()
}

/// The port that operators ask, as the image has it.
pub(crate) fn operators_port() -> u64 {
    let variables = variables();
    let (_, address) = variables.iter().find(|(name, _)| name == "OPS_LISTEN").unwrap();
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// User and group that a service runs as.
pub(crate) fn user() -> (u64, u64) {
    let dockerfile = text("Dockerfile");
    let user = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("USER "))
        .next_back();
    let (user, group) = user.unwrap().split_once(':').unwrap();
    (user.parse().unwrap(), group.parse().unwrap())
}

#[test]
fn an_image_is_built_from_the_whole_workspace() {
    let (workspace, ignored) = (text("Cargo.toml"), text(".dockerignore"));
    let members = workspace.split_once("members = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    let members: Vec<_> = members
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
        .filter(|member| !member.is_empty())
        .collect();
    assert!(members.contains(&"gateway"));
    for member in members {
        let folder = member.split('/').next();
        let is_sent = ignored.lines().any(|line| line.strip_prefix('!') == folder);
        assert!(is_sent, ".dockerignore keeps {member} from the builder");
    }
    let dockerfile = text("Dockerfile");
    let base = yaml(BASE);
    for service in names(&base["services"]).filter(|service| *service != "redis") {
        assert!(dockerfile.contains(&format!("--package {service}")), "{service}");
        assert_eq!(base["services"][service]["build"]["args"]["SERVICE"], service);
    }
    assert!(
        dockerfile.contains("--package admin;"),
        "the operator's command line is built too"
    );
}

#[test]
fn an_image_runs_as_a_plain_user_and_says_whether_it_is_healthy() {
    assert!(user().0 >= 1000 && user().1 >= 1000, "{:?}", user());
    for dockerfile in ["Dockerfile", "deploy/haproxy/Dockerfile"] {
        let text = text(dockerfile);
        assert!(text.contains("\nHEALTHCHECK "), "{dockerfile}");
        let (user, group) = user();
        assert!(text.contains(&format!("\nUSER {user}:{group}\n")), "{dockerfile}");
    }
}
