//! The settings of how accounts are created and changed.

use std::{collections::BTreeSet, str::FromStr};

use serde_json::Value;
use service_runtime::Error;

/// How accounts are created and changed.
#[derive(clap::Args, Clone, Debug)]
pub struct AccountSettings {
    /// Who makes the password of a new account: the adapter, or the Platform (Core/GeneratePassword). One that the Platform
    /// refuses as too weak is made once more by the other.
    #[arg(long, env = "PASSWORD_SOURCE", value_name = "SOURCE", value_enum, default_value_t = PasswordSource::Local)]
    pub password_source: PasswordSource,
    /// Length of the password that a new account gets; nobody learns it.
    #[arg(long, env = "PASSWORD_LENGTH", value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u16).range(8..=256))]
    pub password_length: u16,
    /// How many capital letters, small letters, digits and symbols a password of the adapter's has at least, of each; four
    /// times as many must fit into PASSWORD_LENGTH.
    #[arg(long, env = "PASSWORD_EACH_KIND", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub password_each_kind: u16,
    /// The symbols that a password of the adapter's may have.
    #[arg(
        long,
        env = "PASSWORD_SYMBOLS",
        value_name = "SYMBOLS",
        default_value = "!#%+-.:=?@_~",
        allow_hyphen_values = true
    )]
    pub password_symbols: PasswordSymbols,
    /// Whether a new account is a member of the built-in group Everybody.
    #[arg(long, env = "IN_EVERYBODY", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub in_everybody: bool,
    /// Field that a new account is created with beside those of its user, as name=value, such as the one that tells employees
    /// from vendors; several are separated by commas. true and false are sent as such.
    #[arg(long, env = "EXTRA_CREATE_FIELDS", value_name = "NAME=VALUE", value_delimiter = ',')]
    pub extra_create_fields: Vec<ExtraField>,
    /// Field that is true in a new account whose password must be changed at the first login, such as
    /// ForcePasswordChangeNext; none is sent when absent.
    #[arg(long, env = "FORCE_CHANGE_FIELD", value_name = "NAME")]
    pub force_change_field: Option<FieldName>,
    /// What a change of an account sends: the fields that differ, or the account as it was read with them.
    #[arg(long, env = "CHANGE_USER_MODE", value_name = "MODE", value_enum, default_value_t = ChangeUserMode::Partial)]
    pub change_user_mode: ChangeUserMode,
    /// How many characters the name of an account or a group may have.
    #[arg(long, env = "MAX_NAME_LENGTH", value_name = "N", default_value_t = 255,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub max_name_length: u16,
}

impl AccountSettings {
    /// Whether the settings fit together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if u32::from(self.password_each_kind) * 4 > u32::from(self.password_length) {
            return Err(Error::setting(
                "PASSWORD_EACH_KIND",
                "so many of each of four kinds do not fit into PASSWORD_LENGTH",
            ));
        }
        let mut names = BTreeSet::new();
        let forced = self.force_change_field.iter().map(|name| ("FORCE_CHANGE_FIELD", name));
        let extra = self.extra_create_fields.iter();
        for (setting, name) in extra.map(|field| ("EXTRA_CREATE_FIELDS", &field.name)).chain(forced) {
            if !names.insert(name.0.to_ascii_lowercase()) {
                return Err(Error::setting(setting, format!("the field {} is given twice", name.0)));
            }
        }
        Ok(())
    }
}

/// Who makes passwords.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// The adapter.
    Local,
    /// The Platform.
    Platform,
}

/// What a change of an account sends.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeUserMode {
    /// The fields that differ.
    Partial,
    /// The account as it was read, with the fields that differ.
    Full,
}

/// Symbols for passwords: ASCII punctuation, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSymbols(String);

impl PasswordSymbols {
    /// Each symbol, a byte.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for PasswordSymbols {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let each: BTreeSet<char> = text.chars().collect();
        if each.is_empty() || !each.iter().all(char::is_ascii_punctuation) {
            return Err("symbols are ASCII punctuation, at least one".to_owned());
        }
        Ok(Self(each.into_iter().collect()))
    }
}

/// The name of a field of the Platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(pub(crate) String);

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LONGEST: usize = 64;
        let text = text.trim();
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if first && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "{text:?} is not a field's name: a letter, then letters, digits and underscores, {LONGEST} at most"
        ))
    }
}

/// A field that new accounts are created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraField {
    /// Its name.
    pub name: FieldName,
    /// Its value: a text, or a truth value.
    pub value: Value,
}

impl FromStr for ExtraField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a field is written name=value")?;
        let value = match value.trim() {
            "" => return Err(format!("the field {} has no value", name.trim())),
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => Value::String(text.to_owned()),
        };
        let name = name.parse()?;
        Ok(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::tests::platform;

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let accounts = platform(&[]).unwrap().accounts;
        assert_eq!(
            (accounts.password_source, accounts.change_user_mode),
            (PasswordSource::Local, ChangeUserMode::Partial)
        );
        assert_eq!((accounts.password_length, accounts.max_name_length), (32, 255));
        assert!(accounts.in_everybody && accounts.extra_create_fields.is_empty());
        assert!(accounts.force_change_field.is_none());
    }

    #[test]
    fn settings_of_accounts_that_cannot_be_meant_are_refused() {
        for arguments in [
            &["--password-symbols", ""][..],
            &["--password-symbols", "a"],
            &["--password-symbols", "\u{a7}"],
            &["--extra-create-fields", "Name"],
            &["--extra-create-fields", "=x"],
            &["--extra-create-fields", "A="],
            &["--extra-create-fields", "9a=x"],
            &["--force-change-field", "a b"],
            &["--max-name-length", "0"],
            &["--password-each-kind", "0"],
            &["--change-user-mode", "whole"],
            &["--password-source", "nobody"],
        ] {
            assert!(platform(arguments).is_err(), "{arguments:?}");
        }
        for arguments in [
            &["--password-each-kind", "9", "--password-length", "35"][..],
            &["--extra-create-fields", "UserType=a,usertype=b"],
            &["--extra-create-fields", "Force=true", "--force-change-field", "FORCE"],
        ] {
            assert!(platform(arguments).unwrap().accounts.check().is_err(), "{arguments:?}");
        }
        let arguments = [
            "--password-symbols=-!-",
            "--extra-create-fields=UserType=Vendor,PasswordNeverExpire=true",
        ];
        let accounts = platform(&arguments).unwrap().accounts;
        accounts.check().unwrap();
        assert_eq!(accounts.password_symbols.as_bytes(), b"!-");
        let values = accounts.extra_create_fields.into_iter().map(|field| field.value);
        assert_eq!(values.collect::<Vec<_>>(), [json!("Vendor"), json!(true)]);
    }
}
