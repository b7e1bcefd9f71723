//! The one CBOR codec: deterministic encoding (RFC 8949 section 4.2.1) and strict decoding.
//!
//! [`decode`] takes the one canonical encoding of a value and nothing else: no trailing bytes, no
//! longer heads than needed, no indefinite lengths, map keys strictly ascending. It is held against
//! another implementation, ciborium, which parses, encodes again and compares: see the tests.
//!
//! Floats, tags and simple values but `true`, `false` and `null` are not part of the data model.
//!
//! [`decode_unordered`] is for what others wrote and signed, such as CCF: the same data model with
//! map keys in any order. Nothing of ours is read by it (ADR 0016).

mod map;

pub use map::Map;

/// Deepest nesting that [`decode`] follows and [`encode`] is meant for.
pub const DEPTH_MAX: usize = 64;

/// Largest encoded item that [`decode`] accepts: 4 MiB.
pub const ENCODED_LEN_MAX: usize = 4 << 20;

/// Items that memory is set aside for before they are read, at most: a head may announce more than
/// ever come, and so may the one inside it.
const AHEAD_MAX: usize = 256;

/// Major type 7, simple value 22.
const NULL: u8 = 0xf6;

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
    Map(Map),
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
    let mut out = Writer::default();
    out.value(value);
    out.0
}

/// How many bytes [`encode`] gives for `value`.
pub fn encoded_len(value: &Value) -> usize {
    let head = |argument: u64| match argument {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    };
    let string = |len: usize| head(len as u64) + len;
    match value {
        Value::Int(number) => match u64::try_from(*number) {
            Ok(number) => head(number),
            Err(_) => head(u64::try_from(-1 - *number).unwrap_or(u64::MAX)),
        },
        Value::Bytes(bytes) => string(bytes.len()),
        Value::Text(text) => string(text.len()),
        Value::Array(items) => {
            head(items.len() as u64) + items.iter().map(encoded_len).sum::<usize>()
        }
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, value)| {
                let key = match key {
                    Key::Uint(number) | Key::Nint(number) => head(*number),
                    Key::Text(text) => string(text.0.len()),
                };
                key + encoded_len(value)
            });
            head(map.len() as u64) + pairs.sum::<usize>()
        }
        Value::Bool(_) | Value::Null => 1,
    }
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
    Reader::<true>(bytes).only_value()
}

/// Decodes exactly one item that takes up all of `bytes`, in which the keys of maps may stand in any
/// order. All else is as in [`decode`]: shortest heads, definite lengths, no key twice, the bounds.
///
/// For messages of other systems, whose signatures are over the bytes as they stand: never decode
/// and encode again what is signed.
///
/// # Errors
///
/// [`DecodeError`]; nothing is accepted in part.
pub fn decode_unordered(bytes: &[u8]) -> Result<Value, DecodeError> {
    if bytes.len() > ENCODED_LEN_MAX {
        return Err(DecodeError::TooLong);
    }
    Reader::<false>(bytes).only_value()
}

/// What is left to decode; `ORDERED` where map keys must ascend.
struct Reader<'a, const ORDERED: bool>(&'a [u8]);

impl<'a, const ORDERED: bool> Reader<'a, ORDERED> {
    /// One item, with nothing after it.
    fn only_value(mut self) -> Result<Value, DecodeError> {
        let value = self.value(DEPTH_MAX)?;
        if self.0.is_empty() { Ok(value) } else { Err(DecodeError::NonCanonical) }
    }

