//! What the services are told of their tenants: one by flags, or several by a file that a campaign changes while everything runs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::plan::Edit;

/// The simulated Platform's service user.
const CLIENT_ID: &str = "scim-gateway@example.com";
const SECRET: &str = "simulated-secret";
/// How often the services look at the file.
const POLL: &str = "--tenants-poll=200ms";

/// Flags that say who the tenants are.
#[derive(Debug)]
pub(crate) struct OfTenants {
    pub(crate) adapter: Vec<String>,
    pub(crate) identity: Vec<String>,
}

/// The file of tenants.
#[derive(Debug)]
pub(crate) struct TenantsFile {
    path: PathBuf,
    tenants: Vec<Sections>,
}

/// A tenant's sections by name, each with its settings as TOML.
#[derive(Debug)]
struct Sections {
    name: &'static str,
    sections: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
}

/// The bearer token of that tenant's simulated Entra.
pub(crate) fn token(tenant: &str) -> String {
    format!("dlnscim_torture-{tenant}")
}

/// The name of that credential.
pub(crate) fn credential(tenant: &str) -> String {
    format!("entra-of-{tenant}")
}

/// Makes the settings of these tenants with these Platforms. Where there are several, the file stands in the folder.
pub(crate) fn of_tenants(
    names: &[&'static str],
    platforms: &[String],
    folder: &Path,
) -> Result<(Option<TenantsFile>, OfTenants)> {
    if let ([name], [platform]) = (names, platforms) {
        let flags = OfTenants {
            adapter: vec![
                format!("--platform-url={platform}"),
                format!("--platform-client-id={CLIENT_ID}"),
                format!("--platform-client-secret={SECRET}"),
            ],
            identity: vec![format!("--bearer-token-sha256={}", hash(name))],
        };
        return Ok((None, flags));
    }
    let secret = folder.join("platform-secret");
    fs::write(&secret, SECRET)?;
    let mut tenants = Vec::new();
    for (name, platform) in names.iter().copied().zip(platforms) {
        let hashes = folder.join(format!("{name}-sha256"));
        fs::write(&hashes, format!("{} {}\n", hash(name), credential(name)))?;
        tenants.push(Sections::of(name, platform, &secret, &hashes));
    }
    let file = TenantsFile {
        path: folder.join("tenants.toml"),
        tenants,
    };
    file.replace()?;
    let flags = vec![format!("--tenants-file={}", file.path.display()), POLL.to_owned()];
    let flags = OfTenants {
        adapter: flags.clone(),
        identity: flags,
    };
    Ok((Some(file), flags))
}

fn hash(tenant: &str) -> String {
    let digest = Sha256::digest(token(tenant));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl TenantsFile {
    /// Changes a setting, not yet in the file.
    pub(crate) fn set(&mut self, edit: &Edit) {
        let sections = &mut self.tenants[edit.tenant].sections;
        let section = sections.entry(edit.section).or_default();
        section.insert(edit.key, edit.value.clone());
    }

    /// Puts a new file into the old one's place.
    pub(crate) fn replace(&self) -> Result<()> {
        let beside = self.path.with_extension("new");
        fs::write(&beside, self.text())?;
        Ok(fs::rename(beside, &self.path)?)
    }

    /// Writes into the file, so that whoever looks may see it as it grows.
    pub(crate) fn write(&self) -> Result<()> {
        Ok(fs::write(&self.path, self.text())?)
    }

    /// The same, and stops within the last tenant's last value: never so that what there is would be a file without a tenant.
    pub(crate) fn write_half(&self) -> Result<()> {
        let text = self.text();
        let cut = text.trim_end().len() - 1;
        Ok(fs::write(&self.path, &text[..cut])?)
    }

    fn text(&self) -> String {
        self.tenants.iter().map(Sections::text).collect()
    }
}

impl Sections {
    fn of(name: &'static str, platform: &str, secret: &Path, hashes: &Path) -> Self {
        let text = |text: &str| format!("'{text}'");
        let file = |path: &Path| text(&path.display().to_string());
        let of_platform = BTreeMap::from([
            ("platform_url", text(platform)),
            ("platform_client_id", text(CLIENT_ID)),
            ("platform_client_secret", format!("{{ file = {} }}", file(secret))),
        ]);
        // Its values show whose a change is.
        let of_directory = BTreeMap::from([("audit_values", "true".to_owned())]);
        let of_credentials = BTreeMap::from([("bearer_token_sha256_file", file(hashes))]);
        Self {
            name,
            sections: BTreeMap::from([
                ("credentials", of_credentials),
                ("directory", of_directory),
                ("platform", of_platform),
            ]),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (section, settings) in &self.sections {
            text += &format!("[tenants.{}.{section}]\n", self.name);
            for (key, value) in settings {
                text += &format!("{key} = {value}\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Manner;

    #[test]
    fn half_a_file_is_no_file_and_no_change_loses_a_tenant() {
        let folder = std::env::temp_dir().join(format!("torture-settings-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let platforms = ["http://127.0.0.1:1", "http://127.0.0.1:2"].map(str::to_owned);
        let (file, _) = of_tenants(&["kestrel", "merlin"], &platforms, &folder).unwrap();
        let mut file = file.unwrap();
        file.set(&Edit {
            tenant: 0,
            section: "platform",
            key: "max_rps",
            value: "300".to_owned(),
            manner: Manner::Replaced,
        });
        file.write_half().unwrap();
        let half = fs::read_to_string(&file.path).unwrap();
        file.write().unwrap();
        let whole = fs::read_to_string(&file.path).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(
            whole.starts_with(&half) && half.matches('\'').count() % 2 == 1,
            "{half}"
        );
        assert!(whole.contains("[tenants.kestrel.platform]\nmax_rps = 300\n"), "{whole}");
        assert_eq!(whole.matches("platform_url").count(), 2, "{whole}");
    }
}
