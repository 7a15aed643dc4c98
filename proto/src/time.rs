//! Timestamps of the contract, from and to the clock's own type.

use jiff::Timestamp;

/// A clock reading as the contract's timestamp.
pub fn to_proto(at: Timestamp) -> prost_types::Timestamp {
    // Before 1970 jiff counts nanoseconds backwards, protobuf forwards.
    match at.subsec_nanosecond() {
        nanos @ ..0 => prost_types::Timestamp {
            seconds: at.as_second() - 1,
            nanos: nanos + 1_000_000_000,
        },
        nanos => prost_types::Timestamp {
            seconds: at.as_second(),
            nanos,
        },
    }
}

/// The contract's timestamp as a clock reading; `None` when it is out of range.
pub fn from_proto(at: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(at.seconds, at.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_way_there_and_back() {
        for text in [
            "2026-11-23T10:00:00Z",
            "1969-12-31T23:59:59.25Z",
            "2015-10-10T14:38:21.861797901Z",
        ] {
            let at: Timestamp = text.parse().unwrap();
            let proto = to_proto(at);
            assert!((0..1_000_000_000).contains(&proto.nanos), "{text}");
            assert_eq!(from_proto(&proto), Some(at));
        }
    }

    #[test]
    fn a_time_out_of_range_is_none() {
        assert_eq!(
            from_proto(&prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0
            }),
            None
        );
    }
}
