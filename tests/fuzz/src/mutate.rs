//! What is done to a seed. Random bytes alone seldom pass a parser's first check.

use arbtest::arbitrary::{Result, Unstructured};
use chancery_ledger::codec::{self, Key, Value};

/// Most bytes that are taken from another place, inserted, or removed at once.
const SPAN_MAX: usize = 64;
/// Most changes that one case makes.
const CHANGES_MAX: u32 = 4;
/// How deep a tree is walked, through byte strings that hold CBOR too.
const DESCENT_MAX: u32 = 24;
/// The tag of a `COSE_Sign1`.
const TAG_SIGN1: u8 = 0xd2;
/// Magic lines end here; what follows them is a sequence of CBOR items.
const MAGIC_END: u8 = b'\n';

/// Random bytes, or a seed with up to four changes to its bytes or its CBOR tree. At times a seed as
/// it is.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn bytes(u: &mut Unstructured<'_>, seeds: &[Vec<u8>]) -> Result<Vec<u8>> {
    if u.ratio(1, 8)? {
        return random(u);
    }
    let mut input = u.choose(seeds)?.clone();
    for _ in 0..u.int_in_range(0..=CHANGES_MAX)? {
        if u.ratio(1, 2)? {
            change_tree(u, &mut input)?;
        } else {
            let other = u.choose(seeds)?;
            change_bytes(u, &mut input, other)?;
        }
    }
    Ok(input)
}

/// The same as a text: random characters, or a seed with changes to its bytes, lines or words.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn text(u: &mut Unstructured<'_>, seeds: &[String], words: &[&str]) -> Result<String> {
    if u.ratio(1, 8)? {
        return u.arbitrary();
    }
    let mut input = u.choose(seeds)?.clone();
    for _ in 0..u.int_in_range(0..=CHANGES_MAX)? {
        if u.ratio(1, 3)? {
            let mut raw = input.into_bytes();
            let other = u.choose(seeds)?.as_bytes();
            change_bytes(u, &mut raw, other)?;
            input = String::from_utf8_lossy(&raw).into_owned();
        } else if !words.is_empty() && u.ratio(1, 2)? {
            input = reworded(u, &input, words)?;
        } else {
            let other = u.choose(seeds)?;
            input = with_other_lines(u, &input, other)?;
        }
    }
    Ok(input)
}

/// Up to 600 random bytes, now and then a head that says that there are far more.
fn random(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = u.int_in_range(0..=600)?.min(u.len());
    let mut input = u.bytes(len)?.to_vec();
    if u.ratio(1, 4)? {
        let mut head = vec![u.int_in_range(0..=7_u8)? << 5 | u.int_in_range(24..=27_u8)?];
        head.extend(u.arbitrary::<u64>()?.to_be_bytes());
        input.splice(0..0, head);
    }
    Ok(input)
}

/// Flips, sets, inserts, removes, repeats, splices, or lies about a length.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn change_bytes(u: &mut Unstructured<'_>, input: &mut Vec<u8>, other: &[u8]) -> Result<()> {
    let at = place(u, input.len())?;
    let span = |u: &mut Unstructured<'_>, from: usize, len: usize| {
        u.int_in_range(0..=SPAN_MAX.min(len.saturating_sub(from))).map(|more| from..from + more)
    };
    match u.int_in_range(0..=9_u8)? {
        0 | 1 if at < input.len() => input[at] ^= 1 << u.int_in_range(0..=7_u8)?,
        2 if at < input.len() => input[at] = u.arbitrary()?,
        3 => {
            let len = u.int_in_range(1..=8)?.min(u.len());
            let inserted = u.bytes(len)?.to_vec();
            input.splice(at..at, inserted);
        }
        4 => drop(input.drain(span(u, at, input.len())?)),
        5 => {
            let repeated = input[span(u, at, input.len())?].to_vec();
            input.splice(at..at, repeated);
        }
        6 => {
            let from = place(u, other.len())?;
            let taken = other[span(u, from, other.len())?].to_vec();
            let replaced = span(u, at, input.len())?;
            input.splice(replaced, taken);
        }
        7 => input.truncate(at),
        // Another major type, or a longer head for the same argument.
        8 if at < input.len() => {
            let (major, info) = (input[at] & 0xe0, input[at] & 0x1f);
            if u.arbitrary()? {
                input[at] = u.int_in_range(0..=7_u8)? << 5 | info;
            } else if info < 24 {
                input.splice(at..=at, [major | 0x18, info]);
            }
        }
        // A length far beyond what there is.
        9 if at < input.len() => {
            let major = input[at] & 0xe0;
            let len: u64 =
                *u.choose(&[0xff, 0xffff, 0xffff_ffff, 1 << 40, u64::MAX >> 1, u64::MAX])?;
            let mut head = vec![major | 0x1b];
            head.extend(len.to_be_bytes());
            input.splice(at..=at, head);
        }
        _ => {}
    }
    Ok(())
}

