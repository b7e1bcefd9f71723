//! Macros that give domain types their wire form, field by field.

use std::collections::BTreeMap;

use chancery_ledger::codec::{Key, Value};

use super::{Wire, WireError};

/// The fields of a map, taken one by one; none may be left.
pub(super) struct Fields(BTreeMap<Key, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, WireError> {
        if let Value::Map(map) = value {
            Ok(Self(map))
        } else {
            Err(WireError::here("expected a map"))
        }
    }

    pub(super) fn take<T: Wire>(&mut self, name: &str) -> Result<T, WireError> {
        match self.0.remove(&Key::from(name)) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => T::missing().ok_or_else(|| WireError::here("is missing").within(name)),
        }
    }

    /// A field that is left out at its default.
    pub(super) fn take_late<T: Wire + Default>(&mut self, name: &str) -> Result<T, WireError> {
        match self.0.remove(&Key::from(name)) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => Ok(T::default()),
        }
    }

    pub(super) fn end(self) -> Result<(), WireError> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(Key::Text(name)) => Err(WireError::here("is not a known field").within(&name.0)),
            Some(Key::Uint(_) | Key::Nint(_)) => Err(WireError::here("a key is not a text")),
        }
    }
}

/// The fields with those that are not at their default after them.
pub(super) fn with_late<const N: usize>(
    fields: impl IntoIterator<Item = (Key, Value)>,
    late: [(&str, Option<Value>); N],
) -> Value {
    let late = late.into_iter().filter_map(|(name, value)| Some((Key::from(name), value?)));
    Value::map::<Key>(fields.into_iter().chain(late))
}

/// The data item of a field that is left out at its default.
pub(super) fn late<T: Wire + Default + PartialEq>(value: &T) -> Option<Value> {
    (*value != T::default()).then(|| value.encode())
}

/// A struct as a map: `record! { path { field, field as "wire name"; added } }`. Fields after the
/// semicolon came later and are left out at their default, so that what was written before them
/// keeps its bytes.
macro_rules! record {
    ($($name:path { $($field:ident $(as $text:literal)?),* $(; $($late:ident),+)? $(,)? })*) => {$(
        impl $crate::wire::Wire for $name {
            fn encode(&self) -> chancery_ledger::codec::Value {
                $crate::wire::record::with_late([$((
                    record!(@name $field $($text)?).into(),
                    $crate::wire::Wire::encode(&self.$field),
                )),*], [$($((
                    stringify!($late),
                    $crate::wire::record::late(&self.$late),
                )),+)?])
            }

            fn decode(
                value: chancery_ledger::codec::Value,
            ) -> Result<Self, $crate::wire::WireError> {
                #[allow(unused_mut, reason = "a record may have no field")]
                let mut fields = $crate::wire::record::Fields::of(value)?;
                let record = Self {
                    $($field: fields.take(record!(@name $field $($text)?))?,)*
                    $($($late: fields.take_late(stringify!($late))?,)+)?
                };
                fields.end()?;
                Ok(record)
            }
        }
    )*};
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $text:literal) => { $text };
}

/// An enum without data as a text; gives it `as_str` too.
macro_rules! names {
    ($($name:path { $($variant:ident $text:literal),* $(,)? })*) => {$(
        impl $name {
            /// Its text on the wire.
            pub const fn as_str(&self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl $crate::wire::Wire for $name {
            fn encode(&self) -> chancery_ledger::codec::Value {
                chancery_ledger::codec::Value::text(self.as_str())
            }

            fn decode(
                value: chancery_ledger::codec::Value,
            ) -> Result<Self, $crate::wire::WireError> {
                let text = <String as $crate::wire::Wire>::decode(value)?;
                match text.as_str() {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::wire::WireError::here(
                        concat!("expected one of", $(" ", $text),*)
                    )),
                }
            }
        }
    )*};
}
