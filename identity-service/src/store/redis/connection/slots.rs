//! The slots of a Redis Cluster: which one a key is in, and which node has which. Pure.

use redis::Value;

use super::target::Host;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// Slots that one node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    pub(super) node: Host,
}

impl Range {
    pub(super) fn contains(&self, slot: u16) -> bool {
        (self.first..=self.last).contains(&slot)
    }
}

/// The slot of a key: of its hash tag, if it has one that is not empty.
pub(super) fn of(key: &str) -> u16 {
    crc16(tag(key).unwrap_or(key).as_bytes()) % SLOTS
}

/// What stands between the first `{` and the next `}`.
pub(super) fn tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

/// CRC-16/XMODEM, as the Cluster specification has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let shifted = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(shifted, |crc: u16, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

/// Whether each slot has a node.
pub(super) fn cover_all(ranges: &[Range]) -> bool {
    let covered: u32 = ranges.iter().map(|range| u32::from(range.last - range.first) + 1).sum();
    covered >= u32::from(SLOTS)
}

/// Reads the answer to CLUSTER SLOTS. A node that does not know its own name is known by the one it was `asked` under.
pub(super) fn read(answer: &Value, asked: &Host) -> Vec<Range> {
    let Value::Array(rows) = answer else {
        return Vec::new();
    };
    rows.iter().filter_map(|row| read_row(row, asked)).collect()
}

fn read_row(row: &Value, asked: &Host) -> Option<Range> {
    let Value::Array(parts) = row else { return None };
    let [first, last, Value::Array(master), ..] = parts.as_slice() else {
        return None;
    };
    let [name, port, ..] = master.as_slice() else {
        return None;
    };
    let name = match name {
        Value::BulkString(name) => String::from_utf8(name.clone()).ok()?,
        Value::SimpleString(name) => name.clone(),
        _ => String::new(),
    };
    // `?` is what Redis says of a node whose host name it was never told.
    let name = if name.is_empty() || name == "?" {
        asked.name.clone()
    } else {
        name
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && last < SLOTS).then(|| Range {
        first,
        last,
        node: Host::new(name, number(port).unwrap_or(asked.port)),
    })
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_slot_of_its_hash_tag() {
        // The first is the check value of the Cluster specification.
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(of("foo"), 12_182);
        assert_eq!(of("scim:{foo}:users"), 12_182);
        assert_eq!(of("{}foo"), crc16(b"{}foo") % SLOTS, "an empty tag is none");
        assert_eq!(of("{foo"), crc16(b"{foo") % SLOTS);
        assert_eq!(tag("a{b}{c}"), Some("b"));
    }

    #[test]
    fn a_table_of_slots_is_read_whole_or_known_to_be_incomplete() {
        let node = |name: Value, port| Value::Array(vec![name, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        let row = |first, last, master| Value::Array(vec![Value::Int(first), Value::Int(last), master]);
        let name = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let asked = Host::new("seed", 7000);
        let mut rows = vec![
            row(0, 8191, node(name("10.0.0.1"), 7001)),
            row(8192, 12_000, node(name(""), 7002)),
            row(12_001, 16_382, node(Value::Nil, 7003)),
            Value::Nil,
        ];
        let ranges = read(&Value::Array(rows.clone()), &asked);
        assert_eq!(ranges[0].node, Host::new("10.0.0.1", 7001));
        assert_eq!(ranges[1].node, Host::new("seed", 7002));
        assert_eq!(ranges[2].node, Host::new("seed", 7003));
        assert!(!cover_all(&ranges));
        rows.push(row(16_383, 16_383, node(name("10.0.0.1"), 7001)));
        let ranges = read(&Value::Array(rows), &asked);
        assert!(cover_all(&ranges));
        assert!(ranges[1].contains(8192) && ranges[1].contains(12_000) && !ranges[1].contains(12_001));
        assert!(read(&Value::Okay, &asked).is_empty());
    }
}
