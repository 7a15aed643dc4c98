//! JSON as it comes from a client: UTF-8, of bounded depth, and unambiguous. An object that names a member twice is
//! refused: with either of the two ignored, a 2xx would hide an operation that was not done.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Problem;

/// Reads a whole body; what is wrong with it is told with its position.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
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
    let value = Unambiguous.deserialize(&mut reader);
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        // serde_json's text ends in the position.
        Problem::invalid_syntax(format!("The body is not usable JSON: {error}."))
    })
}

/// Reads any JSON value in which no object names a member twice. The depth is bounded by serde_json.
struct Unambiguous;

impl<'de> DeserializeSeed<'de> for Unambiguous {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Unambiguous)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the member {name:?} is there twice")));
            }
            let value = members.next_value_seed(Unambiguous)?;
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
            assert_eq!(parse(text.as_bytes()).unwrap(), value, "{text}");
        }
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
            let problem = parse(bytes).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.scim_type),
                (400, Some("invalidSyntax"))
            );
            assert!(problem.detail.contains(part), "{:?}", problem.detail);
        }
    }
}