/// Changes a node somewhere in the CBOR of `input` and writes all of it anew, lengths and all, so
/// that what is above it parses. Bytes that hold no CBOR stay.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn change_tree(u: &mut Unstructured<'_>, input: &mut Vec<u8>) -> Result<()> {
    if let Some(changed) = changed_inside(u, input, DESCENT_MAX)? {
        *input = changed;
    }
    Ok(())
}

/// `bytes` with a node changed, where they are an item, a tagged item, or a magic line and items.
fn changed_inside(u: &mut Unstructured<'_>, bytes: &[u8], depth: u32) -> Result<Option<Vec<u8>>> {
    let body = bytes.strip_prefix(&[TAG_SIGN1]).unwrap_or(bytes);
    let front = &bytes[..bytes.len() - body.len()];
    if let Ok(mut value) = codec::decode(body) {
        change_value(u, &mut value, depth)?;
        return Ok(Some([front, &codec::encode(&value)].concat()));
    }
    let Some((magic, items)) = sequence(bytes) else { return Ok(None) };
    let mut items: Vec<Vec<u8>> = items.into_iter().map(<[u8]>::to_vec).collect();
    let (one, other) = (place(u, items.len() - 1)?, place(u, items.len() - 1)?);
    match u.int_in_range(0..=7_u8)? {
        0 => drop(items.remove(one)),
        1 => items.swap(one, other),
        2 => items.insert(one, items[other].clone()),
        _ => {
            if let Some(changed) = changed_inside(u, &items[one], depth)? {
                items[one] = changed;
            }
        }
    }
    Ok(Some([magic, &items.concat()].concat()))
}

/// A magic line and the items that follow it, to the end; at least one.
pub fn sequence(bytes: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let end = bytes.iter().take(SPAN_MAX).position(|byte| *byte == MAGIC_END)? + 1;
    let (magic, mut rest) = bytes.split_at(end);
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (item, after) = rest.split_at_checked(item_len(rest, DESCENT_MAX)?)?;
        items.push(item);
        rest = after;
    }
    (!items.is_empty()).then_some((magic, items))
}

/// How long the item is that `bytes` begin with; `None` where its heads make no sense.
fn item_len(bytes: &[u8], depth: u32) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let first = *bytes.first()?;
    let more = match first & 0x1f {
        0..=23 => 0,
        info @ 24..=27 => 1 << (info - 24),
        _ => return None,
    };
    let argument = match more {
        0 => u64::from(first & 0x1f),
        _ => bytes.get(1..=more)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let argument = usize::try_from(argument).ok()?;
    let mut len = 1 + more;
    let inside = match first >> 5 {
        2 | 3 => return len.checked_add(argument),
        4 => argument,
        5 => argument.checked_mul(2)?,
        _ => 0,
    };
    for _ in 0..inside {
        len += item_len(bytes.get(len..)?, depth)?;
    }
    Some(len)
}

