//! Verifier keys, `<name>+<key id in hex>+<base64(type || key)>`
//! (<https://c2sp.org/signed-note#verifier-keys>), of the two types that Ed25519 keys have here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Checkpoint, Note, NoteError};
use crate::digest::{Digest, hex};
use crate::key::{Algorithm, PublicKey};

/// The type of a key that signs notes.
pub const ED25519: u8 = 0x01;
/// The type of a witness's key, which cosigns with a time.
pub const COSIGNATURE: u8 = 0x04;
/// Bytes in a key id.
pub const KEY_ID_LEN: usize = 4;
/// Longest name of a verifier key, in bytes.
const NAME_LEN_MAX: usize = 255;

/// A text that is no verifier key of the expected type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a verifier key: {0}")]
pub struct BadVerifierKey(pub(super) &'static str);

/// `SHA-256(name || LF || type || key)[:4]`.
pub fn key_id(name: &str, kind: u8, key: &PublicKey) -> [u8; KEY_ID_LEN] {
    debug_assert_eq!(key.algorithm(), Algorithm::EdDsa);
    let digest = Digest::of_parts(&[name.as_bytes(), b"\n", &[kind], key.bytes()]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// The verifier key of `origin`, as public tools read it (C2SP signed-note, "Verifier keys").
pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
    write(origin, ED25519, key)
}

pub fn write(name: &str, kind: u8, key: &PublicKey) -> String {
    let typed = [&[kind], key.bytes()].concat();
    format!("{name}+{}+{}", hex(&key_id(name, kind, key)), STANDARD.encode(typed))
}

/// Reads a verifier key that must be of type `kind`.
pub fn parse(text: &str, kind: u8) -> Result<(String, PublicKey), BadVerifierKey> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(BadVerifierKey("not name, id and key"));
    };
    check_name(name)?;
    let bytes = STANDARD.decode(key).map_err(|_| BadVerifierKey("the key is not base64"))?;
    let (of, key) = bytes.split_first().ok_or(BadVerifierKey("no key"))?;
    if *of != kind {
        return Err(BadVerifierKey("a key of another type"));
    }
    let key = PublicKey::new(Algorithm::EdDsa, key)
        .map_err(|_| BadVerifierKey("the key is not 32 bytes"))?;
    if hex(&key_id(name, kind, &key)) != id {
        return Err(BadVerifierKey("the id is not that of the key"));
    }
    Ok((name.to_owned(), key))
}

/// A name is not empty and has neither spaces nor a plus.
pub fn check_name(name: &str) -> Result<(), BadVerifierKey> {
    let bad = |char: char| char.is_whitespace() || char.is_control() || char == '+';
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.contains(bad) {
        return Err(BadVerifierKey("the name is empty, too long, or has a space or a plus"));
    }
    Ok(())
}

/// A key that signs the checkpoints of the logs of one service: of the origin that is its name, and
/// of all origins below it, `<name>/..`. One verifier key stands for all collaborations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    name: String,
    key: PublicKey,
}

impl LogKey {
    /// Of the service `name`.
    ///
    /// # Errors
    ///
    /// [`BadVerifierKey`] where the name or the key can have no verifier key.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, BadVerifierKey> {
        check_name(name)?;
        if key.algorithm() != Algorithm::EdDsa {
            return Err(BadVerifierKey("not an Ed25519 key"));
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether the log `origin` is one of those.
    pub fn is_of(&self, origin: &str) -> bool {
        origin
            .strip_prefix(&self.name)
            .is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    /// Reads a checkpoint of one of those logs, extension lines and all; the line must be under the
    /// origin's name.
    ///
    /// # Errors
    ///
    /// [`NoteError`].
    pub fn open(&self, note: &Note) -> Result<Checkpoint, NoteError> {
        let checkpoint = note.checkpoint()?;
        if !self.is_of(&checkpoint.origin) {
            return Err(NoteError::Origin);
        }
        note.verify(&checkpoint.origin, &self.key).map(|()| checkpoint)
    }
}

impl std::str::FromStr for LogKey {
    type Err = BadVerifierKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, key) = parse(text, ED25519)?;
        Ok(Self { name, key })
    }
}

impl std::fmt::Display for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&verifier_key(&self.name, &self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn verifier_keys_have_one_form_and_one_type() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let text = verifier_key("chancery.test", key.public());
        let parsed: LogKey = text.parse().unwrap();
        assert_eq!((parsed.name(), parsed.key()), ("chancery.test", key.public()));
        assert_eq!(parsed.to_string(), text);
        let witness = write("chancery.test", COSIGNATURE, key.public());
        for bad in [
            "",
            "a+b",
            &witness,
            &text.replace("chancery", "chancerie"),
            &text[..text.len() - 1],
            &format!("{text}A"),
            &text.to_uppercase(),
        ] {
            assert!(bad.parse::<LogKey>().is_err(), "{bad}");
        }
        for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", &"a".repeat(NAME_LEN_MAX + 1)] {
            assert!(LogKey::new(name, key.public().clone()).is_err(), "{name}");
        }
        assert!(LogKey::new(&"a".repeat(NAME_LEN_MAX), key.public().clone()).is_ok());
    }

    #[test]
    fn a_log_key_is_of_the_origins_below_its_name() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let log = LogKey::new("chancery.test", key.public().clone()).unwrap();
        for (origin, expected) in [
            ("chancery.test", true),
            ("chancery.test/one", true),
            ("chancery.test/one/two", true),
            ("chancery.tester", false),
            ("chancery.tes", false),
            ("other/chancery.test", false),
        ] {
            let checkpoint =
                Checkpoint { origin: origin.into(), size: 1, root: Digest::of(b"root") };
            let signed = checkpoint.sign(&key);
            let opened = log.open(&Note::parse(&signed).unwrap());
            assert_eq!((log.is_of(origin), opened.is_ok()), (expected, expected), "{origin}");
            let other = SigningKey::from_seed(&[4; 32]).unwrap();
            let signed = checkpoint.sign(&other);
            assert!(log.open(&Note::parse(&signed).unwrap()).is_err());
        }
    }
}
