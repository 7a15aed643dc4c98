//! What a script answered, as the types of the store. An answer of another shape than expected is corrupt, never a panic.

mod log;
mod values;

use jiff::Timestamp;
use redis::Value;

use self::values::{
    answered, brake, bytes, corrupt, delivery, id, json, kept_link, link, list, number, owned, parts, position,
    pre_image, record, text, time, tombstone,
};
use super::{
    args::REQUEST_MEMORY_MS,
    keys::{self, kind_of, millis},
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{
        Claim, Claims, Delivery, Found, Groups, ImportMark, Intent, KeptImage, KeptLink, Link, LogPage, Member, Order,
        Owned, Owner, Pause, PendingMember, PreImage, RequestKey, Revert, Reverted, Seen, Stage, StoreError, Summary,
        Tombstone, WhyNot, Write, WriteError, Written,
    },
};

/// An answer, and what was being done.
pub(super) struct Reply {
    value: Value,
    doing: &'static str,
}

/// What came of an attempt to write.
pub(super) enum Attempt {
    /// It is written, or was before.
    Done(Written),
    /// It has more members than one script may touch: they are to be staged.
    TooLarge,
    /// A batch is staged.
    Staged,
    /// What was staged is no longer there.
    Gone,
    /// Another large change of the group is under way.
    Busy,
}

/// A page that was put together of several ordered ones: in order, and without what lies beyond the end of one that was
/// full, since entries of that one may come before it.
fn page<T>(
    mut entries: Vec<T>,
    id_of: impl Fn(&T) -> ResourceId,
    ends: Value,
    limit: usize,
) -> Result<(Vec<T>, Option<ResourceId>), StoreError> {
    entries.sort_unstable_by_key(&id_of);
    let ends: Vec<ResourceId> = list(ends)?.iter().map(id).collect::<Result<_, _>>()?;
    let end = ends.into_iter().min();
    if let Some(end) = end {
        entries.retain(|entry| id_of(entry) <= end);
    }
    // One that was cut off is the first to come next.
    let end = if entries.len() > limit {
        entries.get(limit - 1).map(&id_of)
    } else {
        end
    };
    entries.truncate(limit);
    Ok((entries, end))
}

impl Reply {
    pub(super) fn new(value: Value, doing: &'static str) -> Self {
        Self { value, doing }
    }

    fn list(self) -> Result<Vec<Value>, StoreError> {
        list(self.value).map_err(|_| corrupt("answer", self.doing))
    }

    fn parts<const N: usize>(self) -> Result<[Value; N], StoreError> {
        parts(self.value).map_err(|_| corrupt("answer", self.doing))
    }

    pub(super) fn number<T: std::str::FromStr>(self) -> Result<T, StoreError> {
        number(&self.value)
    }

    pub(super) fn ids(self) -> Result<Vec<ResourceId>, StoreError> {
        let found = self.list()?.into_iter().filter(|value| *value != Value::Nil);
        found.map(|value| id(&value)).collect()
    }

