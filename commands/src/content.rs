//! JSON bodies as canonical content: the same value has the same bytes, whoever sends it.
//!
//! Duplicate names, floats and nesting beyond the codec's bound are refused, so that no two readers
//! of a body can understand it differently.

use std::fmt;

use chancery_ledger::codec::{DEPTH_MAX, Key, Value};
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use crate::problem::Problem;

/// Largest body of a command: 512 KiB.
pub const BODY_LEN_MAX: usize = 512 << 10;

/// Reads a JSON body.
///
/// # Errors
///
/// 400 `json_malformed` or `json_not_canonical`, with the place.
pub fn parse(body: &[u8]) -> Result<Value, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value =
        reader.deserialize_any(Content { depth: 0 }).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        let code = if error.is_data() { "json_not_canonical" } else { "json_malformed" };
        Problem::bad_request(code, format!("The body is not acceptable JSON: {error}."))
    })
}

/// A value as JSON, for people and clients. The inverse of [`parse`] for what it accepts; a byte
/// string, which no payload has, becomes base64url.
pub fn to_json(value: &Value) -> serde_json::Value {
    use base64::Engine as _;
    use serde_json::Value as Json;
    match value {
        Value::Int(number) => u64::try_from(*number)
            .map(Json::from)
            .or_else(|_| i64::try_from(*number).map(Json::from))
            .unwrap_or_else(|_| Json::from(number.to_string())),
        Value::Bytes(bytes) => {
            Json::from(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
        }
        Value::Text(text) => Json::from(text.as_str()),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| {
                let name = match key {
                    Key::Uint(number) => number.to_string(),
                    Key::Nint(number) => format!("-{}", u128::from(*number) + 1),
                    Key::Text(text) => text.0.clone(),
                };
                (name, to_json(value))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Bool(bool) => Json::from(*bool),
        Value::Null => Json::Null,
    }
}

#[derive(Clone, Copy)]
struct Content {
    depth: usize,
}

impl Content {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth + 1 < DEPTH_MAX {
            Ok(Self { depth: self.depth + 1 })
        } else {
            Err(E::custom(format!("nested deeper than {DEPTH_MAX}")))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Content {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Content {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without fractions")
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a fraction; write it as a text"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = std::collections::BTreeMap::new();
        while let Some(name) = pairs.next_key::<String>()? {
            let value = pairs.next_value_seed(inner)?;
            if map.insert(Key::from(name.as_str()), value).is_some() {
                return Err(A::Error::custom(format!("the name {name:?} stands twice")));
            }
        }
        Ok(Value::Map(map.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> String {
        parse(body.as_bytes())
            .map_or_else(|problem| problem.code().to_owned(), |_| "fine".to_owned())
    }

    #[test]
    fn spelling_does_not_change_the_content() {
        let one = parse(br#"{"b":[1,-2,null],"a":"\u00e9"}"#).unwrap();
        let other = parse("{ \"a\" : \"é\", \"b\" : [ 1, -2, null ] }".as_bytes()).unwrap();
        assert_eq!(one, other);
        assert_eq!(to_json(&one).to_string(), r#"{"a":"é","b":[1,-2,null]}"#);
    }

    #[test]
    fn ambiguous_and_broken_bodies_are_refused() {
        assert_eq!(code(r#"{"a":1,"a":2}"#), "json_not_canonical");
        assert_eq!(code(r#"{"a":1.5}"#), "json_not_canonical");
        assert_eq!(code(&format!("{}1{}", "[".repeat(80), "]".repeat(80))), "json_not_canonical");
        assert_eq!(code("{"), "json_malformed");
        assert_eq!(code("{} {}"), "json_malformed");
        assert_eq!(code(""), "json_malformed");
    }
}
