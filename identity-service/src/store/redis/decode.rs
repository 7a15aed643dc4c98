//! What a script answered, as the types of the store. An answer of another shape than expected is corrupt, never a panic.

mod values;

use jiff::Timestamp;
use redis::Value;

use self::values::{
    answered, bytes, change, corrupt, delivery, id, link, list, number, parts, position, record, text, time,
};
use super::{
    args::REQUEST_MEMORY_MS,
    keys::{self, kind_of, millis},
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    record::Record,
    store::{
        Change, Changes, Claim, Claims, Delivery, Intent, Link, Member, Order, Owner, PendingMember, RequestKey,
        StoreError, Summary, Write, WriteError, Written,
    },
};

/// An answer, and what was being done.
pub(super) struct Reply {
    value: Value,
    doing: &'static str,
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

    /// The ids of a listing, and the records of them that could still be found.
    pub(super) fn listing(self, kind: Kind) -> Result<(Vec<ResourceId>, Vec<Record>), StoreError> {
        let doing = self.doing;
        let [ids, records] = self.parts()?;
        let ids = Self::new(ids, doing).ids()?;
        let records = Self::new(records, doing).records(kind, &ids)?;
        Ok((ids, records))
    }

    pub(super) fn members(self) -> Result<Vec<Member>, StoreError> {
        let member = |value| {
            let [id_value, unknown] = parts(value)?;
            Ok(Member {
                id: id(&id_value)?,
                kind: (number::<u8>(&unknown)? == 0).then_some(Kind::User),
            })
        };
        self.list()?.into_iter().map(member).collect()
    }

    pub(super) fn written(self, write: &Write) -> Result<Written, WriteError> {
        let mut answer = self.list()?.into_iter();
        let mut next = || answer.next().ok_or_else(|| corrupt("answer", "of a write"));
        let status = next()?;
        Err(match bytes(&status)? {
            b"ok" => {
                return Ok(Written {
                    record: record(write.kind, write.id, &next()?)?,
                    changed: number::<u8>(&next()?)? == 1,
                    replaced_out: number(&next()?)?,
                });
            }
            b"not_found" => WriteError::NotFound,
            b"name_taken" => WriteError::NameTaken,
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
                return answered(bytes(&next()?)?, request);
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

    pub(super) fn changes(self) -> Result<Changes, StoreError> {
        let [first, newest, entries] = self.parts()?;
        let changes: Vec<Change> = list(entries)?.into_iter().map(change).collect::<Result<_, _>>()?;
        let trimmed = match bytes(&first)? {
            b"" => number(&newest)?,
            first => position(first)?.saturating_sub(1),
        };
        Ok(Changes { changes, trimmed })
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
            let [of, kind, token, stamp, attempts, traceparent] = parts(value)?;
            let traceparent = text(&traceparent)?;
            Ok(Claim {
                tenant: tenant.clone(),
                kind: kind_of(bytes(&kind)?).ok_or_else(|| corrupt("kind", "in the work"))?,
                id: id(&of)?,
                token: number(&token)?,
                stamp: number(&stamp)?,
                attempts: number(&attempts)?,
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

    pub(super) fn delivery(self) -> Result<Option<Delivery>, StoreError> {
        match self.value {
            Value::Array(parts) if parts.is_empty() => Ok(None),
            value => delivery(value).map(Some),
        }
    }

    /// A page of deliveries, in order, and after which to go on if there may be more.
    pub(super) fn deliveries(self, limit: usize) -> Result<(Vec<Delivery>, Option<ResourceId>), StoreError> {
        let [found, ends] = self.parts()?;
        let mut deliveries: Vec<Delivery> = list(found)?.into_iter().map(delivery).collect::<Result<_, _>>()?;
        deliveries.sort_unstable_by_key(|delivery| delivery.id);
        // Beyond the end of a page that was full, the other state's entries may come too soon.
        let ends: Vec<ResourceId> = list(ends)?.iter().map(id).collect::<Result<_, _>>()?;
        if let Some(end) = ends.iter().min() {
            deliveries.retain(|delivery| delivery.id <= *end);
        }
        deliveries.truncate(limit);
        Ok((deliveries, ends.into_iter().min()))
    }

    pub(super) fn summary(self) -> Result<Summary, StoreError> {
        let [users, groups, pending, refused] = self.parts()?;
        Ok(Summary {
            users: number(&users)?,
            groups: number(&groups)?,
            pending: number(&pending)?,
            refused: number(&refused)?,
        })
    }
}
