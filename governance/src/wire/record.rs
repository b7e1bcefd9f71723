//! Macros that give domain types their wire form, field by field.

use chancery_ledger::codec::{Key, Map, Value};

use super::{Wire, WireError, text};

/// The fields of a map, taken one by one; none may be left.
pub(super) struct Fields<'a> {
    map: &'a Map,
    /// A bit for each pair that was taken. No record has more fields than there are bits.
    taken: u64,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, WireError> {
        if let Value::Map(map) = value {
            Ok(Self { map, taken: 0 })
        } else {
            Err(WireError::here("expected a map"))
        }
    }

    pub(super) fn take<T: Wire>(&mut self, name: &str) -> Result<T, WireError> {
        match self.find(name) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => T::missing().ok_or_else(|| WireError::here("is missing").within(name)),
        }
    }

    /// A field that is left out at its default.
    pub(super) fn take_or_default<T: Wire + Default>(
        &mut self,
        name: &str,
    ) -> Result<T, WireError> {
        match self.find(name) {
            Some(value) => T::decode(value).map_err(|error| error.within(name)),
            None => Ok(T::default()),
        }
    }

    /// A field that is a text.
    pub(super) fn take_text(&mut self, name: &str) -> Result<&'a str, WireError> {
        let value = self.find(name).ok_or_else(|| WireError::here("is missing").within(name))?;
        text(value).map_err(|error| error.within(name))
    }

    fn find(&mut self, name: &str) -> Option<&'a Value> {
        let (at, value) = self.map.find_text(name)?;
        self.taken |= bit(at);
        Some(value)
    }

    pub(super) fn end(self) -> Result<(), WireError> {
        let mut left = (0..).zip(self.map.keys()).filter(|(at, _)| self.taken & bit(*at) == 0);
        match left.next().map(|(_, key)| key) {
            None => Ok(()),
            Some(Key::Text(name)) => Err(WireError::here("is not a known field").within(&name.0)),
            Some(Key::Uint(_) | Key::Nint(_)) => Err(WireError::here("a key is not a text")),
        }
    }
}

/// The bit of a pair; none for one that has so many before it that some of them must be unknown.
fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0)
}

/// The map of the fields that are there.
pub(super) fn present<const N: usize>(fields: [Option<(Key, Value)>; N]) -> Value {
    const { assert!(N <= u64::BITS as usize, "more fields than `Fields` has bits") };
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
                value: &chancery_ledger::codec::Value,
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
                value: &chancery_ledger::codec::Value,
            ) -> Result<Self, $crate::wire::WireError> {
                match $crate::wire::text(value)? {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::wire::WireError::here(
                        concat!("expected one of", $(" ", $text),*)
                    )),
                }
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_not_taken_is_named_however_many_there_are() {
        let names: Vec<_> = (0..100).map(|at| format!("{at:02}")).collect();
        let pairs = |count: usize| {
            let names = names.iter().take(count);
            Value::map(names.map(|name| (name.as_str(), Value::Bool(true))))
        };
        let end = |count: usize, taken: usize| {
            let value = pairs(count);
            let mut fields = Fields::of(&value).unwrap();
            assert!(names.iter().take(taken).all(|name| fields.take::<bool>(name).unwrap()));
            fields.end().map_err(|error| error.path)
        };
        assert_eq!(end(0, 0), Ok(()));
        assert_eq!(end(64, 64), Ok(()));
        assert_eq!(end(64, 63), Err("63".to_owned()));
        assert_eq!(end(100, 64), Err("64".to_owned()));
        assert_eq!(end(100, 0), Err("00".to_owned()));
    }
}