    /// One item; `depth` more arrays and maps may be opened in it.
    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let first = self.first()?;
        Ok(match first >> 5 {
            0 => Value::Int(self.argument(first)?.into()),
            1 => Value::Int(-1 - i128::from(self.argument(first)?)),
            2 => Value::Bytes(self.string(first)?.to_vec()),
            3 => Value::Text(self.text(first)?),
            4 => {
                let count = self.count(first, 1)?;
                let depth = depth.checked_sub(1).ok_or(DecodeError::Malformed)?;
                let mut items = Vec::with_capacity(count.min(AHEAD_MAX));
                for _ in 0..count {
                    items.push(self.value(depth)?);
                }
                Value::Array(items)
            }
            5 => {
                let count = self.count(first, 2)?;
                let depth = depth.checked_sub(1).ok_or(DecodeError::Malformed)?;
                Value::Map(self.map(count, depth)?)
            }
            6 => return Err(DecodeError::Unsupported("tag")),
            _ => match first & 0x1f {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 => Value::Null,
                25..=27 => return Err(DecodeError::Unsupported("float")),
                28.. => return Err(DecodeError::Malformed),
                _ => return Err(DecodeError::Unsupported("simple value")),
            },
        })
    }

    /// `count` pairs, none of whose keys stands twice: strictly ascending, if ordered.
    fn map(&mut self, count: usize, depth: usize) -> Result<Map, DecodeError> {
        let mut pairs: Vec<(Key, Value)> = Vec::with_capacity(count.min(AHEAD_MAX));
        for _ in 0..count {
            let first = self.first()?;
            let key = match first >> 5 {
                0 => Key::Uint(self.argument(first)?),
                1 => Key::Nint(self.argument(first)?),
                3 => Key::Text(TextKey(self.text(first)?)),
                _ => return Err(DecodeError::Unsupported("map key")),
            };
            pairs.push((key, self.value(depth)?));
        }
        if !ORDERED {
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        Map::of_ascending(pairs).ok_or(DecodeError::NonCanonical)
    }

    fn first(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The argument of an initial byte, in its shortest form.
    fn argument(&mut self, first: u8) -> Result<u64, DecodeError> {
        let (len, least) = match first & 0x1f {
            small @ 0..=23 => return Ok(small.into()),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            // An indefinite length, where the type has lengths.
            31 if (2..=5).contains(&(first >> 5)) => return Err(DecodeError::NonCanonical),
            _ => return Err(DecodeError::Malformed),
        };
        let argument = self.take(len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if argument < least { Err(DecodeError::NonCanonical) } else { Ok(argument) }
    }

    fn string(&mut self, first: u8) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.argument(first)?).map_err(|_| DecodeError::Malformed)?;
        self.take(len)
    }

    fn text(&mut self, first: u8) -> Result<String, DecodeError> {
        let bytes = self.string(first)?;
        std::str::from_utf8(bytes).map(ToOwned::to_owned).map_err(|_| DecodeError::Malformed)
    }

    /// A number of items of `each` bytes at least: never more than there can be in what is left.
    fn count(&mut self, first: u8, each: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.argument(first)?).map_err(|_| DecodeError::Malformed)?;
        if count > self.0.len() / each { Err(DecodeError::Malformed) } else { Ok(count) }
    }
}

/// Reads canonical items one after the other, without a [`Value`] around them: for structures whose
/// form is fixed. None is no verdict: [`decode`] says what is wrong.
pub(crate) struct Slices<'a>(Reader<'a, true>);

