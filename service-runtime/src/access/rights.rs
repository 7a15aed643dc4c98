//! The rights that methods state and callers have. A contract states them by the option `delinea.scim.auth.v1.right` of its
//! methods; they are read from the descriptors, so that contract and check cannot differ.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, Value};
use serde::Deserialize;

use crate::Error;

/// The option by which a method states its right.
const OPTION: &str = "delinea.scim.auth.v1.right";
/// What a caller is told of these is whether the service lives, which says nothing of what it holds.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// What a caller may do. None contains another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Ask.
    Read,
    /// Change users and groups, and what the Platform has of them.
    Write,
    /// Act as the operator does.
    Operate,
}

impl Right {
    /// As it is written in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Operate => "operate",
        }
    }

    /// By the number that the contract gives it.
    fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Read),
            2 => Some(Self::Write),
            3 => Some(Self::Operate),
            _ => None,
        }
    }
}

/// Several rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights(u8);

impl Rights {
    pub(super) const ALL: Self = Self(0b111);

    pub(super) fn contain(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |all, right| all | 1 << right as u8))
    }
}

/// What a caller needs for one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Right(Right),
}

/// What each method of a contract needs, by its path.
#[derive(Debug)]
pub(super) struct Needs(HashMap<String, Right>);

impl Needs {
    pub(super) fn read(descriptors: &[u8]) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| Error::Descriptors(error.into()))?;
        let option = pool.get_extension_by_name(OPTION);
        let stated = |options: prost_reflect::DynamicMessage| {
            let option = option.as_ref()?;
            match options.get_extension(option).as_ref() {
                Value::EnumNumber(number) => Right::from_number(*number),
                _ => None,
            }
        };
        let mut needs = HashMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                // Somebody forgot to say: then it is as well guarded as the best.
                needs.insert(path, stated(method.options()).unwrap_or(Right::Operate));
            }
        }
        Ok(Self(needs))
    }

    /// What a call needs. Who asks for a method that is not there needs what asking needs, reflection with it.
    pub(super) fn of(&self, path: &str) -> Need {
        if path.starts_with(HEALTH) {
            return Need::Nothing;
        }
        Need::Right(self.0.get(path).copied().unwrap_or(Right::Read))
    }

    pub(super) fn knows(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_states_nothing_is_the_operators() {
        let needs = Needs::read(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET).unwrap();
        let stated_nowhere = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert!(needs.knows(stated_nowhere));
        assert_eq!(needs.of(stated_nowhere), Need::Right(Right::Operate));
    }

    #[test]
    fn only_health_is_free() {
        let needs = Needs::read(&[]).unwrap();
        assert_eq!(needs.of("/grpc.health.v1.Health/Check"), Need::Nothing);
        for path in [
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/no.such.Service/Method",
            "/grpc.health.v1.HealthX/Check",
            "",
        ] {
            assert_eq!(needs.of(path), Need::Right(Right::Read), "{path}");
        }
    }

    #[test]
    fn no_right_contains_another() {
        let rights = [Right::Read, Right::Write, Right::Operate];
        for has in rights {
            let set = Rights::from_iter([has]);
            for asked in rights {
                assert_eq!(set.contain(asked), has == asked);
            }
        }
        assert!(rights.into_iter().all(|right| Rights::ALL.contain(right)));
    }
}
