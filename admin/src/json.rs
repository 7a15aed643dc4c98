//! Messages of the contract as JSON, by the descriptors that the contract carries: lowerCamelCase names, enum values by name,
//! times in RFC 3339. Fields without presence are there even when they are 0. Other than proto3's JSON has it, 64-bit
//! numbers are numbers: none of ours reaches 2^53, and programs want to compare them.

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use proto::identity::v1 as wire;
use serde::{Serialize, Serializer};

use crate::error::Error;

/// A message of the contract, which knows its name there.
pub(crate) trait Contract: prost::Message {
    /// Its full name.
    const NAME: &'static str;
}

macro_rules! contract {
    ($($message:ident),* $(,)?) => {
        $(impl Contract for wire::$message {
            const NAME: &'static str = concat!("delinea.scim.identity.v1.", stringify!($message));
        })*
    };
}

contract!(
    ApplyDriftResponse,
    AuditEntry,
    CreateBearerTokenResponse,
    CreateClientResponse,
    Credential,
    Delivery,
    PauseDeliveriesResponse,
    PlanDriftResponse,
    RelinkEntry,
    RelinkSummary,
    ResumeDeliveriesResponse,
    RevokeCredentialResponse,
    RotateClientSecretResponse,
    RotateSigningKeyResponse,
    SummarizeDeliveriesResponse,
    WatchChangesResponse,
);

/// A message that is about to be JSON.
#[derive(Debug)]
pub(crate) struct Json(DynamicMessage);

impl Json {
    /// Makes it of a message.
    pub(crate) fn of<M: Contract>(message: &M) -> Result<Self, Error> {
        static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
        let pool = POOL.get_or_init(|| DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).ok());
        let known = pool.as_ref().and_then(|pool| pool.get_message_by_name(M::NAME));
        let known = known.ok_or_else(|| Error::Answer(format!("{} is not in the contract", M::NAME)))?;
        let bytes = message.encode_to_vec();
        let message = DynamicMessage::decode(known, &*bytes).map_err(|error| Error::Answer(error.to_string()))?;
        Ok(Self(message))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = SerializeOptions::new()
            .stringify_64_bit_integers(false)
            .skip_default_fields(false);
        self.0.serialize_with_options(serializer, &options)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_has_the_contracts_names() {
        let delivery = wire::Delivery {
            resource_type: "User".to_owned(),
            resource_id: "7".to_owned(),
            state: wire::DeliveryState::Refused.into(),
            version: 3,
            last_error: Some("No.".to_owned()),
            pending_since: Some(proto::time::to_proto("2026-11-23T10:00:00Z".parse().unwrap())),
            ..wire::Delivery::default()
        };
        assert_eq!(
            serde_json::to_value(Json::of(&delivery).unwrap()).unwrap(),
            json!({
                "resourceType": "User",
                "resourceId": "7",
                "state": "DELIVERY_STATE_REFUSED",
                "version": 3,
                "appliedVersion": 0,
                "deleted": false,
                "attempts": 0,
                "lastError": "No.",
                "pendingSince": "2026-11-23T10:00:00Z",
                "pendingMembers": 0,
                "brake": "BRAKE_UNSPECIFIED",
                "urgent": false,
                "plan": [],
            })
        );
    }

    #[test]
    fn every_message_that_is_printed_is_in_the_contract() {
        Json::of(&wire::AuditEntry::default()).unwrap();
        Json::of(&wire::PlanDriftResponse::default()).unwrap();
        Json::of(&wire::ApplyDriftResponse::default()).unwrap();
        Json::of(&wire::PauseDeliveriesResponse::default()).unwrap();
        Json::of(&wire::RelinkEntry::default()).unwrap();
        Json::of(&wire::RelinkSummary::default()).unwrap();
        Json::of(&wire::ResumeDeliveriesResponse::default()).unwrap();
        Json::of(&wire::SummarizeDeliveriesResponse::default()).unwrap();
        Json::of(&wire::WatchChangesResponse::default()).unwrap();
    }
}