impl<'a> Slices<'a> {
    /// At the first byte of `bytes`; none where they are more than [`ENCODED_LEN_MAX`].
    pub(crate) const fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > ENCODED_LEN_MAX { None } else { Some(Self(Reader(bytes))) }
    }

    /// Passes these bytes, which must be next.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.0 = self.0.0.strip_prefix(bytes)?;
        Some(())
    }

    /// A byte string.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let first = self.of_type(2)?;
        self.0.string(first).ok()
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let first = self.of_type(3)?;
        std::str::from_utf8(self.0.string(first).ok()?).ok()
    }

    /// An unsigned integer.
    pub(crate) fn uint(&mut self) -> Option<u64> {
        let first = self.of_type(0)?;
        self.0.argument(first).ok()
    }

    /// The head of an array: how many items follow.
    pub(crate) fn array(&mut self) -> Option<u64> {
        let first = self.of_type(4)?;
        self.0.argument(first).ok()
    }

    /// The head of a map: how many pairs follow.
    pub(crate) fn map(&mut self) -> Option<u64> {
        let first = self.of_type(5)?;
        self.0.argument(first).ok()
    }

    /// Passes a null, if one is next.
    pub(crate) fn null(&mut self) -> bool {
        self.pass(&[NULL]).is_some()
    }

    /// An item of any type, which stands in `depth` arrays and maps.
    pub(crate) fn value(&mut self, depth: usize) -> Option<Value> {
        self.0.value(DEPTH_MAX.checked_sub(depth)?).ok()
    }

    /// The first byte of an item of major type `major`, which must be next.
    fn of_type(&mut self, major: u8) -> Option<u8> {
        let first = *self.0.0.first()?;
        if first >> 5 != major {
            return None;
        }
        self.0.first().ok()
    }

    /// What was not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0.0
    }
}

