//! Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint), Ed25519.
//!
//! A note is text, a blank line, and signature lines `— <name> <base64(key id || signature)>`.
//! A checkpoint's text is three lines: origin, size in decimal, root hash in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;
use crate::key::{Algorithm, PublicKey, SigningKey};

/// Largest note that is read: 64 KiB.
pub const NOTE_LEN_MAX: usize = 64 << 10;
/// Most signature lines that are read.
pub const SIGNATURES_MAX: usize = 64;

const ED25519: u8 = 0x01;
const KEY_ID_LEN: usize = 4;

/// The state of a log at a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: the service's name, a slash and the collaboration.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Digest,
}

/// Why a note is not a checkpoint signed by the expected key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("not a signed note: {0}")]
    Format(&'static str),
    /// Its text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// No line is by the expected key.
    #[error("not signed by the expected key")]
    UnknownKey,
    /// The expected key's line does not verify.
    #[error("the note's signature does not verify")]
    BadSignature,
}

impl Checkpoint {
    /// The note's text, newline at the end.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Signs this checkpoint as a note under its origin's name.
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let mut line = key_id(&self.origin, key.public()).to_vec();
        line.extend(key.sign(text.as_bytes()));
        format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(line))
    }

    /// Reads `note`, which must be of log `origin` and signed by `key`. Lines by other keys, such
    /// as witnesses, are allowed and ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError`].
    pub fn open(note: &str, origin: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let (text, signatures) = split(note)?;
        let checkpoint = Self::parse(text)?;
        if checkpoint.origin != origin {
            return Err(NoteError::Origin);
        }
        let wanted = key_id(origin, key);
        let mut found = Err(NoteError::UnknownKey);
        for (index, line) in signatures.lines().enumerate() {
            if index == SIGNATURES_MAX {
                return Err(NoteError::Format("too many signatures"));
            }
            let (name, encoded) = line
                .strip_prefix("\u{2014} ")
                .and_then(|line| line.split_once(' '))
                .ok_or(NoteError::Format("a signature line"))?;
            let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Format("base64"))?;
            let (id, signature) =
                bytes.split_at_checked(KEY_ID_LEN).ok_or(NoteError::Format("a short signature"))?;
            if name == origin && id == wanted {
                key.verify(text.as_bytes(), signature).map_err(|_| NoteError::BadSignature)?;
                found = Ok(());
            }
        }
        found.map(|()| checkpoint)
    }

    /// Reads a checkpoint's text. Extension lines are refused: this log writes none.
    fn parse(text: &str) -> Result<Self, NoteError> {
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(NoteError::Checkpoint("not three lines"));
        };
        let number = size.parse::<u64>().map_err(|_| NoteError::Checkpoint("the size"))?;
        if origin.is_empty() || number.to_string() != size {
            return Err(NoteError::Checkpoint("the origin or the size"));
        }
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| Digest::from_slice(&bytes))
            .ok_or(NoteError::Checkpoint("the root hash"))?;
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }
}

/// The verifier key of `origin`, as public tools read it (C2SP signed-note, "Verifier keys").
pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key.bytes());
    let id = crate::digest::hex(&key_id(origin, key));
    format!("{origin}+{id}+{}", STANDARD.encode(typed))
}

fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_LEN_MAX {
        return Err(NoteError::Format("too long"));
    }
    if note.chars().any(|char| char < '\u{20}' && char != '\n') {
        return Err(NoteError::Format("a control character"));
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Format("no blank line"))?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::Format("no signature"));
    }
    Ok((text, signatures))
}

fn key_id(name: &str, key: &PublicKey) -> [u8; KEY_ID_LEN] {
    debug_assert_eq!(key.algorithm(), Algorithm::EdDsa);
    let digest = Digest::of_parts(&[name.as_bytes(), b"\n", &[ED25519], key.bytes()]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (String, SigningKey) {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let checkpoint =
            Checkpoint { origin: "chancery.test/log".into(), size: 42, root: Digest::of(b"root") };
        (checkpoint.sign(&key), key)
    }

    #[test]
    fn a_checkpoint_opens_with_its_key_and_origin_only() {
        let (note, key) = signed();
        let opened = Checkpoint::open(&note, "chancery.test/log", key.public()).unwrap();
        assert_eq!(opened.size, 42);
        assert_eq!(
            Checkpoint::open(&note, "chancery.test/other", key.public()),
            Err(NoteError::Origin)
        );
        let other = SigningKey::from_seed(&[4; 32]).unwrap();
        assert_eq!(
            Checkpoint::open(&note, "chancery.test/log", other.public()),
            Err(NoteError::UnknownKey)
        );
    }

    #[test]
    fn a_changed_character_is_refused() {
        let (note, key) = signed();
        for (position, char) in note.char_indices() {
            let replacement = if char == 'A' { "B" } else { "A" };
            let mut altered = note.clone();
            altered.replace_range(position..position + char.len_utf8(), replacement);
            let opened = Checkpoint::open(&altered, "chancery.test/log", key.public());
            assert!(opened.is_err(), "position {position}: {opened:?}");
        }
    }

    #[test]
    fn a_witness_line_does_no_harm() {
        let (note, key) = signed();
        let with_witness = format!("{note}\u{2014} witness.test AAAAAA==\n");
        assert!(Checkpoint::open(&with_witness, "chancery.test/log", key.public()).is_ok());
    }

    #[test]
    fn leading_zeros_and_signs_are_no_sizes() {
        for size in ["042", "+42", "-1", "", "18446744073709551616"] {
            let text = format!("o\n{size}\n{}\n", STANDARD.encode([0; 32]));
            assert!(Checkpoint::parse(&text).is_err(), "{size}");
        }
    }
}
