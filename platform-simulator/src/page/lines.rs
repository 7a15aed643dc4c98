//! What the page shows of one account, group, call, fault or field.

use serde_json::Value;

use super::percent_encode;
use crate::calls::Call;
use crate::faults::{FaultRule, Faults};
use crate::like::Like;
use crate::platform::CALLER_ID;
use crate::profile::Profile;
use crate::records::{Group, Kind, Member, User, fold};
use crate::state::State;

const MEMBERS_SHOWN: usize = 12;
/// The value of a field is shown up to so many characters.
const VALUE_SHOWN: usize = 60;

pub(super) struct UserLine {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) mail: String,
    pub(super) status: String,
    pub(super) note: &'static str,
    /// Whether nobody who asks the Platform sees it yet.
    pub(super) unseen: bool,
    pub(super) id: String,
    pub(super) id_encoded: String,
}

impl UserLine {
    pub(super) fn of(user: &User, profile: &Profile) -> Self {
        let unseen = !profile.shows(user);
        let note = match user {
            user if user.id == CALLER_ID => "caller",
            user if user.service_user => "service user",
            user if user.built_in => "built-in",
            _ if unseen => "federated, not seen before the first login",
            user if !user.is_local() => "federated",
            _ => "",
        };
        Self {
            name: user.name.clone(),
            display_name: user.display_name.clone(),
            mail: user.mail.clone(),
            status: user.status().to_owned(),
            note,
            unseen,
            id: user.id.clone(),
            id_encoded: percent_encode(&user.id),
        }
    }
}

pub(super) struct GroupLine {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) built_in: bool,
    pub(super) count: usize,
    pub(super) members: Vec<String>,
    pub(super) more: usize,
    pub(super) id: String,
    pub(super) id_encoded: String,
}

impl GroupLine {
    pub(super) fn of(state: &State, group: &Group) -> Self {
        let members = group.members.iter().take(MEMBERS_SHOWN);
        let members: Vec<_> = members.map(|member| member_name(state, member)).collect();
        Self {
            name: group.name.clone(),
            description: group.description.clone(),
            built_in: group.built_in,
            count: group.members.len(),
            more: group.members.len() - members.len(),
            members,
            id: group.id.clone(),
            id_encoded: percent_encode(&group.id),
        }
    }
}

/// The name of the principal; its id, where it has none here.
pub(super) fn member_name(state: &State, member: &Member) -> String {
    let name = match member.kind {
        Kind::User => state.user(&member.guid).map(|user| user.name.clone()),
        Kind::Group | Kind::Role => state.group(&member.guid).map(|group| group.name.clone()),
    };
    name.unwrap_or_else(|| member.guid.clone())
}

pub(super) struct CallLine {
    pub(super) time: String,
    pub(super) method: String,
    pub(super) object: String,
    pub(super) verdict: String,
    pub(super) good: bool,
    pub(super) fault: String,
    pub(super) duration_ms: u64,
}

impl CallLine {
    pub(super) fn of(call: &Call) -> Self {
        let (verdict, good) = match (call.status, call.success) {
            (None, _) => ("cut".to_owned(), false),
            (Some(200), Some(false)) => ("failed".to_owned(), false),
            (Some(status @ 200..=299), _) => (status.to_string(), true),
            (Some(status), _) => (status.to_string(), false),
        };
        Self {
            time: call.time.strftime("%H:%M:%S%.3f").to_string(),
            method: call.method.clone(),
            object: call.object.clone(),
            verdict,
            good,
            fault: call.fault.clone().unwrap_or_default(),
            duration_ms: call.duration_ms,
        }
    }

    /// Whether one of its words is like this.
    pub(super) fn matches(&self, like: &Like) -> bool {
        let words = [&self.method, &self.object, &self.verdict, &self.fault];
        words.into_iter().any(|word| like.matches(&fold(word)))
    }
}

pub(super) struct FaultLine {
    /// Its place among those on request; the profile's have none.
    pub(super) at: Option<usize>,
    pub(super) method: String,
    pub(super) fault: String,
    pub(super) left: String,
    pub(super) probability: String,
    pub(super) hits: u64,
}

impl FaultLine {
    pub(super) fn all(faults: &Faults) -> Vec<Self> {
        let on_request = faults.rules().iter().enumerate();
        let on_request = on_request.map(|(at, rule)| Self::of(Some(at), rule));
        let standing = faults.standing().iter().map(|rule| Self::of(None, rule));
        on_request.chain(standing).collect()
    }

    fn of(at: Option<usize>, rule: &FaultRule) -> Self {
        Self {
            at,
            method: rule.method.clone(),
            fault: rule.name(),
            left: rule
                .times
                .map_or_else(|| "always".to_owned(), |times| format!("{times} left")),
            probability: format!("{:.0} %", rule.probability * 100.0),
            hits: rule.hits,
        }
    }
}

/// The fields in which the profiles differ, with what the first says.
pub(super) fn differences(profile: &Profile, default: &Profile) -> Vec<String> {
    let (Ok(Value::Object(profile)), Ok(Value::Object(default))) =
        (serde_json::to_value(profile), serde_json::to_value(default))
    else {
        return Vec::new();
    };
    let fields = profile
        .into_iter()
        .filter(|(name, value)| name != "extends" && default.get(name) != Some(value));
    fields
        .map(|(name, value)| {
            let value = value.to_string();
            let shown: String = value.chars().take(VALUE_SHOWN).collect();
            let more = if shown.len() < value.len() { "…" } else { "" };
            format!("{name}: {shown}{more}")
        })
        .collect()
}
