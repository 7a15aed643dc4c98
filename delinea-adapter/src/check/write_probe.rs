//! A throw-away account and group, made, changed, disabled, enabled and removed by the very rules that deliveries follow. It is the
//! one proof of rights that there is. Whatever fails, what was made is removed; where that fails too, its name is told.

use std::time::Duration;

use proto::{
    adapter::v1::Adoption,
    resource::v1::{MultiValue, User},
};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    apply::{Applied, Batch, Outcome, Standing, Tenant},
    error::ApplyError,
    mapping::Desired,
};

use super::Finding;

const PREFIX: &str = "scim-gateway-probe";
const USER: &str = "write_probe_user";
const GROUP: &str = "write_probe_group";
const CLEAN_UP: &str = "write_probe_clean_up";

/// What was done last, for the words of a failure.
type Step = &'static str;

/// Why a step failed.
struct Failed {
    step: Step,
    why: String,
}

pub(super) async fn findings(tenant: &Tenant) -> Vec<Finding> {
    let mark = Uuid::new_v4().simple().to_string();
    let probe = Probe {
        tenant,
        user: format!("{PREFIX}-{}@{}", &mark[..12], suffix(tenant)),
        group: format!("{PREFIX}-{}", &mark[..12]),
    };
    let (account, user) = probe.user().await;
    let (role, group) = match &account {
        Some(account) => probe.group(account).await,
        None => (
            None,
            Finding::unknown(
                GROUP,
                "no account came about that could be a member",
                "settle the finding above",
            ),
        ),
    };
    vec![user, group, probe.clean_up(account, role).await]
}

/// A login suffix that exists: that of new accounts, or the service user's own.
fn suffix(tenant: &Tenant) -> String {
    let config = &tenant.config;
    let caller = config.platform_client_id.as_deref().unwrap_or_default();
    let own = caller.rsplit_once('@').map(|(_, suffix)| suffix.to_owned());
    let set = config
        .default_suffix
        .as_deref()
        .map(|suffix| suffix.trim_start_matches('@').to_owned());
    set.filter(|suffix| !suffix.is_empty()).or(own).unwrap_or_default()
}

struct Probe<'a> {
    tenant: &'a Tenant,
    user: String,
    group: String,
}

