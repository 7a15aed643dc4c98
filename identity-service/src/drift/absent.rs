//! What is ours and was not listed.

use super::{
    DriftKind,
    run::{PAGE, Run, Stopped},
};
use crate::{
    id::{Kind, ResourceId},
    record::Record,
    store::From,
};

impl Run<'_> {
    /// Finds what is gone: ours, at rest, and not among those that were listed. Gives it, ascending.
    pub(super) async fn absent(&mut self, kind: Kind, listed: &[ResourceId]) -> Result<Vec<ResourceId>, Stopped> {
        let mut gone = Vec::new();
        let mut from = From::Offset(0);
        loop {
            let page = self.shared.store.list(self.tenant, kind, from, PAGE).await?;
            for record in &page {
                if listed.binary_search(&record.id).is_err() && self.object(record).await?.is_some() {
                    gone.push(record.id);
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => from = From::After(last.id),
                _ => break,
            }
        }
        let missing = gone.len() as u64;
        let sharp = self.alarm(kind, None, listed.len() as u64 + missing, missing, 0);
        for id in &gone {
            let link = self.shared.store.link(self.tenant, *id).await?;
            let platform_id = link.and_then(|link| link.platform_id).unwrap_or_default();
            let repaired = self.redeliver(*id, sharp, false).await?;
            self.found(kind, *id, &platform_id, DriftKind::Gone, repaired).await?;
        }
        Ok(gone)
    }

    /// The object that a resource has, if all of the resource was applied before this began.
    pub(super) async fn object(&self, record: &Record) -> Result<Option<String>, Stopped> {
        if !self.was_at_rest(record) {
            return Ok(None);
        }
        let delivery = self.shared.store.delivery(self.tenant, record.id).await?;
        let at_rest = delivery.filter(|delivery| delivery.work.is_none() && delivery.version == record.version);
        Ok(at_rest.and_then(|delivery| delivery.link.platform_id))
    }
}
