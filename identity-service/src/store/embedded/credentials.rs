//! Who may call: a text for each tenant, which this file does not read.

use jiff::Timestamp;
use redb::ReadableTable;

use super::{
    log,
    tables::{CREDENTIALS, Failed, Reading, Tables},
};
use crate::store::{Act, CredentialAct, Deed, Logged};

/// Keeps other credentials in place of those that were seen, and logs it; whether they were the present ones.
pub(super) fn keep(
    tables: &mut Tables<'_>,
    tenant: &str,
    seen: Option<&str>,
    credentials: &str,
    told: Option<&CredentialAct>,
    now: Timestamp,
) -> Result<bool, Failed> {
    let present = tables.credentials.get(tenant)?.map(|text| text.value().to_owned());
    if present.as_deref() != seen {
        return Ok(false);
    }
    put(tables, tenant, credentials)?;
    if let Some(CredentialAct { what, origin }) = told {
        let act = Act {
            act: Deed::Credential,
            resource: None,
            by: String::new(),
            reason: what.clone(),
            origin: origin.clone(),
        };
        log::append(tables, tenant, Logged::Act(act), now)?;
    }
    Ok(true)
}

/// Puts credentials as they are.
pub(super) fn put(tables: &mut Tables<'_>, tenant: &str, credentials: &str) -> Result<(), Failed> {
    tables.dirty = true;
    tables.credentials.insert(tenant, credentials)?;
    Ok(())
}

impl Reading {
    pub(super) fn credentials(&self, tenant: &str) -> Result<Option<String>, Failed> {
        let kept = self.table(CREDENTIALS)?.get(tenant)?;
        Ok(kept.map(|text| text.value().to_owned()))
    }
}
