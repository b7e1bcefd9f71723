//! The one CBOR codec: deterministic encoding (RFC 8949 section 4.2.1) and strict decoding.
//!
//! General decoders accept trailing bytes, non-minimal integers, indefinite lengths and duplicate
//! keys. [`decode`] takes the one canonical encoding of a value and nothing else, in one pass; the
//! tests hold it against ciborium, what that parsed encoded again and compared.
//!
//! Floats, tags and simple values but `true`, `false` and `null` are not part of the data model.

use std::collections::BTreeMap;

/// Deepest nesting that [`decode`] follows and [`encode`] is meant for.
pub const DEPTH_MAX: usize = 64;

/// Largest encoded item that [`decode`] accepts: 4 MiB.
pub const ENCODED_LEN_MAX: usize = 4 << 20;

/// A CBOR data item of the ledger's data model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer from -2^64 to 2^64 - 1 (major types 0 and 1), here within `i128`.
    Int(i128),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map with integer or text keys.
    Map(BTreeMap<Key, Value>),
    /// True or false.
    Bool(bool),
    /// Null.
    Null,
}

/// A map key. The derived order is the order of the encoded bytes, as the canonical form demands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A non-negative integer; shorter encodings are smaller numbers, so the orders agree.
    Uint(u64),
    /// A negative integer -1 - n, held as n: encoded order is by n.
    Nint(u64),
    /// A text: ordered by length, then bytewise, which is the order of their encodings.
    Text(TextKey),
}

/// A text key, ordered as its encoding is: shorter first, then bytewise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextKey(pub String);

impl Ord for TextKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.len(), self.0.as_bytes()).cmp(&(other.0.len(), other.0.as_bytes()))
    }
}

impl PartialOrd for TextKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(TextKey(text.to_owned()))
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        u64::try_from(number).map_or_else(|_| Self::Nint(number.unsigned_abs() - 1), Self::Uint)
    }
}

/// Why bytes are not a canonical item of the data model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than [`ENCODED_LEN_MAX`].
    #[error("longer than {ENCODED_LEN_MAX} bytes")]
    TooLong,
    /// Not well-formed CBOR, or nested deeper than [`DEPTH_MAX`].
    #[error("not well-formed CBOR")]
    Malformed,
    /// Well formed, but of a type outside the data model (float, tag, undefined, other map keys).
    #[error("a data item outside the data model: {0}")]
    Unsupported(&'static str),
    /// Well formed, but not the canonical encoding of its value.
    #[error("not the canonical encoding of its value")]
    NonCanonical,
}

impl Value {
    /// A text item.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A byte-string item.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// A map from its pairs; a later pair replaces an earlier one of the same key.
    pub fn map<K: Into<Key>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(number.into())
    }
}

/// The canonical encoding of `value`.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Decodes exactly one canonical item that takes up all of `bytes`.
///
/// # Errors
///
/// [`DecodeError`]; nothing is accepted in part.
pub fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    if bytes.len() > ENCODED_LEN_MAX {
        return Err(DecodeError::TooLong);
    }
    let mut input = Input { rest: bytes };
    let value = input.item(DEPTH_MAX)?;
    if input.rest.is_empty() { Ok(value) } else { Err(DecodeError::NonCanonical) }
}

/// What is left to decode.
struct Input<'a> {
    rest: &'a [u8],
}

/// The first bytes of an item.
enum Head {
    /// Major type and argument, in their shortest form.
    Argument(u8, u64),
    /// Major type 7 and what its first byte holds beside it.
    Simple(u8),
}