/// Writes canonical items one after the other, without a [`Value`] around them. That the number of
/// items is the one announced, and that keys ascend, is the caller's to see to.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A writer that begins with these bytes and has room for `len` more.
    pub(crate) fn after(bytes: &[u8], len: usize) -> Self {
        let mut out = Vec::with_capacity(bytes.len() + len);
        out.extend_from_slice(bytes);
        Self(out)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn uint(&mut self, number: u64) {
        write_head(0, number, &mut self.0);
    }

    pub(crate) fn int(&mut self, number: i128) {
        match u64::try_from(number) {
            Ok(number) => self.uint(number),
            // Outside the range of major type 1 there is no constructor but a literal; saturate.
            Err(_) => {
                write_head(1, u64::try_from(-1 - number).unwrap_or(u64::MAX), &mut self.0);
            }
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        write_head(2, bytes.len() as u64, &mut self.0);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        write_head(3, text.len() as u64, &mut self.0);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn array(&mut self, len: u64) {
        write_head(4, len, &mut self.0);
    }

    pub(crate) fn map(&mut self, len: u64) {
        write_head(5, len, &mut self.0);
    }

    pub(crate) fn null(&mut self) {
        self.0.push(NULL);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Int(number) => self.int(*number),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Text(text) => self.text(text),
            Value::Array(items) => {
                self.array(items.len() as u64);
                for item in items {
                    self.value(item);
                }
            }
            Value::Map(map) => {
                self.map(map.len() as u64);
                for (key, value) in map.iter() {
                    match key {
                        Key::Uint(number) => self.uint(*number),
                        Key::Nint(number) => write_head(1, *number, &mut self.0),
                        Key::Text(text) => self.text(&text.0),
                    }
                    self.value(value);
                }
            }
            Value::Bool(false) => self.0.push(0xf4),
            Value::Bool(true) => self.0.push(0xf5),
            Value::Null => self.null(),
        }
    }
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
                prop::collection::btree_map(key.clone(), inner, 0..8)
                    .prop_map(|map| Value::Map(map.into_iter().collect())),
            ]
        })
    }

    /// The other implementation: ciborium parses, and what encodes to other bytes is refused.
    fn by_ciborium(bytes: &[u8]) -> Option<Value> {
        let parsed = ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH_MAX).ok()?;
        from_ciborium(parsed).filter(|value| encode(value) == bytes)
    }

    fn from_ciborium(parsed: ciborium::Value) -> Option<Value> {
        use ciborium::Value as Parsed;
        Some(match parsed {
            Parsed::Integer(number) => Value::Int(number.into()),
            Parsed::Bytes(bytes) => Value::Bytes(bytes),
            Parsed::Text(text) => Value::Text(text),
            Parsed::Bool(bool) => Value::Bool(bool),
            Parsed::Null => Value::Null,
            Parsed::Array(items) => {
                Value::Array(items.into_iter().map(from_ciborium).collect::<Option<_>>()?)
            }
            Parsed::Map(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    let key = match key {
                        Parsed::Text(text) => Key::Text(TextKey(text)),
                        Parsed::Integer(number) => {
                            let number = i128::from(number);
                            let nint = || u64::try_from(-1 - number).map(Key::Nint);
                            u64::try_from(number).map(Key::Uint).or_else(|_| nint()).ok()?
                        }
                        _ => return None,
                    };
                    if map.insert(key, from_ciborium(value)?).is_some() {
                        return None;
                    }
                }
                Value::Map(map)
            }
            _ => return None,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn another_implementation_takes_the_same_and_reads_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            prop_assert_eq!(decode(&bytes).ok(), by_ciborium(&bytes));
        }

        #[test]
        fn another_implementation_agrees_on_altered_values(
            value in values(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
        ) {
            let mut bytes = encode(&value);
            let at = at.index(bytes.len());
            if cut {
                bytes.remove(at);
            } else {
                bytes[at] = byte;
            }
            prop_assert_eq!(decode(&bytes).ok(), by_ciborium(&bytes));
        }

        #[test]
        fn every_value_round_trips(value in values()) {
            let bytes = encode(&value);
            prop_assert_eq!(bytes.len(), encoded_len(&value));
            prop_assert_eq!(decode(&bytes), Ok(value));
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
    fn in_any_order_only_the_order_of_keys_is_free() {
        let unordered = [0xa2, 0x61, b'a', 0x01, 0x01, 0x02];
        assert_eq!(decode(&unordered), Err(DecodeError::NonCanonical));
        let ordered = [0xa2, 0x01, 0x02, 0x61, b'a', 0x01];
        assert_eq!(decode_unordered(&unordered), decode(&ordered));
        let cases: [(&str, &[u8], DecodeError); 8] = [
            ("duplicate key", &[0xa2, 0x01, 0x01, 0x01, 0x02], DecodeError::NonCanonical),
            (
                "duplicate key apart",
                &[0xa3, 0x02, 0x01, 0x01, 0x01, 0x02, 0x02],
                DecodeError::NonCanonical,
            ),
            ("trailing byte", &[0x01, 0x00], DecodeError::NonCanonical),
            ("one in two bytes", &[0x18, 0x01], DecodeError::NonCanonical),
            ("indefinite map", &[0xbf, 0xff], DecodeError::NonCanonical),
            ("tag", &[0xc1, 0x01], DecodeError::Unsupported("tag")),
            ("float", &[0xf9, 0x3c, 0x00], DecodeError::Unsupported("float")),
            ("more pairs than bytes", &[0xba, 0xff, 0xff, 0xff, 0xff], DecodeError::Malformed),
        ];
        for (name, bytes, error) in cases {
            assert_eq!(decode_unordered(bytes), Err(error), "{name}");
        }
        let mut deep = vec![0x81; DEPTH_MAX + 1];
        deep.push(0x01);
        assert_eq!(decode_unordered(&deep), Err(DecodeError::Malformed));
        assert_eq!(decode_unordered(&vec![0; ENCODED_LEN_MAX + 1]), Err(DecodeError::TooLong));
    }

    proptest! {
        #[test]
        fn in_any_order_reads_what_is_ordered_the_same(
            value in values(), bytes in prop::collection::vec(any::<u8>(), 0..60)
        ) {
            prop_assert_eq!(decode_unordered(&encode(&value)), Ok(value));
            if let Ok(value) = decode(&bytes) {
                prop_assert_eq!(decode_unordered(&bytes), Ok(value));
            }
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        for (depth, taken) in [(DEPTH_MAX - 1, true), (DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
            let mut nested = vec![0x81; depth];
            nested.push(0x01);
            assert_eq!(decode(&nested).is_ok(), taken, "{depth}");
            assert_eq!(by_ciborium(&nested).is_some(), taken, "{depth}");
        }
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
