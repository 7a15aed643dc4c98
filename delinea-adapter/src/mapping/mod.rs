//! What a Platform account shall be, from what SCIM has: a table of fields, which a tenant's file may change, and the rules
//! for names. It knows both vocabularies, and no call.

mod attributes;
mod desired;
mod fields;
mod names;
mod path;
mod table;
mod transform;
mod unmapped;

use serde_json::{Map, Value};
use service_runtime::Error;

use crate::{
    config::{ChangeUserMode, FieldName, PlatformConfig},
    entries::{self, Fault},
    error::ApplyError,
    metrics::Metrics,
    platform::rows::{self, Row},
};

pub(crate) use self::{desired::Desired, names::suffix};
use self::{names::Names, path::Path, table::Field, unmapped::Unmapped};

/// How the users of a tenant become accounts.
pub(crate) struct Mapping {
    fields: Vec<Field>,
    names: Names,
    mode: ChangeUserMode,
    unmapped: Unmapped,
}

const FILE: &str = "ATTRIBUTE_MAP_FILE";

impl Mapping {
    /// The mapping by these settings, of which the file is read. They must fit together.
    pub(crate) fn read(config: &PlatformConfig) -> Result<Self, Error> {
        let mapping = match &config.tables.attribute_map_file {
            None => Self::of(config, None).map_err(|fault| Error::setting(FILE, fault.to_string()))?,
            Some(path) => {
                let text = entries::text(FILE, path)?;
                Self::of(config, Some(&text)).map_err(|fault| fault.in_file(FILE, path))?
            }
        };
        mapping.check(config)?;
        Ok(mapping)
    }

    fn of(config: &PlatformConfig, file: Option<&str>) -> Result<Self, Fault> {
        Ok(Self {
            fields: file.map_or_else(table::default, table::with)?,
            names: Names::of(config),
            mode: config.accounts.change_user_mode,
            unmapped: Unmapped::new(Metrics::new(&config.platform_tenant)),
        })
    }

    /// Whether the settings that name fields by themselves name any that are not theirs to write.
    fn check(&self, config: &PlatformConfig) -> Result<(), Error> {
        let forced = config.accounts.force_change_field.iter();
        let extra = config.accounts.extra_create_fields.iter().map(|field| &field.name);
        let named = forced.map(|name| ("FORCE_CHANGE_FIELD", name));
        for (setting, FieldName(name)) in named.chain(extra.map(|name| ("EXTRA_CREATE_FIELDS", name))) {
            if let Some(why) = fields::unsettable(name) {
                return Err(Error::setting(
                    setting,
                    format!("the field {name} cannot be set: {why}"),
                ));
            }
            if self.fields.iter().any(|field| rows::same_column(&field.name, name)) {
                let reason = format!("the field {name} is made of attributes ({FILE})");
                return Err(Error::setting(setting, reason));
            }
        }
        Ok(())
    }

    /// Warns of fields that no Platform is known to have: tenants differ.
    pub(crate) fn warn_of_unknown_fields(&self) {
        for field in &self.fields {
            if fields::known(&field.name).is_none() {
                tracing::warn!(
                    scim.tenant = self.unmapped.tenant(),
                    field = &*field.name,
                    "no Platform is known to have this field of the attribute map; it is sent as a text"
                );
            }
        }
    }

    /// The name of a group.
    pub(crate) fn group_name(&self, display_name: Option<&str>) -> Result<String, ApplyError> {
        self.names.group(display_name)
    }

    /// What a change of an account sends: the changes, or the account as it was read with them. Only fields that are known to
    /// be writable are repeated, and only what they are.
    pub(crate) fn to_change(&self, account: &Row, mut changes: Map<String, Value>) -> Map<String, Value> {
        if self.mode == ChangeUserMode::Partial {
            return changes;
        }
        let mapped = self.fields.iter().map(|field| &*field.name);
        let known = [fields::NAME].into_iter().chain(fields::TEXTS.iter().copied());
        for name in known.chain(fields::FLAGS.iter().copied()).chain(mapped) {
            let read = rows::column(&account.0, name);
            let is = read.filter(|value| match value {
                Value::String(text) if name == fields::REPORTS_TO => !text.eq_ignore_ascii_case(fields::NO_MANAGER),
                Value::String(text) => !text.is_empty(),
                Value::Bool(_) | Value::Number(_) => true,
                _ => false,
            });
            if let Some(value) = is
                && !changes.contains_key(name)
            {
                changes.insert(name.to_owned(), value.clone());
            }
        }
        changes
    }

    fn tell_unmapped(&self, user: &Map<String, Value>) {
        let paths: Vec<&Path> = self.fields.iter().flat_map(Field::paths).collect();
        let manager_is_mapped = self.fields.iter().any(Field::names_manager);
        self.unmapped.tell(user, &paths, manager_is_mapped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::platform;

    /// The mapping with a tenant's file that has this text.
    pub(super) fn by(file: &str) -> Mapping {
        Mapping::of(&platform(&[]).unwrap(), Some(file)).unwrap()
    }

    #[test]
    fn settings_name_only_fields_that_are_theirs() {
        let check = |arguments: &[&str]| {
            let config = platform(arguments).unwrap();
            Mapping::read(&config).map(drop)
        };
        for (arguments, said) in [
            (["--extra-create-fields", "Name=x"], "userName"),
            (
                ["--extra-create-fields", "UserType=a,service_user=true"],
                "service user",
            ),
            (["--extra-create-fields", "InEverybodyRole=false"], "IN_EVERYBODY"),
            (["--extra-create-fields", "mail=x"], "made of attributes"),
            (["--force-change-field", "InSysAdminRole"], "administrator"),
            (["--force-change-field", "Password"], "PASSWORD_SOURCE"),
        ] {
            let refused = check(&arguments).unwrap_err().to_string();
            assert!(
                refused.contains(said) && refused.contains("FIELD"),
                "{arguments:?}: {refused}"
            );
        }
        check(&[
            "--extra-create-fields",
            "PasswordNeverExpire=true,PlatformUserMembershipType=Vendor",
        ])
        .unwrap();
        check(&["--force-change-field", "ForcePasswordChangeNextLogin"]).unwrap();
    }
}
