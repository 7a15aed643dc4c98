//! JSON as it comes from a client: UTF-8, of bounded depth and number of values, and unambiguous. An object that names a
//! member twice is refused: with either of the two ignored, a 2xx would hide an operation that was not done.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Problem;

/// A small value takes many times its text in memory. So there may be one value for so many bytes of the largest body: a
/// group's member with its id has fewer.
const BYTES_FOR_A_VALUE: u64 = 20;
/// This many there may always be.
const FEW_VALUES: u64 = 10_000;

/// How many values a body of at most so many bytes may have. Nulls are not counted, and bare values in a list twice: each
/// may stand for an object with that value.
fn most_values(limit: u64) -> usize {
    usize::try_from((limit / BYTES_FOR_A_VALUE).max(FEW_VALUES)).unwrap_or(usize::MAX)
}

/// Reads a whole body of a kind that may have `limit` bytes; what is wrong with it is told with its position.
pub(crate) fn parse(bytes: &[u8], limit: u64) -> Result<Value, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::invalid_syntax(format!(
            "The body is not UTF-8 from byte {} on.",
            error.valid_up_to() + 1
        ))
    })?;
    // RFC 8259 §8.1 lets a reader pass over a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Problem::invalid_syntax("The body is empty; expected JSON."));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let most = most_values(limit);
    let left = Cell::new(Some(most));
    let bounded = Bounded {
        left: &left,
        listed: false,
    };
    let value = bounded.deserialize(&mut reader);
    if left.get().is_none() {
        return Err(Problem::too_many_values(most));
    }
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        // serde_json's text ends in the position.
        Problem::invalid_syntax(format!("The body is not usable JSON: {error}."))
    })
}

/// Reads any JSON value in which no object names a member twice, as long as there are values left. The depth is bounded by
/// serde_json.
#[derive(Clone, Copy)]
struct Bounded<'l> {
    /// How many more values there may be; `None` when there was one too many.
    left: &'l Cell<Option<usize>>,
    /// Whether the value is an element of a list.
    listed: bool,
}

impl Bounded<'_> {
    fn one<E: serde::de::Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.count(1 + usize::from(self.listed)).map(|()| value.into())
    }

    fn count<E: serde::de::Error>(self, values: usize) -> Result<(), E> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(values)));
        match self.left.get() {
            Some(_) => Ok(()),
            None => Err(E::custom("too many values")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.count(1)?;
        let mut array = Vec::new();
        let element = Self { listed: true, ..self };
        while let Some(element) = elements.next_element_seed(element)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.count(1)?;
        let inner = Self { listed: false, ..self };
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the member {name:?} is there twice")));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_as_it_stands() {
        for (text, value) in [
            ("{}", json!({})),
            (
                "\u{feff} [1, -2, 3.5, \"x\\u0041\", true, null]\n",
                json!([1, -2, 3.5, "xA", true, null]),
            ),
            (
                r#"{"a": {"a": 1}, "b": [{"a": 2}]}"#,
                json!({"a": {"a": 1}, "b": [{"a": 2}]}),
            ),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(parse(text.as_bytes(), 0).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn values_are_bounded_by_the_kind_of_body() {
        const LIMIT: u64 = 10 << 20;
        let status = |text: &str, limit| {
            parse(text.as_bytes(), limit)
                .map(drop)
                .map_err(|problem| problem.status.as_u16())
        };
        // As many members as a body of a group has room for, each with an address that says nothing.
        let member = format!(r#"{{"$ref":null,"value":"{}"}},"#, "u".repeat(36));
        let count = usize::try_from(LIMIT).unwrap() / member.len() - 1;
        let members = format!("[{}{{}}]", member.repeat(count));
        assert!(count > 170_000);
        assert_eq!(status(&members, LIMIT), Ok(()));
        for small in ["{\"a\":0},", "[],", "0,", "\"a\","] {
            let count = usize::try_from(LIMIT).unwrap() / small.len() - 1;
            assert_eq!(
                status(&format!("[{}0]", small.repeat(count)), LIMIT),
                Err(413),
                "{small}"
            );
        }
        let few = |count| format!("[{}0]", "0,".repeat(count));
        assert_eq!(status(&few(4_998), 1), Ok(()));
        assert_eq!(status(&few(5_000), 1), Err(413));
        assert_eq!(status(&few(5_000), 1 << 20), Ok(()));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_position() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let table: [(&[u8], &str); 11] = [
            (b"", "empty"),
            (b" \n", "empty"),
            (b"{\"a\":\n  1,}", "line 2 column"),
            (b"{\"a\":1} x", "line 1 column 9"),
            (b"userName=odile", "line 1 column 1"),
            (b"{\"a\":\"\\ud800\"}", "line 1 column"),
            (b"{\"a\":\"\xff\"}", "from byte 7 on"),
            (b"{\"a\":1e999}", "line 1 column"),
            (
                br#"{"a":1,"b":{"c":1,"c":2}}"#,
                r#"the member "c" is there twice at line 1 column"#,
            ),
            (br#"{"a":1,"\u0061":2}"#, r#"the member "a" is there twice"#),
            (deep.as_bytes(), "recursion limit"),
        ];
        for (bytes, part) in table {
            let problem = parse(bytes, 0).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.scim_type),
                (400, Some("invalidSyntax"))
            );
            assert!(problem.detail.contains(part), "{:?}", problem.detail);
        }
    }
}