/// Changes one node of a tree, through byte strings that hold CBOR themselves.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn change_value(u: &mut Unstructured<'_>, value: &mut Value, depth: u32) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    if u.ratio(7, 8)? {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = place(u, items.len() - 1)?;
                return change_value(u, &mut items[at], depth);
            }
            Value::Map(map) if !map.is_empty() => {
                let at = place(u, map.len() - 1)?;
                let inner = map.iter_mut().nth(at).map(|(_, inner)| inner);
                return inner.map_or(Ok(()), |inner| change_value(u, inner, depth));
            }
            Value::Bytes(bytes) => {
                if let Some(changed) = changed_inside(u, bytes, depth)? {
                    *bytes = changed;
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    change_node(u, value)
}

fn change_node(u: &mut Unstructured<'_>, value: &mut Value) -> Result<()> {
    if u.ratio(1, 8)? {
        *value = leaf(u, value)?;
        return Ok(());
    }
    match value {
        Value::Int(number) => {
            *number = match u.int_in_range(0..=3_u8)? {
                0 => *number + 1,
                1 => *number - 1,
                2 => -*number,
                _ => *u.choose(&[0, 1, -1, i64::MAX.into(), u64::MAX.into(), i64::MIN.into()])?,
            }
            .clamp(-(1 << 64), u64::MAX.into());
        }
        Value::Bytes(bytes) => change_bytes(u, bytes, &[0; 40])?,
        Value::Text(text) => {
            let mut raw = std::mem::take(text).into_bytes();
            change_bytes(u, &mut raw, b"sha256:-0000/..\\'\"\0")?;
            *text = String::from_utf8_lossy(&raw).into_owned();
        }
        Value::Array(items) => {
            let (one, other) = (place(u, items.len())?, place(u, items.len())?);
            match u.int_in_range(0..=3_u8)? {
                0 if one < items.len() => drop(items.remove(one)),
                1 if one < items.len() => items.insert(other, items[one].clone()),
                2 if one < items.len() && other < items.len() => items.swap(one, other),
                _ => items.insert(one, Value::Null),
            }
        }
        Value::Map(map) => {
            let key = map.keys().nth(place(u, map.len())?).cloned();
            match (u.int_in_range(0..=2_u8)?, key) {
                (0, Some(key)) => drop(map.remove(&key)),
                (1, Some(key)) => {
                    let moved = map.remove(&key).unwrap_or(Value::Null);
                    map.insert(any_key(u)?, moved);
                }
                _ => drop(map.insert(any_key(u)?, Value::Null)),
            }
        }
        Value::Bool(bool) => *bool = !*bool,
        Value::Null => *value = Value::from(0),
    }
    Ok(())
}

/// Another node in its place: of another type, or around it.
fn leaf(u: &mut Unstructured<'_>, value: &Value) -> Result<Value> {
    Ok(match u.int_in_range(0..=7_u8)? {
        0 => Value::Null,
        1 => Value::Bool(u.arbitrary()?),
        2 => Value::Int(u.arbitrary::<i64>()?.into()),
        3 => Value::Text(u.arbitrary()?),
        4 => Value::Bytes(u.arbitrary()?),
        5 => Value::map([(any_key(u)?, value.clone())]),
        6 => Value::Bytes(codec::encode(value)),
        _ => {
            let levels = u.int_in_range(1..=codec::DEPTH_MAX + 1)?;
            (0..levels).fold(value.clone(), |inner, _| Value::Array(vec![inner]))
        }
    })
}

fn any_key(u: &mut Unstructured<'_>) -> Result<Key> {
    Ok(if u.arbitrary()? {
        Key::from(u.int_in_range(-3..=13_i64)?)
    } else {
        Key::from(u.arbitrary::<&str>()?)
    })
}

/// A value of the ledger's data model, of up to `depth` levels.
///
/// # Errors
///
/// Where there is not enough entropy.
pub fn value(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    let inner = u.int_in_range(0..=5_usize)?;
    Ok(match u.int_in_range(0..=if depth == 0 { 4_u8 } else { 6 })? {
        0 => Value::Null,
        1 => Value::Bool(u.arbitrary()?),
        2 => Value::Int(i128::from(u.arbitrary::<u64>()?) * if u.arbitrary()? { 1 } else { -1 }),
        3 => Value::Text(u.arbitrary()?),
        4 => Value::Bytes(u.arbitrary()?),
        5 => Value::Array((0..inner).map(|_| value(u, depth - 1)).collect::<Result<_>>()?),
        _ => {
            let pair = |u: &mut Unstructured<'_>| Ok((any_key(u)?, value(u, depth - 1)?));
            Value::Map((0..inner).map(|_| pair(u)).collect::<Result<_>>()?)
        }
    })
}

/// `input` with a line dropped, repeated, swapped, or taken from `other`.
fn with_other_lines(u: &mut Unstructured<'_>, input: &str, other: &str) -> Result<String> {
    let mut lines: Vec<&str> = input.split('\n').collect();
    let others: Vec<&str> = other.split('\n').collect();
    let (one, two) = (place(u, lines.len() - 1)?, place(u, lines.len() - 1)?);
    match u.int_in_range(0..=3_u8)? {
        0 => drop(lines.remove(one)),
        1 => lines.insert(one, lines[two]),
        2 => lines.swap(one, two),
        _ => lines[one] = u.choose(&others)?,
    }
    Ok(lines.join("\n"))
}

/// `input` with a word replaced, inserted, dropped or put in place of another.
fn reworded(u: &mut Unstructured<'_>, input: &str, words: &[&str]) -> Result<String> {
    let mut parts: Vec<&str> = input.split_inclusive(&[' ', '(', ')', ',', '.']).collect();
    let at = place(u, parts.len())?;
    let word =
        if parts.is_empty() || u.arbitrary()? { *u.choose(words)? } else { *u.choose(&parts)? };
    match u.int_in_range(0..=2_u8)? {
        0 if at < parts.len() => parts[at] = word,
        1 if at < parts.len() => drop(parts.remove(at)),
        _ => parts.splice(at..at, [" ", word, " "]).for_each(drop),
    }
    Ok(parts.concat())
}

/// A place from 0 to `last`.
fn place(u: &mut Unstructured<'_>, last: usize) -> Result<usize> {
    u.int_in_range(0..=last)
}
