//! Signed notes (<https://c2sp.org/signed-note>), checkpoints (<https://c2sp.org/tlog-checkpoint>)
//! and witnesses' cosignatures (<https://c2sp.org/tlog-cosignature>), Ed25519.
//!
//! A note is text, a blank line, and signature lines `— <name> <base64(key id || signature)>`.
//! A checkpoint's text is three lines: origin, size in decimal, root hash in base64. Lines by keys
//! that the reader does not know are ignored: they may be of witnesses, or of a key before or after
//! a rotation.

mod cosignature;
mod verifier;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;
use crate::key::{PublicKey, SigningKey};
use verifier::{ED25519, KEY_ID_LEN, key_id};

pub use cosignature::{Cosigned, Merged, Policy, PolicyError, Witness, cosign};
pub use verifier::{BadVerifierKey, LogKey, verifier_key};

/// Largest note that is read: 64 KiB.
pub const NOTE_LEN_MAX: usize = 64 << 10;
/// Most signature lines that a note is read or written with.
pub const SIGNATURES_MAX: usize = 64;

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

/// A note, taken apart and not yet verified.
#[derive(Debug, Clone)]
pub struct Note<'a> {
    text: &'a str,
    lines: Vec<Line<'a>>,
}

/// A signature line.
#[derive(Debug, Clone)]
struct Line<'a> {
    /// The whole line, without its newline.
    raw: &'a str,
    name: &'a str,
    key_id: [u8; KEY_ID_LEN],
    signature: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart. Every signature line must be well formed, known or not.
    ///
    /// # Errors
    ///
    /// [`NoteError::Format`].
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        if note.len() > NOTE_LEN_MAX {
            return Err(NoteError::Format("too long"));
        }
        if note.chars().any(|char| char < '\u{20}' && char != '\n') {
            return Err(NoteError::Format("a control character"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Format("no blank line"))?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        Ok(Self { text, lines: Line::parse_all(signatures)? })
    }

    /// What the signatures are over: the text, newline at the end.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The checkpoint in the text, with whatever extension lines it may have. Not verified.
    ///
    /// # Errors
    ///
    /// [`NoteError::Checkpoint`].
    pub fn checkpoint(&self) -> Result<Checkpoint, NoteError> {
        Checkpoint::parse(self.text).map(|(checkpoint, _)| checkpoint)
    }

    /// Verifies the lines of `key` under `name`; there must be one.
    fn verify(&self, name: &str, key: &PublicKey) -> Result<(), NoteError> {
        let wanted = key_id(name, ED25519, key);
        let mut found = Err(NoteError::UnknownKey);
        for line in self.lines.iter().filter(|line| line.is_by(name, wanted)) {
            key.verify(self.text.as_bytes(), &line.signature)
                .map_err(|_| NoteError::BadSignature)?;
            found = Ok(());
        }
        found
    }
}

impl<'a> Line<'a> {
    /// Reads one or more lines, each with its newline.
    fn parse_all(lines: &'a str) -> Result<Vec<Self>, NoteError> {
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Format("no signature"))?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::Format("too many signatures"));
        }
        lines.split('\n').map(Self::parse).collect()
    }

    fn parse(raw: &'a str) -> Result<Self, NoteError> {
        let (name, encoded) = raw
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.split_once(' '))
            .ok_or(NoteError::Format("a signature line"))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Format("base64"))?;
        let (key_id, signature) = bytes
            .split_first_chunk::<KEY_ID_LEN>()
            .ok_or(NoteError::Format("a short signature"))?;
        Ok(Self { raw, name, key_id: *key_id, signature: signature.to_vec() })
    }

    fn is_by(&self, name: &str, key_id: [u8; KEY_ID_LEN]) -> bool {
        self.name == name && self.key_id == key_id
    }

    /// A line, newline at the end.
    fn write(name: &str, key_id: [u8; KEY_ID_LEN], signature: &[u8]) -> String {
        let bytes = [key_id.as_slice(), signature].concat();
        format!("\u{2014} {name} {}\n", STANDARD.encode(bytes))
    }
}

