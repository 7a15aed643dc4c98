//! The profiles that have a name, and how a profile is read: a JSON object whose `extends` names the one to start from.

use serde_json::{Map, Value};

use super::{ColumnCasing, CreateResult, Profile, RoleWrites, ScimIds, Texts, UnknownPrincipals};
use crate::faults::{Fault, FaultRule};

/// The names, in the order in which they are explained.
pub const NAMES: [&str; 6] = [
    "modern",
    "no-role-writes",
    "heritage",
    "scim-only",
    "federated",
    "hostile",
];

/// The name of the profile that starts from nothing.
pub const DEFAULT: &str = "default";

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not JSON, or has an unknown field, or a value of the wrong kind.
    #[error("it cannot be read")]
    Json(#[from] serde_json::Error),
    /// `extends` is not a name.
    #[error("extends must be one of {DEFAULT}, {}, or null", NAMES.join(", "))]
    UnknownName,
    /// One of its faults makes no sense.
    #[error("faults: {0}")]
    Fault(String),
    /// A pattern of names is empty.
    #[error("{0} has an empty name")]
    EmptyName(&'static str),
}

impl Profile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<Self> {
        let profile = match name {
            DEFAULT => return Some(Self::default()),
            "modern" => modern(),
            "no-role-writes" => Self {
                role_writes: RoleWrites::NotExposed,
                scim: true,
                scim_ids: ScimIds::Own,
                ..modern()
            },
            "heritage" => heritage(),
            "scim-only" => Self {
                rpc: false,
                scim: true,
                ..Self::default()
            },
            "federated" => Self {
                federation: true,
                suffixes: ["example.com", "kestrelworks.example", "rehearsal.kestrelworks.example"]
                    .map(str::to_owned)
                    .to_vec(),
                federated_accounts: ["fay.adler@example.com", "finn.berg@example.com"]
                    .map(str::to_owned)
                    .to_vec(),
                federated_hidden_until_login: true,
                ..modern()
            },
            "hostile" => hostile(),
            _ => return None,
        };
        Some(Self {
            extends: Some(name.to_owned()),
            ..profile
        })
    }

    /// Reads a profile. Fields left out have the values of the one that `extends` names; so have texts left out of `texts`.
    pub fn read(text: &[u8]) -> Result<Self, ProfileError> {
        Self::from_fields(serde_json::from_slice(text)?)
    }

    pub(crate) fn from_fields(fields: Map<String, Value>) -> Result<Self, ProfileError> {
        let base = match fields.get("extends") {
            None | Some(Value::Null) => Self::default(),
            Some(Value::String(name)) => Self::named(name).ok_or(ProfileError::UnknownName)?,
            Some(_) => return Err(ProfileError::UnknownName),
        };
        base.overlaid(fields)
    }

    /// This profile with some of its fields replaced. Texts are replaced one by one.
    pub(crate) fn overlaid(&self, fields: Map<String, Value>) -> Result<Self, ProfileError> {
        let mut whole = serde_json::to_value(self)?;
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("texts", Value::Object(texts)) => {
                    if let Value::Object(all) = &mut whole["texts"] {
                        all.extend(texts);
                    }
                }
                (_, value) => whole[name] = value,
            }
        }
        let profile: Self = serde_json::from_value(whole)?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), ProfileError> {
        self.faults
            .iter()
            .try_for_each(FaultRule::check)
            .map_err(ProfileError::Fault)?;
        if self.hidden.iter().any(String::is_empty) {
            return Err(ProfileError::EmptyName("hidden"));
        }
        if self.latency_of.keys().any(String::is_empty) {
            return Err(ProfileError::EmptyName("latency_of"));
        }
        Ok(())
    }
}

/// What vendor-owned clients of today meet.
fn modern() -> Profile {
    Profile {
        role_writes: RoleWrites::Roles,
        redrock: false,
        hidden: vec!["entities/xpmusers".to_owned()],
        ..Profile::default()
    }
}

/// What clients of the years before meet.
fn heritage() -> Profile {
    let hidden = [
        "CDirectoryService/SetUserState",
        "Roles/GetPagedRoleMembers",
        "entities/localusers",
        "v3/*",
    ];
    Profile {
        hidden: hidden.map(str::to_owned).to_vec(),
        role_writes: RoleWrites::Saas,
        change_user_state: true,
        create_result: CreateResult::Object,
        role_id_underscores: false,
        column_casing: ColumnCasing::Pascal,
        query_lag_ms: 5000,
        ..Profile::default()
    }
}

/// Everything that may go wrong does so now and then, and little is told.
fn hostile() -> Profile {
    let now_and_then = |fault, probability| FaultRule {
        probability,
        ..FaultRule::new("*", fault)
    };
    Profile {
        full_count: false,
        display_name_lag_ms: 2000,
        query_lag_ms: 2000,
        reports_obey_caching: false,
        group_lag_ms: 2000,
        latency_ms: 10,
        latency_jitter_ms: 60,
        latency_per_call_ms: 5,
        max_rps: 60,
        rate_burst: 30,
        unknown_principals: UnknownPrincipals::Skip,
        faults: vec![
            now_and_then(Fault::LostAnswer, 0.02),
            FaultRule {
                retry_after_s: Some(1),
                ..now_and_then(Fault::Unavailable, 0.02)
            },
            now_and_then(Fault::Html, 0.01),
            now_and_then(Fault::Truncated, 0.01),
            FaultRule {
                delay_ms: Some(1500),
                ..now_and_then(Fault::Slow, 0.01)
            },
        ],
        texts: Texts {
            duplicate_user: "Name conflict: {} belongs to another principal.".to_owned(),
            duplicate_group: "Name conflict: a group called {} is present.".to_owned(),
            ..Texts::default()
        },
        ..modern()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Profile, ProfileError> {
        Profile::read(value.to_string().as_bytes())
    }

    #[test]
    fn every_name_is_a_sound_profile_that_reads_back_as_itself() {
        for name in NAMES {
            let profile = Profile::named(name).unwrap();
            profile.check().unwrap();
            assert_eq!(read(&json!(profile)).unwrap(), profile, "{name}");
            assert_eq!(read(&json!({ "extends": name })).unwrap(), profile, "{name}");
        }
        assert!(Profile::named("Modern").is_none());
        assert_eq!(Profile::named(DEFAULT), Some(Profile::default()));
        assert_eq!(read(&json!({})).unwrap(), Profile::default());
    }

    #[test]
    fn what_is_given_stands_over_what_is_extended_and_texts_one_by_one() {
        let profile = read(&json!({ "extends": "hostile", "faults": [], "texts": { "denied": "No." } })).unwrap();
        assert!(profile.faults.is_empty() && !profile.full_count);
        assert_eq!(profile.texts.denied, "No.");
        assert!(profile.texts.duplicate_user.starts_with("Name conflict"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            json!({ "typo": 1 }),
            json!({ "extends": "nothing" }),
            json!({ "extends": 1 }),
            json!({ "texts": { "typo": "" } }),
            json!({ "hidden": [""] }),
            json!({ "latency_of": { "": 1 } }),
            json!({ "faults": [{ "method": "*", "fault": "drop", "probability": 2.0 }] }),
            json!([]),
        ] {
            read(&bad).unwrap_err();
        }
    }
}
