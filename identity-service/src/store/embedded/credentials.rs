//! Who may call: a text for each tenant, which this file does not read.

use redb::ReadableTable;

use super::tables::{CREDENTIALS, Failed, Reading, Tables};

/// Keeps other credentials in place of those that were seen; whether they were the present ones.
pub(super) fn keep(
    tables: &mut Tables<'_>,
    tenant: &str,
    seen: Option<&str>,
    credentials: &str,
) -> Result<bool, Failed> {
    let present = tables.credentials.get(tenant)?.map(|text| text.value().to_owned());
    if present.as_deref() != seen {
        return Ok(false);
    }
    put(tables, tenant, credentials)?;
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