impl Checkpoint {
    /// The note's text, newline at the end.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Signs this checkpoint as a note under its origin's name.
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let id = key_id(&self.origin, ED25519, key.public());
        let line = Line::write(&self.origin, id, &key.sign(text.as_bytes()));
        format!("{text}\n{line}")
    }

    /// Reads `note`, which must be of log `origin` and signed by `key`. Lines by other keys, such
    /// as witnesses, are allowed and ignored. Extension lines are refused: this log writes none.
    ///
    /// # Errors
    ///
    /// [`NoteError`].
    pub fn open(note: &str, origin: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        let (checkpoint, extensions) = Self::parse(note.text)?;
        if extensions > 0 {
            return Err(NoteError::Checkpoint("extension lines"));
        }
        if checkpoint.origin != origin {
            return Err(NoteError::Origin);
        }
        note.verify(origin, key).map(|()| checkpoint)
    }

    /// Reads a checkpoint's text, and counts its extension lines.
    fn parse(text: &str) -> Result<(Self, usize), NoteError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
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
        let mut extensions = 0;
        for line in lines {
            if line.is_empty() {
                return Err(NoteError::Checkpoint("an empty extension line"));
            }
            extensions += 1;
        }
        Ok((Self { origin: origin.to_owned(), size: number, root }, extensions))
    }
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
    fn our_own_checkpoints_have_no_extension_lines_and_those_of_others_may() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let root = STANDARD.encode([7; 32]);
        for (text, ours, others) in [
            (format!("o\n1\n{root}\n"), true, true),
            (format!("o\n1\n{root}\nextension\n"), false, true),
            (format!("o\n1\n{root}\none\ntwo\n"), false, true),
            (format!("o\n1\n{root}\n\nafter a blank\n"), false, false),
            ("o\n1\n".to_owned(), false, false),
        ] {
            let id = key_id("o", ED25519, key.public());
            let line = Line::write("o", id, &key.sign(text.as_bytes()));
            let note = format!("{text}\n{line}");
            assert_eq!(Checkpoint::open(&note, "o", key.public()).is_ok(), ours, "{text}");
            let parsed = Note::parse(&note).unwrap();
            assert_eq!(parsed.text(), text);
            assert_eq!(parsed.checkpoint().is_ok(), others, "{text}");
        }
    }

    #[test]
    fn a_key_of_after_a_rotation_may_sign_beside_that_of_before() {
        let (note, key) = signed();
        let new = SigningKey::from_seed(&[5; 32]).unwrap();
        let (text, _) = note.rsplit_once("\n\n").unwrap();
        let id = key_id("chancery.test/log", ED25519, new.public());
        let line = Line::write("chancery.test/log", id, &new.sign(format!("{text}\n").as_bytes()));
        for both in [format!("{note}{line}"), format!("{text}\n\n{line}")] {
            let opened = Checkpoint::open(&both, "chancery.test/log", new.public());
            assert_eq!(opened.unwrap().size, 42);
        }
        assert!(
            Checkpoint::open(&format!("{note}{line}"), "chancery.test/log", key.public()).is_ok()
        );
    }

    #[test]
    fn signature_lines_are_bounded() {
        let (note, key) = signed();
        let more = |count| format!("{note}{}", "\u{2014} w AAAAAA==\n".repeat(count));
        let open = |note: &str| Checkpoint::open(note, "chancery.test/log", key.public());
        assert!(open(&more(SIGNATURES_MAX - 1)).is_ok());
        let error = Err(NoteError::Format("too many signatures"));
        assert_eq!(open(&more(SIGNATURES_MAX)), error);
    }

    #[test]
    fn leading_zeros_and_signs_are_no_sizes() {
        for size in ["042", "+42", "-1", "", "18446744073709551616"] {
            let text = format!("o\n{size}\n{}\n", STANDARD.encode([0; 32]));
            assert!(Checkpoint::parse(&text).is_err(), "{size}");
        }
    }
}
