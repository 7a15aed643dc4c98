//! The names of accounts and groups: how a `userName` becomes a login name with a suffix, and what a name may be.

use crate::{
    config::{PlatformConfig, SuffixMapping, is_suffix},
    error::ApplyError,
};

/// The rules for names.
#[derive(Clone, Debug)]
pub(super) struct Names {
    default_suffix: Option<String>,
    suffix_map: Vec<SuffixMapping>,
    /// Whether suffixes are checked before the Platform sees them.
    checked: bool,
    longest: usize,
}

impl Names {
    pub(super) fn of(config: &PlatformConfig) -> Self {
        let default = config.default_suffix.as_deref().unwrap_or_default();
        let default = default.trim().trim_start_matches('@');
        Self {
            default_suffix: (!default.is_empty()).then(|| default.to_owned()),
            suffix_map: config.suffix_map.clone(),
            checked: config.suffix_check,
            longest: usize::from(config.accounts.max_name_length),
        }
    }

    /// The login name of a `userName`: as it is when it has a suffix that is not mapped to another, else with the default
    /// one.
    pub(super) fn login(&self, user_name: &str) -> Result<String, ApplyError> {
        let invalid = |reason| {
            Err(ApplyError::Invalid {
                field: "user.user_name",
                reason,
            })
        };
        let user_name = user_name.trim();
        if user_name.is_empty() {
            return invalid("is missing");
        }
        let name = match user_name.rsplit_once('@') {
            Some(("", _) | (_, "")) => return invalid("has an @ without a name before it or a suffix behind it"),
            Some((local, suffix)) => {
                let lower = suffix.to_lowercase();
                match self.suffix_map.iter().find(|mapping| mapping.old == lower) {
                    Some(mapping) => format!("{local}@{}", mapping.new),
                    None => user_name.to_owned(),
                }
            }
            None => match &self.default_suffix {
                Some(suffix) => format!("{user_name}@{suffix}"),
                None => return invalid("has no login suffix, and DEFAULT_SUFFIX is not set"),
            },
        };
        match name.as_str() {
            name if name.chars().count() > self.longest => {
                return invalid("makes a login name longer than the Platform takes (MAX_NAME_LENGTH)");
            }
            name if name.chars().any(char::is_control) => return invalid("has control characters"),
            name if self.checked && !is_suffix(suffix(name)) => {
                return invalid("has a login suffix with other characters than letters, digits, and - _ .");
            }
            _ => {}
        }
        Ok(name)
    }

    /// The name of a group.
    pub(super) fn group(&self, display_name: Option<&str>) -> Result<String, ApplyError> {
        let invalid = |reason| {
            Err(ApplyError::Invalid {
                field: "group.display_name",
                reason,
            })
        };
        match display_name.map(str::trim).unwrap_or_default() {
            "" => invalid("is missing"),
            name if name.chars().count() > self.longest => {
                invalid("is longer than the name of a group on the Platform may be (MAX_NAME_LENGTH)")
            }
            name if name.chars().any(char::is_control) => invalid("has control characters"),
            name => Ok(name.to_owned()),
        }
    }
}

/// The suffix of a login name.
pub(crate) fn suffix(name: &str) -> &str {
    name.rsplit_once('@').map_or("", |(_, suffix)| suffix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::platform;

    fn names(arguments: &[&str]) -> Names {
        Names::of(&platform(arguments).unwrap())
    }

    #[test]
    fn login_names_get_their_suffix() {
        let names = names(&[
            "--default-suffix",
            "@corp.example",
            "--suffix-map",
            "old.example=new.example,Partner_1.example=@p-1.example",
        ]);
        for (user_name, name) in [
            ("anna", Ok("anna@corp.example")),
            (" anna@x.example ", Ok("anna@x.example")),
            ("anna@X.Example", Ok("anna@X.Example")),
            ("anna@OLD.example", Ok("anna@new.example")),
            ("anna@partner_1.EXAMPLE", Ok("anna@p-1.example")),
            ("anna@sub.old.example", Ok("anna@sub.old.example")),
            ("a@b@old.example", Ok("a@b@new.example")),
            ("", Err(())),
            ("@x", Err(())),
            ("x@", Err(())),
            ("a\nb@x", Err(())),
            ("anna@x y", Err(())),
            ("anna@x/y", Err(())),
        ] {
            assert_eq!(names.login(user_name).as_deref().map_err(drop), name, "{user_name:?}");
        }
        assert!(self::names(&[]).login("anna").is_err());
        let unchecked = self::names(&["--suffix-check", "false"]);
        assert_eq!(unchecked.login("anna@x/y").unwrap(), "anna@x/y");
    }

    #[test]
    fn names_are_as_long_as_the_platform_takes() {
        for (arguments, longest) in [(&[][..], 255), (&["--max-name-length", "20"], 20)] {
            let names = names(arguments);
            let login = |length: usize| format!("{}@x", "\u{e9}".repeat(length - 2));
            names.login(&login(longest)).unwrap();
            let refused = names.login(&login(longest + 1)).unwrap_err().to_string();
            assert!(refused.contains("MAX_NAME_LENGTH"), "{refused}");
            names.group(Some(&"g".repeat(longest))).unwrap();
            assert!(names.group(Some(&"g".repeat(longest + 1))).is_err());
        }
        let names = names(&[]);
        assert_eq!(names.group(Some(" Sales ")).unwrap(), "Sales");
        for name in [None, Some(" "), Some("a\tb")] {
            assert!(names.group(name).is_err(), "{name:?}");
        }
    }
}