    /// Records, asked for by these ids; those that do not exist are left out.
    pub(super) fn records(self, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, StoreError> {
        let pairs = self.list()?.into_iter().zip(ids);
        let found = pairs.filter(|(value, _)| *value != Value::Nil);
        found.map(|(value, id)| record(kind, *id, &value)).collect()
    }

    /// Resources with the first of their groups.
    pub(super) fn found(self, kind: Kind) -> Result<Found, StoreError> {
        let mut answer = self.list()?.into_iter();
        let mut seen = Vec::with_capacity(answer.len());
        let more = answer.next().ok_or_else(|| corrupt("answer", "without an end"))?;
        for one in answer {
            let one = list(one)?;
            let [of, raw, more_groups, groups @ ..] = one.as_slice() else {
                return Err(corrupt("answer", "without a record"));
            };
            let (pairs, []) = groups.as_chunks() else {
                return Err(corrupt("answer", "without a group"));
            };
            let group = |[of, raw]: &[Value; 2]| record(Kind::Group, id(of)?, raw);
            seen.push(Seen {
                record: record(kind, id(of)?, raw)?,
                groups: Groups {
                    records: pairs.iter().map(group).collect::<Result<_, StoreError>>()?,
                    more: number::<u8>(more_groups)? == 1,
                },
            });
        }
        let more = number::<u8>(&more)? == 1;
        Ok(Found { seen, more })
    }

    /// The ids of a listing, and the records of them that could still be found.
    pub(super) fn listing(self, kind: Kind) -> Result<(Vec<ResourceId>, Vec<Record>), StoreError> {
        let doing = self.doing;
        let [ids, records] = self.parts()?;
        let ids = Self::new(ids, doing).ids()?;
        let records = Self::new(records, doing).records(kind, &ids)?;
        Ok((ids, records))
    }

    /// A page of members, in order, and after which to go on if there may be more.
    pub(super) fn members(self, limit: usize) -> Result<(Vec<Member>, Option<ResourceId>), StoreError> {
        let [found, ends] = self.parts()?;
        let member = |value| {
            let [id_value, unknown] = parts(value)?;
            Ok(Member {
                id: id(&id_value)?,
                kind: (number::<u8>(&unknown)? == 0).then_some(Kind::User),
            })
        };
        let members = list(found)?
            .into_iter()
            .map(member)
            .collect::<Result<_, StoreError>>()?;
        page(members, |member: &Member| member.id, ends, limit)
    }

    pub(super) fn written(self, write: &Write) -> Result<Attempt, WriteError> {
        let mut answer = self.list()?.into_iter();
        let mut next = || answer.next().ok_or_else(|| corrupt("answer", "of a write"));
        let status = next()?;
        Err(match bytes(&status)? {
            b"ok" => {
                return Ok(Attempt::Done(Written {
                    record: record(write.kind, write.id, &next()?)?,
                    changed: number::<u8>(&next()?)? == 1,
                    replaced_out: number(&next()?)?,
                    braked: brake(&next()?)?,
                }));
            }
            b"large" => return Ok(Attempt::TooLarge),
            b"gone" => return Ok(Attempt::Gone),
            b"busy" => return Ok(Attempt::Busy),
            b"staged" => return Ok(Attempt::Staged),
            b"not_found" => WriteError::NotFound,
            b"name_taken" => WriteError::NameTaken,
            b"reserved" => WriteError::NameReserved(id(&next()?)?),
            b"version" => WriteError::VersionMismatch {
                present: number(&next()?)?,
            },
            b"moved" => WriteError::DocumentMoved,
            b"unknown" => WriteError::UnknownMember(id(&next()?)?),
            b"nested" => WriteError::NestedGroup(id(&next()?)?),
            b"answered" => {
                let request = write
                    .request
                    .as_ref()
                    .ok_or_else(|| corrupt("answer", "nobody asked for"))?;
                return answered(bytes(&next()?)?, request).map(Attempt::Done);
            }
            _ => corrupt("answer", "of a write").into(),
        })
    }

    /// What was kept for a request id, if it is not too old.
    pub(super) fn answered(self, request: &RequestKey, now: Timestamp) -> Result<Option<Written>, WriteError> {
        if self.value == Value::Nil {
            return Ok(None);
        }
        let kept = bytes(&self.value)?;
        let at = kept
            .split(|byte| *byte == b' ')
            .next()
            .and_then(|at| std::str::from_utf8(at).ok());
        let at: i64 = at
            .and_then(|at| at.parse().ok())
            .ok_or_else(|| corrupt("answer", "without a time"))?;
        if at < millis(now) - REQUEST_MEMORY_MS {
            return Ok(None);
        }
        answered(kept, request).map(Some)
    }

    pub(super) fn log(self) -> Result<LogPage, StoreError> {
        let [first, newest, changes_trimmed, entries] = self.parts()?;
        let entries = list(entries)?.into_iter().map(log::entry);
        let entries = entries.collect::<Result<_, _>>()?;
        let trimmed = match bytes(&first)? {
            b"" => number(&newest)?,
            first => position(first)?.saturating_sub(1),
        };
        Ok(LogPage {
            entries,
            trimmed,
            changes_trimmed: number(&changes_trimmed)?,
        })
    }

    /// The feed's id, if the tenant's keys are of this layout.
    pub(super) fn feed_id(self) -> Result<u64, StoreError> {
        let [layout, feed_id] = self.parts()?;
        let layout: u64 = number(&layout)?;
        if layout != keys::LAYOUT {
            return Err(StoreError::Corrupt {
                what: "tenant",
                problem: format!("it has layout {layout}; this version reads layout {}", keys::LAYOUT),
            });
        }
        number(&feed_id)
    }

    pub(super) fn claims(self, tenant: &Tenant) -> Result<Claims, StoreError> {
        let [claims, next_due, unreadable] = self.parts()?;
        for one in list(unreadable)? {
            let shown = id(&one)?;
            tracing::error!(scim.resource.id = %shown, "a piece of work cannot be read; it is left alone");
        }
        let claim = |value| {
            let [of, kind, token, stamp, attempts, since, traceparent, braked, released] = parts(value)?;
            let traceparent = text(&traceparent)?;
            Ok(Claim {
                tenant: tenant.clone(),
                kind: kind_of(bytes(&kind)?).ok_or_else(|| corrupt("kind", "in the work"))?,
                id: id(&of)?,
                token: number(&token)?,
                stamp: number(&stamp)?,
                attempts: number(&attempts)?,
                since: time(number(&since)?)?,
                braked: brake(&braked)?,
                released: number::<u8>(&released)? == 1,
                traceparent: (!traceparent.is_empty()).then_some(traceparent),
            })
        };
        let next_due = match bytes(&next_due)? {
            b"" => None,
            _ => Some(time(number::<f64>(&next_due)? as i64)?),
        };
        Ok(Claims {
            claims: list(claims)?
                .into_iter()
                .map(claim)
                .collect::<Result<_, StoreError>>()?,
            next_due,
        })
    }

    pub(super) fn order(self, claim: &Claim) -> Result<Option<Order>, StoreError> {
        let answer = self.list()?;
        if answer.is_empty() {
            return Ok(None);
        }
        let [raw, kept, batch] = parts(Value::Array(answer))?;
        let member = |value| {
            let [of, stamp, wanted, platform_id] = parts(value)?;
            Ok(PendingMember {
                id: id(&of)?,
                stamp: number(&stamp)?,
                wanted: number::<u8>(&wanted)? == 1,
                platform_id: text(&platform_id)?,
            })
        };
        let record = match bytes(&raw)? {
            b"" => None,
            _ => Some(record(claim.kind, claim.id, &raw)?),
        };
        Ok(Some(Order {
            record,
            link: link(&kept)?.unwrap_or_default(),
            batch: list(batch)?
                .into_iter()
                .map(member)
                .collect::<Result<_, StoreError>>()?,
        }))
    }

    pub(super) fn intent(self) -> Result<Intent, StoreError> {
        let answer = self.list()?;
        match answer.first().map(bytes).transpose()? {
            Some(b"noted") => Ok(Intent::Noted),
            Some(b"void") => Ok(Intent::Void),
            Some(b"taken") if answer.len() == 2 => Ok(Intent::Taken(id(&answer[1])?)),
            _ => Err(corrupt("answer", "to an intent")),
        }
    }

    pub(super) fn link(self) -> Result<Option<Link>, StoreError> {
        link(&self.value)
    }

    pub(super) fn owner(self) -> Result<Option<Owner>, StoreError> {
        let answer = self.list()?;
        if answer.is_empty() {
            return Ok(None);
        }
        let [of, at_rest] = parts(Value::Array(answer))?;
        Ok(Some(Owner {
            id: id(&of)?,
            at_rest: number::<u8>(&at_rest)? == 1,
        }))
    }

    /// Who owns each of some objects. One that cannot be read must not hide the others.
    pub(super) fn owned(self, kind: Kind) -> Result<Vec<Option<Owned>>, StoreError> {
        self.list()?.into_iter().map(|value| owned(kind, value)).collect()
    }

    pub(super) fn delivery(self) -> Result<Option<Delivery>, StoreError> {
        match self.value {
            Value::Array(parts) if parts.is_empty() => Ok(None),
            value => delivery(value).map(Some),
        }
    }

    /// A page of deliveries, in order, and after which to go on if there may be more.
    pub(super) fn deliveries(self, limit: usize) -> Result<(Vec<Delivery>, Option<ResourceId>), StoreError> {
        let [found, ends] = self.parts()?;
        let deliveries = list(found)?.into_iter().map(delivery).collect::<Result<_, _>>()?;
        page(deliveries, |delivery: &Delivery| delivery.id, ends, limit)
    }

    // === Moving ===

    /// Which entry of an import did not fit, counted from 1, and why.
    pub(super) fn unfit(self) -> Result<Option<(usize, String)>, StoreError> {
        match self.list()?.as_slice() {
            [] => Ok(None),
            [nth, problem] => Ok(Some((number(nth)?, text(problem)?))),
            _ => Err(corrupt("answer", "to an import")),
        }
    }

    pub(super) fn numbers(self) -> Result<Vec<u64>, StoreError> {
        self.list()?.iter().map(number).collect()
    }

    pub(super) fn newest_stamp(self) -> Result<u64, StoreError> {
        let [stamp, _] = self.parts()?;
        number(&stamp)
    }

    pub(super) fn import_mark(self) -> Result<Option<ImportMark>, StoreError> {
        let [_, mark] = self.parts()?;
        match bytes(&mark)? {
            b"" => Ok(None),
            raw => json("mark of an import", raw).map(Some),
        }
    }

    pub(super) fn kept_links(self) -> Result<Vec<Option<KeptLink>>, StoreError> {
        self.list()?.iter().map(kept_link).collect()
    }

    /// Tombstones, and whether a new resource of the name meets each.
    pub(super) fn tombstones(self) -> Result<Vec<(Tombstone, bool)>, StoreError> {
        let one = |value| {
            let [raw, newest] = parts(value)?;
            Ok((tombstone(bytes(&raw)?)?, number::<u8>(&newest)? == 1))
        };
        self.list()?.into_iter().map(one).collect()
    }

    pub(super) fn unconfirmed(self) -> Result<Vec<(ResourceId, Stage, u64)>, StoreError> {
        let one = |value| {
            let [member, stage, stamp] = parts(value)?;
            Ok((id(&member)?, Stage::from_number(number(&stage)?), number(&stamp)?))
        };
        self.list()?.into_iter().map(one).collect()
    }

    /// Chores: the number, about which resource, the last one that it was done to.
    pub(super) fn chores(self) -> Result<Vec<(u8, ResourceId, Option<ResourceId>)>, StoreError> {
        let one = |value| {
            let [chore, of, after] = parts(value)?;
            let after = match bytes(&after)? {
                b"" => None,
                _ => Some(id(&after)?),
            };
            Ok((number(&chore)?, id(&of)?, after))
        };
        self.list()?.into_iter().map(one).collect()
    }

    /// A pre-image, of a resource of either kind: its record says neither kind nor id.
    pub(super) fn pre_image(self, kind: Kind, of: ResourceId) -> Result<Option<PreImage>, StoreError> {
        let kept = bytes(&self.value)?;
        if kept.is_empty() {
            return Ok(None);
        }
        pre_image(kind, of, kept).map(Some)
    }

    /// The pre-images of these, and which of their names are reserved.
    pub(super) fn images(
        self,
        of: impl Iterator<Item = (Kind, ResourceId)>,
    ) -> Result<Vec<Option<KeptImage>>, StoreError> {
        let one = |(value, (kind, id))| {
            let [kept, reserved] = parts(value)?;
            if bytes(&kept)?.is_empty() {
                return Ok(None);
            }
            let image = pre_image(kind, id, bytes(&kept)?)?;
            let reserved = list(reserved)?.iter().map(text).collect::<Result<_, _>>()?;
            Ok(Some(KeptImage { image, reserved }))
        };
        self.list()?.into_iter().zip(of).map(one).collect()
    }

    pub(super) fn reverted(self, revert: &Revert) -> Result<Reverted, StoreError> {
        let mut answer = self.list()?.into_iter();
        let mut next = || answer.next().ok_or_else(|| corrupt("answer", "of a revert"));
        let status = next()?;
        Ok(match bytes(&status)? {
            b"restored" => Reverted::Restored(record(revert.kind, revert.id, &next()?)?),
            b"removed" => Reverted::Removed,
            b"moved" => Reverted::Not(WhyNot::Moved),
            b"unknown" => Reverted::Not(WhyNot::Unknown),
            b"under_way" => Reverted::Not(WhyNot::UnderWay),
            b"referred" => Reverted::Not(WhyNot::Referred),
            b"name_taken" => Reverted::Not(WhyNot::NameTaken),
            _ => return Err(corrupt("answer", "of a revert")),
        })
    }

    /// Where members stand, and their stamps.
    pub(super) fn stages(self) -> Result<Vec<Option<(Stage, u64)>>, StoreError> {
        let one = |value| {
            let answer = list(value)?;
            if answer.is_empty() {
                return Ok(None);
            }
            let [stage, stamp] = parts(Value::Array(answer))?;
            // A score comes as a text that may have an exponent.
            let stage = number::<f64>(&stage)? as u64;
            Ok(Some((Stage::from_number(stage), number(&stamp)?)))
        };
        self.list()?.into_iter().map(one).collect()
    }

    pub(super) fn pause(self) -> Result<Option<Pause>, StoreError> {
        match bytes(&self.value)? {
            b"" => Ok(None),
            raw => json("pause", raw).map(Some),
        }
    }

    /// A text that is not there if it is empty.
    pub(super) fn optional_text(self) -> Result<Option<String>, StoreError> {
        let text = text(&self.value)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    pub(super) fn summary(self) -> Result<Summary, StoreError> {
        let [users, groups, pending, refused, held, planned, oldest @ ..]: [Value; 12] = self.parts()?;
        let at = |value: &Value| match bytes(value)? {
            b"" => Ok(None),
            _ => Ok(Some(time(number::<f64>(value)? as i64)?)),
        };
        let [
            oldest_pending,
            oldest_refused,
            oldest_planned,
            by_removals,
            by_deactivations,
            by_alarm,
        ] = &oldest;
        Ok(Summary {
            users: number(&users)?,
            groups: number(&groups)?,
            pending: number(&pending)?,
            refused: number(&refused)?,
            held: number(&held)?,
            planned: number(&planned)?,
            oldest_pending: at(oldest_pending)?,
            oldest_refused: at(oldest_refused)?,
            oldest_planned: at(oldest_planned)?,
            oldest_held: [at(by_removals)?, at(by_deactivations)?, at(by_alarm)?],
        })
    }
}
