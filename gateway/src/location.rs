//! Where resources are, as clients see it: `meta.location`, `Location` and every `$ref`. The public address comes from
//! the settings, else from what trusted proxies say, else from the request's Host (see [`crate::edge`]).

use http::uri::{Authority, Uri};
use uuid::Uuid;

use proto::resource::v1::{Group, Member, User};

use crate::{BASE_PATH, Error};

/// The address of the SCIM endpoint, such as `https://scim.example.com/scim/v2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(String);

/// A path: whoever reads it knows where it came from.
impl Default for Base {
    fn default() -> Self {
        Self::reached(false, None, "")
    }
}

impl Base {
    /// Reads `--public-url`, with or without the endpoint's path.
    pub(crate) fn from_setting(url: &str) -> Result<Self, Error> {
        let uri: Option<Uri> = url.parse().ok();
        let fits = uri.as_ref().is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(is_plain)
                && uri.query().is_none()
                && !url.contains('#')
        });
        if !fits {
            return Err(Error::setting(
                "--public-url",
                "expected an address such as https://scim.example.com, without a query",
            ));
        }
        let url = url.trim_end_matches('/');
        Ok(Self(format!(
            "{}{BASE_PATH}",
            url.strip_suffix(BASE_PATH).unwrap_or(url)
        )))
    }

    /// The address by which a client reached us. Without a usable host it is a path, which is a valid reference too.
    pub(crate) fn reached(secure: bool, host: Option<&Authority>, prefix: &str) -> Self {
        let scheme = if secure { "https" } else { "http" };
        match host.filter(|host| is_plain(host)) {
            Some(host) => Self(format!("{scheme}://{host}{prefix}{BASE_PATH}")),
            None => Self(format!("{prefix}{BASE_PATH}")),
        }
    }

    /// The address of something below the endpoint, such as `Schemas/urn:…`.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    /// Fills in the addresses of a user and of what it refers to.
    pub(crate) fn locate_user(&self, user: &mut User) {
        if let (Some(id), Some(meta)) = (&user.id, &mut user.meta) {
            meta.location = Some(self.at(&format!("Users/{id}")));
        }
        for group in &mut user.groups {
            group.r#ref = group.value.as_deref().map(|id| self.at(&format!("Groups/{id}")));
        }
        let manager = user
            .enterprise_user
            .as_mut()
            .and_then(|enterprise| enterprise.manager.as_mut());
        // A manager may be any text (R13); only an id of ours has an address.
        if let Some(manager) = manager
            && let Some(id) = manager.value.as_deref().filter(|id| Uuid::try_parse(id).is_ok())
        {
            manager.r#ref = Some(self.at(&format!("Users/{id}")));
        }
    }

    /// Fills in the address of a group.
    pub(crate) fn locate_group(&self, group: &mut Group) {
        if let (Some(id), Some(meta)) = (&group.id, &mut group.meta) {
            meta.location = Some(self.at(&format!("Groups/{id}")));
        }
    }

    /// Fills in the address of a group's member; one of unknown type has none.
    pub(crate) fn locate_member(&self, member: &mut Member) {
        let folder = match member.r#type.as_deref() {
            Some("User") => Some("Users"),
            Some("Group") => Some("Groups"),
            _ => None,
        };
        member.r#ref = folder
            .zip(member.value.as_deref())
            .map(|(folder, id)| self.at(&format!("{folder}/{id}")));
    }
}

/// No user name before the host, and a host at all.
fn is_plain(authority: &Authority) -> bool {
    !authority.host().is_empty() && !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use proto::resource::v1::{EnterpriseUser, Manager, Meta, MultiValue};

    use super::*;

    #[test]
    fn the_setting_may_name_the_endpoint_or_its_host() {
        let table = [
            ("https://scim.example.com", Some("https://scim.example.com/scim/v2")),
            ("https://scim.example.com/", Some("https://scim.example.com/scim/v2")),
            (
                "https://scim.example.com/scim/v2",
                Some("https://scim.example.com/scim/v2"),
            ),
            (
                "http://[::1]:8080/t/kw/scim/v2/",
                Some("http://[::1]:8080/t/kw/scim/v2"),
            ),
            (
                "https://scim.example.com/t/kw",
                Some("https://scim.example.com/t/kw/scim/v2"),
            ),
            ("scim.example.com", None),
            ("ftp://scim.example.com", None),
            ("https://user@scim.example.com", None),
            ("https://scim.example.com/?flag", None),
            ("https://scim.example.com/#top", None),
            ("https:///scim", None),
            ("not an address", None),
        ];
        for (url, expected) in table {
            assert_eq!(
                Base::from_setting(url).ok().map(|base| base.0).as_deref(),
                expected,
                "{url:?}"
            );
        }
    }

    #[test]
    fn without_the_setting_it_is_where_the_client_came_to() {
        let base = |secure, host: Option<&str>, prefix| {
            let host: Option<Authority> = host.map(|host| host.parse().unwrap());
            Base::reached(secure, host.as_ref(), prefix).0
        };
        assert_eq!(
            base(false, Some("gw.example:8080"), ""),
            "http://gw.example:8080/scim/v2"
        );
        assert_eq!(base(true, Some("gw.example"), "/idp"), "https://gw.example/idp/scim/v2");
        assert_eq!(base(true, None, ""), "/scim/v2");
        assert_eq!(base(true, Some("user@gw.example"), "/idp"), "/idp/scim/v2");
    }

    #[test]
    fn references_are_filled_in_where_they_lead_somewhere() {
        let base = Base::from_setting("https://gw.example").unwrap();
        let id = "0190d6f2-7b5c-7cc0-8d21-3c5e8a1f0b77";
        let manager = |value: &str| Manager {
            value: Some(value.to_owned()),
            ..Manager::default()
        };
        let mut user = User {
            id: Some(id.to_owned()),
            meta: Some(Meta::default()),
            groups: vec![MultiValue {
                value: Some("g1".to_owned()),
                ..MultiValue::default()
            }],
            enterprise_user: Some(EnterpriseUser {
                manager: Some(manager(id)),
                ..EnterpriseUser::default()
            }),
            ..User::default()
        };
        base.locate_user(&mut user);
        let address = format!("https://gw.example/scim/v2/Users/{id}");
        assert_eq!(user.meta.unwrap().location.as_deref(), Some(&*address));
        assert_eq!(
            user.groups[0].r#ref.as_deref(),
            Some("https://gw.example/scim/v2/Groups/g1")
        );
        assert_eq!(
            user.enterprise_user.unwrap().manager.unwrap().r#ref.as_deref(),
            Some(&*address)
        );

        let enterprise_user = Some(EnterpriseUser {
            manager: Some(manager("a b?")),
            ..EnterpriseUser::default()
        });
        let mut user = User {
            enterprise_user,
            ..User::default()
        };
        base.locate_user(&mut user);
        assert_eq!(user.enterprise_user.unwrap().manager.unwrap().r#ref, None);

        for (kind, folder) in [
            (Some("User"), Some("Users")),
            (Some("Group"), Some("Groups")),
            (None, None),
        ] {
            let mut member = Member {
                value: Some(id.to_owned()),
                r#type: kind.map(str::to_owned),
                r#ref: Some("javascript:alert(1)".to_owned()),
                ..Member::default()
            };
            base.locate_member(&mut member);
            assert_eq!(
                member.r#ref,
                folder.map(|folder| format!("https://gw.example/scim/v2/{folder}/{id}"))
            );
        }
    }
}
