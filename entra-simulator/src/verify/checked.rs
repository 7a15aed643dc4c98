//! The smallest steps of the comparison: one value in one system, one row, and whether an object exists once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Difference, Held,
    expect::{Presence, Want},
};

/// Objects by name in lower case; more than one under a name is a finding.
pub(super) type ByName<'a, T> = BTreeMap<String, Vec<&'a T>>;

/// What one system should hold, what it holds, and whether that will do.
pub(super) struct Checked {
    want: Held,
    held: Held,
    is_right: bool,
}

impl Checked {
    /// `shown` is none if the object itself is missing, which is reported as such.
    pub(super) fn of(want: &Want, shown: Option<Option<String>>) -> Self {
        let Some(shown) = shown else { return Self::skipped() };
        let is_right = match want {
            Want::Anything => true,
            Want::Nothing => shown.is_none(),
            Want::Value(value) => shown.as_ref() == Some(value),
        };
        let want = match want {
            Want::Value(value) => Held::Value(value.clone()),
            Want::Nothing | Want::Anything => Held::Nothing,
        };
        Self {
            want,
            held: shown.map_or(Held::Nothing, Held::Value),
            is_right,
        }
    }

    pub(super) fn skipped() -> Self {
        Self {
            want: Held::NotCompared,
            held: Held::NotCompared,
            is_right: true,
        }
    }
}

pub(super) fn difference(object: &str, attribute: String, scim: Checked, platform: Checked) -> Option<Difference> {
    if scim.is_right && platform.is_right {
        return None;
    }
    let expected = if scim.is_right { platform.want } else { scim.want };
    Some(Difference {
        object: object.to_owned(),
        attribute,
        expected,
        scim: scim.held,
        platform: platform.held,
    })
}

pub(super) fn existence(object: &str, presence: Presence, scim: usize, platform: Option<usize>) -> Option<Difference> {
    let is_right = |count: usize| match presence {
        Presence::Required => count == 1,
        Presence::Optional => count <= 1,
        Presence::Forbidden => count == 0,
    };
    if is_right(scim) && platform.is_none_or(is_right) {
        return None;
    }
    let held = |count| {
        if count == 0 {
            Held::Nothing
        } else {
            Held::Value(count_of(count))
        }
    };
    Some(Difference {
        object: object.to_owned(),
        attribute: "existence".to_owned(),
        expected: held(usize::from(presence != Presence::Forbidden)),
        scim: held(scim),
        platform: platform.map_or(Held::NotCompared, held),
    })
}

/// Objects under names that nobody expects.
pub(super) fn unexpected<S, P>(
    kind: &str,
    known: &BTreeSet<String>,
    scim: &ByName<'_, S>,
    platform: Option<&ByName<'_, P>>,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = scim
        .keys()
        .chain(platform.into_iter().flat_map(BTreeMap::keys))
        .collect();
    let strangers = names.into_iter().filter(|name| !known.contains(*name));
    strangers
        .filter_map(|name| {
            let on_scim = scim.get(name).map_or(0, Vec::len);
            let on_platform = platform.map(|platform| platform.get(name).map_or(0, Vec::len));
            existence(&format!("{kind} {name}"), Presence::Forbidden, on_scim, on_platform)
        })
        .collect()
}

fn count_of(count: usize) -> String {
    if count == 1 {
        "one".to_owned()
    } else {
        format!("{count} of them")
    }
}
