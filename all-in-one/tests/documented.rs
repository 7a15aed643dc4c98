//! Every setting stands in `docs/configuration.md`.

use all_in_one::Settings;

const PAGE: &str = include_str!("../../docs/configuration.md");
const SERVICES: [&str; 3] = ["GATEWAY_", "IDENTITY_SERVICE_", "DELINEA_ADAPTER_"];

#[test]
fn every_setting_is_documented() {
    let command = Settings::command();
    let variables = command
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str());
    let missing: Vec<_> = variables
        .filter(|variable| {
            // What a service has for itself stands under its own name on the service's table.
            let plain = SERVICES
                .iter()
                .find_map(|service| variable.strip_prefix(service))
                .unwrap_or(variable);
            !PAGE.contains(&format!("| `{plain}` |")) && !PAGE.contains(&format!("| `{variable}` |"))
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
}
