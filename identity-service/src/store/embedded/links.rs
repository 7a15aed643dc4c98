//! Links: what ties a resource or tombstone to its Platform object, who owns an object, and who intends a name.

use redb::ReadableTable;

use super::tables::{Failed, Tables, from_json, get, take, to_json};
use crate::store::{KeptIntent, KeptLink, Link};

/// Reads a link back.
pub(super) fn read(bytes: &[u8]) -> Result<Link, Failed> {
    from_json(bytes, "link").map(KeptLink::shown)
}

impl Tables<'_> {
    /// The link of a resource or tombstone; an empty one when there is none.
    pub(super) fn link(&self, tenant: &str, id: u128) -> Result<Link, Failed> {
        Ok(self.kept(tenant, id)?.shown())
    }

    fn kept(&self, tenant: &str, id: u128) -> Result<KeptLink, Failed> {
        Ok(get(&self.links, (tenant, id), "link")?.unwrap_or_default())
    }

    fn keep(&mut self, tenant: &str, id: u128, kept: &KeptLink) -> Result<(), Failed> {
        self.dirty = true;
        self.links.insert((tenant, id), to_json(kept).as_slice())?;
        Ok(())
    }

    /// Keeps a link and who owns its Platform object. Of its intents those stay that are named in it; new ones come by
    /// [`Self::intend`].
    pub(super) fn put_link(&mut self, tenant: &str, kind: u8, id: u128, link: &Link) -> Result<(), Failed> {
        if let Some(platform_id) = &link.platform_id {
            self.owners.insert((tenant, kind, platform_id.as_str()), id)?;
        }
        let (stay, gone): (Vec<_>, Vec<_>) = self
            .kept(tenant, id)?
            .intents
            .into_iter()
            .partition(|intent| link.intents.contains(&intent.name));
        self.forget_intents(tenant, kind, id, &gone)?;
        let link = link.clone();
        self.keep(tenant, id, &KeptLink { link, intents: stay })
    }

    /// Notes an intent.
    ///
    /// A name is intended by one resource at a time: who records it has just found it free, so whatever another meant to
    /// create under it is not there. Without this, the other would later take what stands there for its own.
    pub(super) fn intend(&mut self, tenant: &str, kind: u8, id: u128, name: &str, folded: &str) -> Result<(), Failed> {
        let mut kept = self.kept(tenant, id)?;
        if kept.intents.iter().any(|known| known.name == name) {
            return Ok(());
        }
        let before = self
            .intents
            .insert((tenant, kind, folded), id)?
            .map(|owner| owner.value());
        if let Some(other) = before.filter(|other| *other != id) {
            let mut left = self.kept(tenant, other)?;
            left.intents.retain(|intent| intent.folded != folded);
            self.keep(tenant, other, &left)?;
        }
        kept.intents.push(KeptIntent {
            name: name.to_owned(),
            folded: folded.to_owned(),
        });
        self.keep(tenant, id, &kept)
    }

    /// Forgets a link, that it owned its Platform object, and its intents.
    pub(super) fn remove_link(&mut self, tenant: &str, kind: u8, id: u128) -> Result<(), Failed> {
        self.dirty = true;
        let kept: KeptLink = take(&mut self.links, (tenant, id), "link")?.unwrap_or_default();
        self.disown(tenant, kind, id, kept.link.platform_id.as_deref())?;
        self.forget_intents(tenant, kind, id, &kept.intents)
    }

    /// Makes a tombstone's link another resource's, intents included. Applied versions were the old resource's: everything
    /// is to be applied anew.
    pub(super) fn move_link(&mut self, tenant: &str, kind: u8, old: u128, new: u128) -> Result<(), Failed> {
        self.dirty = true;
        let mut kept: KeptLink = take(&mut self.links, (tenant, old), "link")?.unwrap_or_default();
        kept.link.applied_version = 0;
        kept.link.applied_document = 0;
        if let Some(platform_id) = &kept.link.platform_id {
            self.owners.insert((tenant, kind, platform_id.as_str()), new)?;
        }
        for intent in &kept.intents {
            self.intents.insert((tenant, kind, intent.folded.as_str()), new)?;
        }
        self.keep(tenant, new, &kept)
    }

    fn forget_intents(&mut self, tenant: &str, kind: u8, id: u128, gone: &[KeptIntent]) -> Result<(), Failed> {
        for intent in gone {
            let key = (tenant, kind, intent.folded.as_str());
            let intended = self.intents.get(key)?.is_some_and(|owner| owner.value() == id);
            if intended {
                self.intents.remove(key)?;
            }
        }
        Ok(())
    }

    /// Forgets that `id` owns a Platform object, if it does.
    pub(super) fn disown(&mut self, tenant: &str, kind: u8, id: u128, platform_id: Option<&str>) -> Result<(), Failed> {
        let Some(platform_id) = platform_id else { return Ok(()) };
        let owned = self
            .owners
            .get((tenant, kind, platform_id))?
            .is_some_and(|owner| owner.value() == id);
        if owned {
            self.dirty = true;
            self.owners.remove((tenant, kind, platform_id))?;
        }
        Ok(())
    }
}
