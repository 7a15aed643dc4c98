//! How the messages' odd fields stand in JSON: times as RFC 3339, extensions under their URNs.
//!
//! Called by the serde that `build.rs` derives; nothing else should need it.

/// `google.protobuf.Timestamp` as an RFC 3339 text in UTC, to the millisecond when it has no finer part.
pub mod timestamp {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::Error as _};

    /// Writes the time as text; an absent time is not written at all.
    pub fn serialize<S: Serializer>(at: &Option<prost_types::Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(at) = at else {
            return serializer.serialize_none();
        };
        let at = crate::time::from_proto(at).ok_or_else(|| S::Error::custom("a timestamp is out of range"))?;
        if at.subsec_nanosecond() % 1_000_000 == 0 {
            serializer.collect_str(&format_args!("{at:.3}"))
        } else {
            serializer.collect_str(&at)
        }
    }

    /// Reads an RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<prost_types::Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let at: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Some(crate::time::to_proto(at)))
    }
}

/// Extensions: a map from URN to JSON text in the message, members of the resource in JSON.
pub mod extensions {
    use std::collections::HashMap;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::Error as _, ser::SerializeMap};
    use serde_json::Value;

    /// Writes each extension as a member named by its URN, in the URNs' order.
    pub fn serialize<S: Serializer>(extensions: &HashMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: Vec<_> = extensions.iter().collect();
        sorted.sort_unstable();
        let mut map = serializer.serialize_map(Some(sorted.len()))?;
        for (urn, text) in sorted {
            let value: Value = serde_json::from_str(text)
                .map_err(|error| S::Error::custom(format_args!("the extension {urn} is not JSON: {error}")))?;
            map.serialize_entry(urn, &value)?;
        }
        map.end()
    }

    /// Keeps the members that are named by a URN and drops whatever else was left over.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
        let rest = HashMap::<String, Value>::deserialize(deserializer)?;
        rest.into_iter()
            .filter(|(name, _)| name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("urn:")))
            .map(|(urn, value)| Ok((urn, serde_json::to_string(&value).map_err(D::Error::custom)?)))
            .collect()
    }
}
