//! How far a resource has got on its way to the Platform: a read-only extension of both types. It is returned on request alone,
//! so that it costs and shows nothing to whom it does not concern.

use super::{Attribute, AttributeType, Returned, Schema, URN_DELIVERY};

pub(super) fn schema() -> Schema {
    let text = |name: &str, description: &str| Attribute::text(name, description);
    let attributes = vec![
        text("state", "How far the resource has got.").canonical(&["pending", "applied", "refused", "held", "planned"]),
        text("platformId", "The id of its account or group on the Delinea Platform.").case_exact(),
        text("appliedVersion", "The entity tag of the version that the Platform has.").case_exact(),
        text(
            "lastError",
            "Why the last delivery failed, in the Platform's words where it had any.",
        ),
        Attribute::new("nextAttempt", AttributeType::DateTime, "When it is tried again."),
    ];
    Schema {
        id: URN_DELIVERY.to_owned(),
        name: "Delivery".to_owned(),
        description: "How far the resource has got on its way to the Delinea Platform.".to_owned(),
        attributes: attributes
            .into_iter()
            .map(|attribute| attribute.read_only().returned(Returned::Request))
            .collect(),
    }
}
