//! How far resources have got on their way to the Platform, as the read-only extension that is returned on request. Where it is
//! not asked for, it costs nothing.

use std::collections::HashMap;

use proto::identity::v1::{BatchGetDeliveriesRequest, Delivery, DeliveryState};
use scim::{ResourceSchema, URN_DELIVERY};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::error::Problem;

/// How many are asked for in one call: a page of resources may be larger.
const MOST_AT_ONCE: usize = 1_000;

/// The extension of each resource, by the resource's id.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(HashMap<String, Value>);

impl Deliveries {
    /// The deliveries of these resources, if they are asked for.
    pub(crate) async fn of<'i>(
        call: &Call,
        schema: &ResourceSchema,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Result<Self, Problem> {
        if !call.query.projection.wants_extension(schema, URN_DELIVERY) {
            return Ok(Self::default());
        }
        let resource_ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        let mut all = HashMap::new();
        for resource_ids in resource_ids.chunks(MOST_AT_ONCE) {
            let message = BatchGetDeliveriesRequest {
                tenant: call.tenant(),
                resource_ids: resource_ids.to_vec(),
            };
            let identity = &call.gateway.identity;
            let found = identity.batch_get_deliveries(message, call.terms()).await?;
            let shown = found.deliveries.into_iter().map(|delivery| {
                let id = delivery.resource_id.clone();
                (id, shown(&delivery))
            });
            all.extend(shown);
        }
        Ok(Self(all))
    }

    /// Adds a resource's to it.
    pub(crate) fn add_to(&mut self, resource: &mut Value) {
        let id = resource.get("id").and_then(Value::as_str);
        if let Some(extension) = id.and_then(|id| self.0.remove(id)) {
            resource[URN_DELIVERY] = extension;
        }
    }
}

fn shown(delivery: &Delivery) -> Value {
    let state = match delivery.state() {
        DeliveryState::Pending => "pending",
        DeliveryState::Refused => "refused",
        DeliveryState::Held => "held",
        DeliveryState::Planned => "planned",
        DeliveryState::Applied | DeliveryState::Unspecified => "applied",
    };
    let applied = (delivery.applied_version > 0).then(|| json!(format!("W/\"{}\"", delivery.applied_version)));
    let optional = [
        ("platformId", delivery.platform_id.as_ref().map(|id| json!(id))),
        ("appliedVersion", applied),
        ("lastError", delivery.last_error.as_ref().map(|error| json!(error))),
        (
            "nextAttempt",
            delivery.next_attempt_at.as_ref().and_then(|at| {
                let at = proto::time::from_proto(at)?;
                Some(json!(format!("{at:.3}")))
            }),
        ),
    ];
    let mut extension = Map::new();
    extension.insert("state".to_owned(), json!(state));
    extension.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    Value::Object(extension)
}
