//! Where an export is: in which section, and after which of its keys. As a cursor it is text.

use crate::store::{ExportCursor, embedded::tables::Failed};

/// What is exported one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Counters,
    Users,
    Groups,
    Members,
    Links,
    Tombstones,
    Unconfirmed,
    Work,
    Waiting,
    Chores,
}

impl Section {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Counters, "counters"),
        (Self::Users, "users"),
        (Self::Groups, "groups"),
        (Self::Members, "members"),
        (Self::Links, "links"),
        (Self::Tombstones, "tombstones"),
        (Self::Unconfirmed, "unconfirmed"),
        (Self::Work, "work"),
        (Self::Waiting, "waiting"),
        (Self::Chores, "chores"),
    ];
}

/// A place in the order of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) section: Section,
    /// The numbers of the last key that was passed, the tenant aside.
    pub(super) last: Option<[u128; 3]>,
}

impl Place {
    /// Before everything.
    pub(super) const FIRST: Self = Self {
        section: Section::Counters,
        last: None,
    };

    /// The beginning of the next section.
    pub(super) fn next_section(self) -> Option<Self> {
        let mut sections = Section::ALL.into_iter().map(|(section, _)| section);
        sections.find(|section| *section == self.section)?;
        let section = sections.next()?;
        Some(Self { section, last: None })
    }

    pub(super) fn cursor(self) -> ExportCursor {
        let name = Section::ALL.into_iter().find(|(section, _)| *section == self.section);
        let mut text = name.map_or("", |(_, name)| name).to_owned();
        for number in self.last.into_iter().flatten() {
            text += &format!("/{number:x}");
        }
        ExportCursor(text)
    }

    pub(super) fn read(cursor: &ExportCursor) -> Result<Self, Failed> {
        let read = || {
            let mut parts = cursor.0.split('/');
            let name = parts.next()?;
            let (section, _) = Section::ALL.into_iter().find(|(_, known)| *known == name)?;
            let numbers: Result<Vec<_>, _> = parts.map(|part| u128::from_str_radix(part, 16)).collect();
            let numbers = numbers.ok()?;
            let last = match numbers.len() {
                0 => None,
                _ => Some(numbers.try_into().ok()?),
            };
            Some(Self { section, last })
        };
        read().ok_or(Failed::Unfit("cursor", "it is no place in an export of this store"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_place() {
        let mut place = Some(Place::FIRST);
        let mut sections = 0;
        while let Some(here) = place {
            for last in [None, Some([0, 1, u128::MAX])] {
                let place = Place { last, ..here };
                assert_eq!(Place::read(&place.cursor()).unwrap(), place);
            }
            sections += 1;
            place = here.next_section();
        }
        assert_eq!(sections, Section::ALL.len());
        for text in ["", "elsewhere", "users/1", "users/x/0/0", "users/1/0/0/0"] {
            assert!(Place::read(&ExportCursor(text.to_owned())).is_err(), "{text}");
        }
    }
}