impl Probe<'_> {
    async fn user(&self) -> (Option<String>, Finding) {
        let mut made = None;
        match self.play_user(&mut made).await {
            Ok(()) => (
                made,
                Finding::ok(
                    USER,
                    "an account was created, changed, disabled and enabled, and each was seen to be done",
                ),
            ),
            Err(Failed { step, why }) => (
                made,
                Finding::problem(
                    USER,
                    format!("an account could not be {step}: {why}"),
                    "settle what the tenant says; deliveries fail as this did",
                ),
            ),
        }
    }

    async fn play_user(&self, made: &mut Option<String>) -> Result<(), Failed> {
        let id = self.put("created", None, "A", true).await?;
        *made = Some(id.clone());
        for (step, display_name, active) in [("changed", "B", true), ("disabled", "B", false), ("enabled", "B", true)] {
            self.put(step, Some(&id), display_name, active).await?;
            self.see(step, &id, active).await?;
        }
        Ok(())
    }

    /// Makes the account match, as a delivery does.
    async fn put(&self, step: Step, link: Option<&str>, display_name: &str, active: bool) -> Result<String, Failed> {
        let user = User {
            user_name: Some(self.user.clone()),
            display_name: Some(format!("{PREFIX} {display_name}")),
            emails: vec![MultiValue {
                value: Some(self.user.clone()),
                r#type: Some("work".to_owned()),
                ..MultiValue::default()
            }],
            active: Some(active),
            ..User::default()
        };
        let failed = |error: ApplyError| Failed {
            step,
            why: error.status().message().to_owned(),
        };
        let desired = Desired::of(&user, None, &self.tenant.mapping).map_err(failed)?;
        let intents = [desired.name.clone()];
        let mut tries = Tries::default();
        loop {
            let standing = tries.standing(link, &intents);
            let outcome = self.tenant.apply_user(standing, &desired).await;
            if let Some(done) = tries.take(step, outcome).await {
                return done;
            }
        }
    }

    async fn see(&self, step: Step, id: &str, active: bool) -> Result<(), Failed> {
        let account = self.tenant.platform.account(id).await;
        let account = account.map_err(|failure| Failed {
            step,
            why: failure.words(),
        })?;
        match account {
            Some(account) if account.states.is_disabled() != active => Ok(()),
            _ => Err(Failed {
                step,
                why: "the tenant said that it was done, and it is not seen".to_owned(),
            }),
        }
    }

    async fn group(&self, account: &str) -> (Option<String>, Finding) {
        let mut made = None;
        match self.play_group(account, &mut made).await {
            Ok(()) => (
                made,
                Finding::ok(
                    GROUP,
                    "a group was created and renamed, and a member was put in and taken out",
                ),
            ),
            Err(Failed { step, why }) => (
                made,
                Finding::problem(
                    GROUP,
                    format!("a group could not be {step}: {why}"),
                    "settle what the tenant says; deliveries fail as this did",
                ),
            ),
        }
    }

    async fn play_group(&self, account: &str, made: &mut Option<String>) -> Result<(), Failed> {
        let (member, nobody) = ([account.to_owned()], []);
        let id = self.put_group("created", None, &self.group, &nobody, &nobody).await?;
        *made = Some(id.clone());
        let other = format!("{}-renamed", self.group);
        self.put_group("given a member", Some(&id), &self.group, &member, &nobody)
            .await?;
        self.put_group("renamed", Some(&id), &other, &nobody, &nobody).await?;
        self.put_group("relieved of a member", Some(&id), &other, &nobody, &member)
            .await?;
        Ok(())
    }

    async fn put_group(
        &self,
        step: Step,
        link: Option<&str>,
        name: &str,
        members_in: &[String],
        members_out: &[String],
    ) -> Result<String, Failed> {
        let failed = |error: ApplyError| Failed {
            step,
            why: error.status().message().to_owned(),
        };
        let intents = [name.to_owned()];
        let members = Batch::new(members_in, members_out).map_err(failed)?;
        let mut tries = Tries::default();
        loop {
            let standing = tries.standing(link, &intents);
            let outcome = self.tenant.apply_group(standing, name, &members).await;
            if let Some(done) = tries.take(step, outcome).await {
                return done;
            }
        }
    }

    /// Removes what was made. A creation whose answer was lost has no id: its random name is that of nobody else, so that what
    /// is found under it is removed.
    async fn clean_up(&self, account: Option<String>, role: Option<String>) -> Finding {
        let mut left = Vec::new();
        if self.remove_group(role).await.is_err() {
            left.push(self.group.as_str());
        }
        if self.remove_user(account).await.is_err() {
            left.push(self.user.as_str());
        }
        if left.is_empty() {
            return Finding::ok(CLEAN_UP, "what was made was removed");
        }
        Finding::problem(
            CLEAN_UP,
            format!("what was made could not be removed: {}", left.join(", ")),
            "remove it by hand",
        )
    }

    async fn remove_group(&self, made: Option<String>) -> Result<(), ApplyError> {
        let found = match made {
            Some(id) => Some(id),
            None => {
                let backend = self.tenant.platform.group_backend().await;
                let Ok(backend) = backend else { return Ok(()) };
                let found = self.tenant.platform.roles_named(backend, &self.group).await?;
                found.into_iter().next().map(|role| role.id)
            }
        };
        if let Some(id) = found {
            self.tenant
                .remove_group(Tries::default().standing(Some(&id), &[]))
                .await?;
        }
        Ok(())
    }

    async fn remove_user(&self, made: Option<String>) -> Result<(), ApplyError> {
        let found = match made {
            Some(id) => Some(id),
            None => {
                let backend = self.tenant.platform.user_backend().await?;
                let found = self.tenant.platform.accounts_named(backend, &self.user).await?;
                found.into_iter().next().map(|account| account.id)
            }
        };
        if let Some(id) = found {
            self.tenant
                .remove_user(Tries::default().standing(Some(&id), &[]))
                .await?;
        }
        Ok(())
    }
}

/// The tries of one step: as deliveries do, what is *later* is tried again, and what a creation whose answer was lost has left is
/// looked for. Its name is random, so that what stands under it is nobody else's.
#[derive(Default)]
struct Tries {
    failed: u32,
    confirmed: Vec<String>,
}

/// So often is a step tried.
const MOST_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl Tries {
    fn standing<'a>(&'a self, link: Option<&'a str>, intents: &'a [String]) -> Standing<'a> {
        let is_new = link.is_none() && self.failed == 0 && self.confirmed.is_empty();
        Standing {
            link,
            intents: if link.is_none() { intents } else { &[] },
            fresh: intents.first().map(String::as_str).filter(|_| is_new),
            confirmed: &self.confirmed,
            adoption: Adoption::Never,
        }
    }

    /// What came of a try; `None` where another one follows.
    async fn take(&mut self, step: Step, outcome: Result<Outcome, ApplyError>) -> Option<Result<String, Failed>> {
        let failed = |why: &str| {
            Some(Err(Failed {
                step,
                why: why.to_owned(),
            }))
        };
        match outcome {
            Ok(Outcome::Applied(Applied { refused, .. })) if !refused.is_empty() => failed(&refused[0].message),
            Ok(Outcome::Applied(Applied { id: Some(id), .. })) => Some(Ok(id)),
            Ok(Outcome::Found(found)) if self.confirmed.is_empty() => {
                self.confirmed.push(found.platform_id);
                None
            }
            Err(error) if error.is_later() && self.failed + 1 < MOST_TRIES => {
                self.failed += 1;
                sleep(PAUSE).await;
                None
            }
            Err(error) => failed(error.status().message()),
            Ok(_) => failed("what came of it could not be told"),
        }
    }
}
