//! From what an event says to its document.

use chancery_governance::wire::Wire;
use chancery_ledger::codec::{Key, Value};
use serde::de::DeserializeOwned;

use crate::fold::Illegal;

/// The document of what an event says: its wire form, which reads the same in JSON.
pub(crate) fn document<T: DeserializeOwned>(said: &impl Wire) -> Result<T, Illegal> {
    const OTHER: Illegal = "its payload has a form that the views do not know";
    serde_json::from_value(json(said.encode()).ok_or(OTHER)?).map_err(|_| OTHER)
}

fn json(value: Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match value {
        Value::Int(number) => match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            (Err(_), Err(_)) => return None,
        },
        Value::Text(text) => Json::String(text),
        Value::Bool(bool) => Json::Bool(bool),
        Value::Null => Json::Null,
        Value::Array(items) => Json::Array(items.into_iter().map(json).collect::<Option<_>>()?),
        Value::Map(map) => Json::Object(
            map.into_iter()
                .map(|(key, value)| match key {
                    Key::Text(name) => Some((name.0, json(value)?)),
                    Key::Uint(_) | Key::Nint(_) => None,
                })
                .collect::<Option<_>>()?,
        ),
        Value::Bytes(_) => return None,
    })
}
