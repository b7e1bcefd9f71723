//! Macros that give domain types their wire form, field by field.

use chancery_ledger::codec::{Key, Map, Value};

use super::{Wire, WireError};

/// The fields of a map, taken one by one; none may be left.
pub(super) struct Fields(Map);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, WireError> {
        if let Value::Map(map) = value {
            Ok(Self(map))
        } else {
            Err(WireError::here("expected a map"))
        }
    }

    pub(super) fn take<T: Wire>(&mut self, name: &str) -> Result<T, WireError> {
        match self.0.remove_text(name) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => T::missing().ok_or_else(|| WireError::here("is missing").within(name)),
        }
    }

    /// A field that is left out at its default.
    pub(super) fn take_or_default<T: Wire + Default>(
        &mut self,
        name: &str,
    ) -> Result<T, WireError> {
        match self.0.remove_text(name) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => Ok(T::default()),
        }
    }

    pub(super) fn end(self) -> Result<(), WireError> {
        match self.0.into_iter().next().map(|(key, _)| key) {
            None => Ok(()),
            Some(Key::Text(name)) => Err(WireError::here("is not a known field").within(&name.0)),
            Some(Key::Uint(_) | Key::Nint(_)) => Err(WireError::here("a key is not a text")),
        }
    }
}

/// The map of the fields that are there.
pub(super) fn present<const N: usize>(fields: [Option<(Key, Value)>; N]) -> Value {
    Value::map(fields.into_iter().flatten())
}

/// A field's pair, or none at its default.
pub(super) fn unless_default<T: Wire + Default + PartialEq>(
    name: &str,
    field: &T,
) -> Option<(Key, Value)> {
    (*field != T::default()).then(|| (name.into(), field.encode()))
}

/// A struct as a map: `record! { path { field, field as "wire name", field = omitted } }`. A field
/// that is `= omitted` is not there at its default: it came after the first release.
macro_rules! record {
    ($($name:path { $($field:ident $(as $text:literal)? $(= $omitted:ident)?),* $(,)? })*) => {$(
        impl $crate::wire::Wire for $name {
            fn encode(&self) -> chancery_ledger::codec::Value {
                $crate::wire::record::present([$(
                    record!(@encode self.$field, record!(@name $field $($text)?) $(, $omitted)?)
                ),*])
            }

            fn decode(
                value: chancery_ledger::codec::Value,
            ) -> Result<Self, $crate::wire::WireError> {
                #[allow(unused_mut, reason = "a record may have no field")]
                let mut fields = $crate::wire::record::Fields::of(value)?;
                let record = Self { $(
                    $field: record!(@decode fields, record!(@name $field $($text)?) $(, $omitted)?)?
                ),* };
                fields.end()?;
                Ok(record)
            }
        }
    )*};
    (@encode $field:expr, $name:expr) => {
        Some(($name.into(), $crate::wire::Wire::encode(&$field)))
    };
    (@encode $field:expr, $name:expr, omitted) => {
        $crate::wire::record::unless_default($name, &$field)
    };
    (@decode $fields:ident, $name:expr) => { $fields.take($name) };
    (@decode $fields:ident, $name:expr, omitted) => { $fields.take_or_default($name) };
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
