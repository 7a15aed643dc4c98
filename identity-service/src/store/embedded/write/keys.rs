//! The indexes: names, which are unique, and the other look-ups.

use redb::ReadableTable;

use crate::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    store::{
        WriteError,
        embedded::{
            revert,
            tables::{Failed, Tables},
        },
    },
};

pub(in crate::store::embedded) fn names_are_free(
    tables: &Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    keys: &[Key],
) -> Result<Result<(), WriteError>, Failed> {
    for key in keys.iter().filter(|key| key.index == Index::Name) {
        if tables.names.get((tenant, kind.number(), key.value.as_str()))?.is_some() {
            return Ok(Err(WriteError::NameTaken));
        }
    }
    Ok(match revert::reserved_by(tables, tenant, kind, id, keys)? {
        Some(owner) => Err(WriteError::NameReserved(owner)),
        None => Ok(()),
    })
}

pub(in crate::store::embedded) fn add_keys<'a>(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    keys: impl IntoIterator<Item = &'a Key>,
) -> Result<(), Failed> {
    for key in keys {
        match key.index {
            Index::Name => drop(
                tables
                    .names
                    .insert((tenant, kind.number(), key.value.as_str()), id.as_u128())?,
            ),
            index => {
                drop(tables.lookups.insert(
                    (tenant, kind.number(), index.number(), key.value.as_str(), id.as_u128()),
                    (),
                )?);
            }
        }
    }
    Ok(())
}

pub(in crate::store::embedded) fn remove_keys<'a>(
    tables: &mut Tables<'_>,
    tenant: &str,
    kind: Kind,
    id: ResourceId,
    keys: impl IntoIterator<Item = &'a Key>,
) -> Result<(), Failed> {
    for key in keys {
        match key.index {
            Index::Name => drop(tables.names.remove((tenant, kind.number(), key.value.as_str()))?),
            index => drop(tables.lookups.remove((
                tenant,
                kind.number(),
                index.number(),
                key.value.as_str(),
                id.as_u128(),
            ))?),
        }
    }
    Ok(())
}