impl<'a> Input<'a> {
    /// The next item, which may nest `depth` deep. Recursion and memory are bounded by the input:
    /// nothing is set aside for what is announced only.
    fn item(&mut self, depth: usize) -> Result<Value, DecodeError> {
        Ok(match self.head()? {
            Head::Argument(0, number) => Value::Int(number.into()),
            Head::Argument(1, number) => Value::Int(-1 - i128::from(number)),
            Head::Argument(2, len) => Value::Bytes(self.take(len)?.to_vec()),
            Head::Argument(3, len) => Value::Text(self.text(len)?),
            Head::Argument(4, count) => {
                let depth = self.inside(depth, count)?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.item(depth)?);
                }
                Value::Array(items)
            }
            Head::Argument(5, count) => Value::Map(self.pairs(depth, count)?),
            Head::Argument(..) => return Err(DecodeError::Unsupported("tag")),
            Head::Simple(20) => Value::Bool(false),
            Head::Simple(21) => Value::Bool(true),
            Head::Simple(22) => Value::Null,
            Head::Simple(25..=27) => return Err(DecodeError::Unsupported("float")),
            Head::Simple(_) => return Err(DecodeError::Unsupported("simple value")),
        })
    }

    fn pairs(&mut self, depth: usize, count: u64) -> Result<BTreeMap<Key, Value>, DecodeError> {
        let depth = self.inside(depth, count)?;
        let mut map = BTreeMap::new();
        for _ in 0..count {
            let key = match self.head()? {
                Head::Argument(0, number) => Key::Uint(number),
                Head::Argument(1, number) => Key::Nint(number),
                Head::Argument(3, len) => Key::Text(TextKey(self.text(len)?)),
                _ => return Err(DecodeError::Unsupported("map key")),
            };
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::NonCanonical);
            }
            map.insert(key, self.item(depth)?);
        }
        Ok(map)
    }

    /// The depth inside an array or map of `count` items, each of which takes a byte at least.
    const fn inside(&self, depth: usize, count: u64) -> Result<usize, DecodeError> {
        match depth.checked_sub(1) {
            Some(depth) if count <= self.rest.len() as u64 => Ok(depth),
            _ => Err(DecodeError::Malformed),
        }
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        if major == 7 {
            return Ok(Head::Simple(info));
        }
        let (len, least) = match info {
            0..=23 => return Ok(Head::Argument(major, info.into())),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            // No definite length.
            31 if (2..=5).contains(&major) => return Err(DecodeError::NonCanonical),
            _ => return Err(DecodeError::Malformed),
        };
        let bytes = self.take(len)?;
        let argument = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if argument < least {
            Err(DecodeError::NonCanonical)
        } else {
            Ok(Head::Argument(major, argument))
        }
    }

    fn text(&mut self, len: u64) -> Result<String, DecodeError> {
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Malformed)?;
        Ok(text.to_owned())
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let taken = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (taken, rest) = taken.ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => match u64::try_from(*number) {
            Ok(number) => write_head(0, number, out),
            // Outside the range of major type 1 there is no constructor but a literal; saturate.
            Err(_) => write_head(1, u64::try_from(-1 - *number).unwrap_or(u64::MAX), out),
        },
        Value::Bytes(bytes) => {
            write_head(2, bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::Text(text) => write_text(text, out),
        Value::Array(items) => {
            write_head(4, items.len() as u64, out);
            for item in items {
                write(item, out);
            }
        }
        Value::Map(map) => {
            write_head(5, map.len() as u64, out);
            for (key, value) in map {
                match key {
                    Key::Uint(number) => write_head(0, *number, out),
                    Key::Nint(number) => write_head(1, *number, out),
                    Key::Text(text) => write_text(&text.0, out),
                }
                write(value, out);
            }
        }
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Null => out.push(0xf6),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Initial byte and the shortest argument (RFC 8949 section 4.2.1, preferred serialization).
fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 0x18, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (-(1i128 << 64)..(1i128 << 64)).prop_map(Value::Int),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            ".{0,30}".prop_map(Value::Text),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        let key = prop_oneof![
            any::<i64>().prop_map(Key::from),
            ".{0,30}".prop_map(|text| Key::from(text.as_str())),
        ];
        leaf.prop_recursive(5, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                prop::collection::btree_map(key.clone(), inner, 0..8).prop_map(Value::Map),
            ]
        })
    }

    /// Parses by ciborium, encodes again and compares: what [`decode`] must agree with.
    fn accepted_by_ciborium(bytes: &[u8]) -> Option<Value> {
        fn value(parsed: ciborium::Value) -> Option<Value> {
            use ciborium::Value as Parsed;
            Some(match parsed {
                Parsed::Integer(number) => Value::Int(number.into()),
                Parsed::Bytes(bytes) => Value::Bytes(bytes),
                Parsed::Text(text) => Value::Text(text),
                Parsed::Bool(bool) => Value::Bool(bool),
                Parsed::Null => Value::Null,
                Parsed::Array(items) => {
                    Value::Array(items.into_iter().map(value).collect::<Option<_>>()?)
                }
                Parsed::Map(pairs) => {
                    let pairs = pairs.into_iter().map(|(of, to)| Some((key(of)?, value(to)?)));
                    Value::Map(pairs.collect::<Option<_>>()?)
                }
                _ => return None,
            })
        }
        fn key(parsed: ciborium::Value) -> Option<Key> {
            match parsed {
                ciborium::Value::Text(text) => Some(Key::Text(TextKey(text))),
                ciborium::Value::Integer(number) => {
                    let number = i128::from(number);
                    let uint = u64::try_from(number).ok().map(Key::Uint);
                    uint.or_else(|| u64::try_from(-1 - number).ok().map(Key::Nint))
                }
                _ => None,
            }
        }
        let parsed = ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH_MAX).ok()?;
        value(parsed).filter(|value| encode(value) == bytes)
    }

    #[test]
    fn depth_is_bounded_as_by_ciborium() {
        for depth in DEPTH_MAX - 3..DEPTH_MAX + 3 {
            for head in [&[0x81][..], &[0xa1, 0x01]] {
                let bytes = [head.repeat(depth), vec![0x01]].concat();
                assert_eq!(decode(&bytes).ok(), accepted_by_ciborium(&bytes), "{depth} {head:?}");
            }
        }
        assert!(decode(&[vec![0x81; DEPTH_MAX], vec![1]].concat()).is_ok());
    }

    proptest! {
        #[test]
        fn decoding_agrees_with_ciborium_on_every_changed_byte(
            value in values(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encode(&value);
            prop_assert_eq!(accepted_by_ciborium(&bytes), Some(value));
            let cut = &bytes[..cut.index(bytes.len())];
            prop_assert_eq!(decode(cut).ok(), accepted_by_ciborium(cut));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert_eq!(decode(&bytes).ok(), accepted_by_ciborium(&bytes));
        }

        #[test]
        fn decoding_agrees_with_ciborium_on_arbitrary_bytes(
            bytes in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            prop_assert_eq!(decode(&bytes).ok(), accepted_by_ciborium(&bytes));
        }

        #[test]
        fn every_value_round_trips(value in values()) {
            prop_assert_eq!(decode(&encode(&value)), Ok(value));
        }

        #[test]
        fn ciborium_reads_what_we_write(value in values()) {
            let parsed: Result<ciborium::Value, _> = ciborium::from_reader(&encode(&value)[..]);
            prop_assert!(parsed.is_ok());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_only_canonical_ones_pass(
            bytes in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            if let Ok(value) = decode(&bytes) {
                prop_assert_eq!(encode(&value), bytes);
            }
        }
    }

    #[test]
    fn non_canonical_forms_are_refused() {
        let cases: [(&str, &[u8], DecodeError); 12] = [
            ("trailing byte", &[0x01, 0x00], DecodeError::NonCanonical),
            ("one in two bytes", &[0x18, 0x01], DecodeError::NonCanonical),
            ("indefinite array", &[0x9f, 0x01, 0xff], DecodeError::NonCanonical),
            ("indefinite text", &[0x7f, 0x61, 0x61, 0xff], DecodeError::NonCanonical),
            ("duplicate key", &[0xa2, 0x01, 0x01, 0x01, 0x02], DecodeError::NonCanonical),
            ("keys out of order", &[0xa2, 0x02, 0x01, 0x01, 0x02], DecodeError::NonCanonical),
            ("float", &[0xf9, 0x3c, 0x00], DecodeError::Unsupported("float")),
            ("tag", &[0xc1, 0x01], DecodeError::Unsupported("tag")),
            ("byte-string key", &[0xa1, 0x41, 0x01, 0x01], DecodeError::Unsupported("map key")),
            ("empty", &[], DecodeError::Malformed),
            (
                "length beyond the input",
                &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                DecodeError::Malformed,
            ),
            ("invalid UTF-8", &[0x61, 0xff], DecodeError::Malformed),
        ];
        for (name, bytes, error) in cases {
            assert_eq!(decode(bytes), Err(error), "{name}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let mut deep = vec![0x81; 100_000];
        deep.push(0x01);
        assert_eq!(decode(&deep), Err(DecodeError::Malformed));
        assert_eq!(decode(&vec![0; ENCODED_LEN_MAX + 1]), Err(DecodeError::TooLong));
    }

    #[test]
    fn text_keys_sort_as_their_encodings() {
        let map = Value::map([("bb", Value::Null), ("aaa", Value::Null), ("a", Value::Null)]);
        assert_eq!(encode(&map), b"\xa3\x61a\xf6\x62bb\xf6\x63aaa\xf6");
    }
}
