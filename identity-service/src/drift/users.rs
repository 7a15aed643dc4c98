//! Accounts: the Platform's list, streamed, and each account of ours compared with what was applied.

use proto::{
    adapter::v1::{ExpectUsersRequest, ListPlatformUsersRequest, PlatformUser},
    resource::v1::User,
};
use scim::fold_case;

use super::{
    DriftKind,
    run::{Run, Stopped, next},
};
use crate::{
    directory::may_be_used,
    id::{Kind, ResourceId},
    record::Record,
    store::Owned,
};

/// How many users are asked about at once.
const ASKED_AT_ONCE: usize = 500;
/// How much of them, in bytes: the adapter takes a few times as much.
const ASKED_BYTES: usize = 1 << 20;

/// An account of ours that is listed, and the user as it was applied.
struct Pair {
    listed: PlatformUser,
    record: Record,
}

impl Run<'_> {
    /// Compares all accounts. Gives the users whose accounts are listed, ascending.
    pub(super) async fn users(&mut self) -> Result<Vec<ResourceId>, Stopped> {
        let request = ListPlatformUsersRequest {
            tenant: self.tenant.to_string(),
        };
        let mut list = self
            .shared
            .adapter
            .clone()
            .list_platform_users(request)
            .await?
            .into_inner();
        let mut seen = Vec::new();
        while let Some(batch) = next(&mut list).await? {
            self.accounts(batch.users, &mut seen).await?;
        }
        seen.sort_unstable();
        seen.dedup();
        Ok(seen)
    }

    async fn accounts(&mut self, listed: Vec<PlatformUser>, seen: &mut Vec<ResourceId>) -> Result<(), Stopped> {
        let ids: Vec<_> = listed.iter().map(|account| account.platform_id.clone()).collect();
        let owners = self.shared.store.owned(self.tenant, Kind::User, &ids).await?;
        let mut pairs = Vec::new();
        for (listed, owner) in listed.into_iter().zip(owners) {
            match owner {
                None => self.report.counts.unmanaged_users += 1,
                Some(owner) => {
                    if owner.record.is_some() || !owner.at_rest {
                        seen.push(owner.id);
                    }
                    self.account(listed, owner, &mut pairs).await?;
                }
            }
        }
        while !pairs.is_empty() {
            let some = some_of(&mut pairs);
            self.compare_users(some).await?;
        }
        Ok(())
    }

    /// Sorts an account of ours: compared with what was applied, or skipped. That of a deleted user must be disabled.
    async fn account(&mut self, listed: PlatformUser, owner: Owned, pairs: &mut Vec<Pair>) -> Result<(), Stopped> {
        match owner.record {
            Some(record) if owner.at_rest && self.was_at_rest(&record) => pairs.push(Pair { listed, record }),
            None if owner.at_rest && !self.was_pending(owner.id) => {
                self.report.counts.users += 1;
                if owner.disabled && listed.enabled == Some(true) {
                    let repaired = self.redeliver(owner.id, false, true).await?;
                    let changed = DriftKind::Changed(vec!["enabled"]);
                    self.found(Kind::User, owner.id, &listed.platform_id, changed, repaired)
                        .await?;
                }
            }
            _ => self.report.counts.skipped += 1,
        }
        Ok(())
    }

    async fn compare_users(&mut self, pairs: Vec<Pair>) -> Result<(), Stopped> {
        let mut users = Vec::with_capacity(pairs.len());
        let mut asked = Vec::with_capacity(pairs.len());
        for Pair { listed, record } in pairs {
            let (id, active) = (record.id, Some(may_be_used(&record.document)));
            match record.into_message::<User>() {
                Ok(user) => {
                    users.push(User { active, ..user });
                    asked.push((id, listed));
                }
                // It is told of where it is to be delivered.
                Err(_) => self.report.counts.unreadable += 1,
            }
        }
        let request = ExpectUsersRequest {
            tenant: self.tenant.to_string(),
            users,
        };
        let answer = self.shared.adapter.clone().expect_users(request).await?.into_inner();
        for ((id, listed), expected) in asked.into_iter().zip(answer.expected) {
            let Some(expected) = expected.account else {
                self.report.counts.unreadable += 1;
                continue;
            };
            self.report.counts.users += 1;
            let attributes = differences(&listed, &expected);
            if !attributes.is_empty() {
                let must_be_disabled = expected.enabled == Some(false) && attributes.contains(&"enabled");
                let repaired = self.redeliver(id, false, must_be_disabled).await?;
                let changed = DriftKind::Changed(attributes);
                self.found(Kind::User, id, &listed.platform_id, changed, repaired)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Takes as many of them as one call may ask about.
fn some_of(pairs: &mut Vec<Pair>) -> Vec<Pair> {
    let (mut count, mut bytes) = (0, 0);
    for pair in pairs.iter().take(ASKED_AT_ONCE) {
        bytes += pair.record.bytes();
        if count > 0 && bytes > ASKED_BYTES {
            break;
        }
        count += 1;
    }
    pairs.drain(..count).collect()
}

/// The names of what differs. What either does not say is not compared.
fn differences(listed: &PlatformUser, expected: &PlatformUser) -> Vec<&'static str> {
    fn differ<T>(one: Option<&T>, other: Option<&T>, same: impl Fn(&T, &T) -> bool) -> bool {
        matches!((one, other), (Some(one), Some(other)) if !same(one, other))
    }
    let folded = |one: &String, other: &String| fold_case(one.trim()) == fold_case(other.trim());
    let exact = |one: &String, other: &String| one.trim() == other.trim();
    let display_names = (listed.display_name.as_ref(), expected.display_name.as_ref());
    [
        ("name", !folded(&listed.name, &expected.name)),
        ("display_name", differ(display_names.0, display_names.1, exact)),
        ("mail", differ(listed.mail.as_ref(), expected.mail.as_ref(), folded)),
        (
            "enabled",
            differ(listed.enabled.as_ref(), expected.enabled.as_ref(), |one, other| {
                one == other
            }),
        ),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn account(name: &str, display_name: Option<&str>, mail: Option<&str>, enabled: Option<bool>) -> PlatformUser {
        PlatformUser {
            name: name.to_owned(),
            display_name: display_name.map(str::to_owned),
            mail: mail.map(str::to_owned),
            enabled,
            ..PlatformUser::default()
        }
    }

    #[test]
    fn only_what_both_say_is_compared() {
        let expected = account("odile@x", Some("Odile"), Some("odile@x"), Some(true));
        for (listed, differ) in [
            (account("ODILE@x", Some("Odile "), Some("Odile@X"), Some(true)), vec![]),
            (account("odile@x", None, None, None), vec![]),
            (
                account("other@x", Some("odile"), Some("o@x"), Some(false)),
                vec!["name", "display_name", "mail", "enabled"],
            ),
        ] {
            assert_eq!(differences(&listed, &expected), differ);
        }
        let nothing = account("odile@x", None, None, None);
        assert!(differences(&expected, &nothing).is_empty());
    }

    #[test]
    fn as_many_are_asked_about_as_fit_into_a_call() {
        let pair = |length: usize| Pair {
            listed: PlatformUser::default(),
            record: Record::new(
                ResourceId::generate(),
                Kind::User,
                json!({"userName": "x".repeat(length)}),
                Timestamp::UNIX_EPOCH,
            ),
        };
        let mut small: Vec<_> = (0..501).map(|_| pair(1)).collect();
        assert_eq!((some_of(&mut small).len(), some_of(&mut small).len()), (500, 1));
        let mut large = Vec::from([2 << 20, 600_000, 600_000].map(pair));
        assert_eq!([0; 3].map(|_| some_of(&mut large).len()), [1, 1, 1]);
    }
}
