//! The wire form of commands and events: CBOR maps with text keys, the JSON data model without
//! floats. Ids, digests and keys are texts, so that a payload reads the same in JSON.

#[macro_use]
mod record;
pub mod v1;

use std::str::FromStr;

use chancery_ledger::codec::Value;
use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;

use crate::reason::{Code, Rejection};

/// Most items of a list in a command or event.
pub const ITEMS_MAX: usize = 10_000;

/// A type with one wire form.
pub trait Wire: Sized {
    /// Its data item.
    fn encode(&self) -> Value;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`WireError`] with the path of the field at fault.
    fn decode(value: &Value) -> Result<Self, WireError>;

    /// What stands for a missing field, where a field may be missing.
    fn missing() -> Option<Self> {
        None
    }
}

/// A field that is missing, unknown or of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct WireError {
    /// The field, as in `columns[2].type`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl WireError {
    /// A fault of the value itself.
    pub fn here(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    /// The same fault, seen from the map or list around it.
    #[must_use]
    pub fn within(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

impl From<WireError> for Rejection {
    fn from(error: WireError) -> Self {
        Self::new(Code::InvalidContent, error.to_string())
    }
}

impl Wire for u64 {
    fn encode(&self) -> Value {
        Value::from(*self)
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        match value {
            Value::Int(number) => Self::try_from(*number).ok(),
            _ => None,
        }
        .ok_or_else(|| WireError::here("expected an integer from 0 to 2^64 - 1"))
    }
}

impl Wire for i64 {
    fn encode(&self) -> Value {
        Value::Int((*self).into())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        match value {
            Value::Int(number) => Self::try_from(*number).ok(),
            _ => None,
        }
        .ok_or_else(|| WireError::here("expected a 64-bit integer"))
    }
}

impl Wire for bool {
    fn encode(&self) -> Value {
        Value::Bool(*self)
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        if let Value::Bool(bool) = value {
            Ok(*bool)
        } else {
            Err(WireError::here("expected true or false"))
        }
    }
}

impl Wire for String {
    fn encode(&self) -> Value {
        Value::text(self)
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        text(value).map(ToOwned::to_owned)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::encode)
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        if *value == Value::Null { Ok(None) } else { T::decode(value).map(Some) }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn encode(&self) -> Value {
        Value::Array(self.iter().map(T::encode).collect())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        let Value::Array(items) = value else { return Err(WireError::here("expected a list")) };
        if items.len() > ITEMS_MAX {
            return Err(WireError::here(format!("expected at most {ITEMS_MAX} items")));
        }
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, item)| {
                T::decode(item).map_err(|error| error.within(&format!("[{index}]")))
            })
            .collect()
    }
}

/// The text that a value is.
fn text(value: &Value) -> Result<&str, WireError> {
    if let Value::Text(text) = value { Ok(text) } else { Err(WireError::here("expected a text")) }
}

/// Reads a text by its own parser.
fn decode_text<T: FromStr>(value: &Value, expected: &str) -> Result<T, WireError> {
    text(value)?.parse().map_err(|_| WireError::here(format!("expected {expected}")))
}

impl Wire for Digest {
    fn encode(&self) -> Value {
        Value::text(self.to_string())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        decode_text(value, "`sha256:` and 64 lower-case hex digits")
    }
}

impl Wire for PublicKey {
    fn encode(&self) -> Value {
        Value::text(self.to_string())
    }

    fn decode(value: &Value) -> Result<Self, WireError> {
        decode_text(value, "`EdDSA:` or `ES256:` and a key in base64url")
    }
}

macro_rules! id_wire {
    ($($name:ident)*) => {$(
        impl Wire for chancery_ledger::id::$name {
            fn encode(&self) -> Value {
                Value::text(self.to_string())
            }

            fn decode(value: &Value) -> Result<Self, WireError> {
                decode_text(value, "a hyphenated lower-case UUID")
            }
        }
    )*};
}

id_wire! { CollaborationId MemberId InvitationId DatasetId QueryId RunId CommandId ChangeId RuleId }
