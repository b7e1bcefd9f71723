//! Cosignatures of witnesses, `cosignature/v1` (<https://c2sp.org/tlog-cosignature>): at that time
//! the witness had seen no longer and no other tree of this log.

use super::verifier::{self, BadVerifierKey, COSIGNATURE, check_name, key_id};
use super::{Line, NOTE_LEN_MAX, Note, NoteError, SIGNATURES_MAX};
use crate::key::{Algorithm, BadSignature, KeyId, PublicKey, SigningKey};

/// Bytes of the time before the signature.
const TIME_LEN: usize = 8;
/// The latest time that a cosignature can have, in seconds since the Unix epoch.
const TIME_MAX: u64 = i64::MAX as u64;

/// A witness: its name and the Ed25519 key that it cosigns with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key: PublicKey,
}

/// A cosignature that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness's name.
    pub name: String,
    /// The id of its key.
    pub key: KeyId,
    /// When it cosigned, in seconds since the Unix epoch, by its own clock.
    pub time: u64,
}

/// A note with the cosignatures that were new to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The note.
    pub note: String,
    /// What was added, in the order of the lines.
    pub added: Vec<Cosigned>,
}

/// Which witnesses are known, and how many of them must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    witnesses: Vec<Witness>,
    threshold: usize,
}

/// Why a policy makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It asks for more witnesses than it knows.
    #[error("a policy of {threshold} of {known} witnesses can't be met")]
    Threshold {
        /// How many must have cosigned.
        threshold: usize,
        /// How many there are.
        known: usize,
    },
    /// A name or a key is there twice: one witness would count as two.
    #[error("a witness's name or key is there twice")]
    Duplicate,
    /// More witnesses than a note has room for beside the log's own line.
    #[error("more than {} witnesses", SIGNATURES_MAX - 1)]
    TooMany,
}

/// Cosigns `text`, a checkpoint's text, at `time` in seconds since the Unix epoch: one signature
/// line, newline at the end.
pub fn cosign(text: &str, name: &str, key: &SigningKey, time: u64) -> String {
    let time = time.min(TIME_MAX);
    let signature = key.sign(&message(text, time));
    let id = key_id(name, COSIGNATURE, key.public());
    Line::write(name, id, &[&time.to_be_bytes(), signature.as_slice()].concat())
}

/// What a cosignature signs. No checkpoint has this text: its second line would be a size.
fn message(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

impl Witness {
    /// Of that name and key.
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

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its latest cosignature of `text` among signature `lines`, and that line with its newline.
    /// Lines by others are ignored; `None` where there is none of its own.
    ///
    /// # Errors
    ///
    /// [`NoteError::BadSignature`] where a line under its name and key id does not verify,
    /// [`NoteError::Format`] where `lines` are no signature lines.
    pub fn find(&self, text: &str, lines: &str) -> Result<Option<(Cosigned, String)>, NoteError> {
        let lines = Line::parse_all(lines)?;
        let found = self.latest(text, &lines)?;
        Ok(found.map(|(cosigned, line)| (cosigned, format!("{}\n", line.raw))))
    }

    fn latest<'a, 'l>(
        &self,
        text: &str,
        lines: &'l [Line<'a>],
    ) -> Result<Option<(Cosigned, &'l Line<'a>)>, NoteError> {
        let id = key_id(&self.name, COSIGNATURE, &self.key);
        let mut latest: Option<(Cosigned, &Line)> = None;
        for line in lines.iter().filter(|line| line.is_by(&self.name, id)) {
            let time = self.verify(text, &line.signature).map_err(|_| NoteError::BadSignature)?;
            if latest.as_ref().is_none_or(|(cosigned, _)| cosigned.time < time) {
                let cosigned = Cosigned { name: self.name.clone(), key: self.key.id(), time };
                latest = Some((cosigned, line));
            }
        }
        Ok(latest)
    }

    /// Verifies the time and signature of a line, and returns the time.
    fn verify(&self, text: &str, timed: &[u8]) -> Result<u64, BadSignature> {
        let (time, signature) = timed.split_first_chunk::<TIME_LEN>().ok_or(BadSignature)?;
        let time = u64::from_be_bytes(*time);
        if time > TIME_MAX {
            return Err(BadSignature);
        }
        self.key.verify(&message(text, time), signature).map(|()| time)
    }
}

impl std::str::FromStr for Witness {
    type Err = BadVerifierKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, key) = verifier::parse(text, COSIGNATURE)?;
        Ok(Self { name, key })
    }
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&verifier::write(&self.name, COSIGNATURE, &self.key))
    }
}

impl Policy {
    /// `threshold` of `witnesses`. Of none of none is the policy of a log without witnesses.
    ///
    /// # Errors
    ///
    /// [`PolicyError`].
    pub fn new(witnesses: Vec<Witness>, threshold: usize) -> Result<Self, PolicyError> {
        if threshold > witnesses.len() {
            return Err(PolicyError::Threshold { threshold, known: witnesses.len() });
        }
        if witnesses.len() >= SIGNATURES_MAX {
            return Err(PolicyError::TooMany);
        }
        for (index, one) in witnesses.iter().enumerate() {
            let same = |other: &Witness| other.name == one.name || other.key == one.key;
            if witnesses[..index].iter().any(same) {
                return Err(PolicyError::Duplicate);
            }
        }
        Ok(Self { witnesses, threshold })
    }

    /// The witnesses that it knows.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// How many of them must have cosigned.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Whether `cosigned`, of one note, are enough.
    pub fn is_met_by(&self, cosigned: &[Cosigned]) -> bool {
        let known = self.witnesses.iter().filter(|witness| {
            cosigned.iter().any(|one| one.name == witness.name && one.key == witness.key.id())
        });
        known.count() >= self.threshold
    }

    /// The cosignatures of `note` by the known witnesses, in the policy's order, one for each.
    /// Lines by others are ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError::BadSignature`] where a known witness's line does not verify,
    /// [`NoteError::Format`] where this is no note.
    pub fn verify(&self, note: &str) -> Result<Vec<Cosigned>, NoteError> {
        let note = Note::parse(note)?;
        let found = self.witnesses.iter().map(|witness| witness.latest(note.text, &note.lines));
        found.filter_map(|found| found.map(|found| found.map(|(one, _)| one)).transpose()).collect()
    }

    /// Adds to `note` the cosignatures among signature `lines` that are by known witnesses, verify,
    /// and are of no time after `time_max` (seconds since the Unix epoch). What the note has stays;
    /// a witness that has cosigned it gets no second line. Lines by others are left out.
    ///
    /// # Errors
    ///
    /// [`NoteError::BadSignature`] where a known witness's line does not verify,
    /// [`NoteError::Format`] where these are no note and no lines, or the note would grow too long.
    pub fn merge(&self, note: &str, lines: &str, time_max: u64) -> Result<Merged, NoteError> {
        let before = Note::parse(note)?;
        let lines = Line::parse_all(lines)?;
        let mut merged = Merged { note: note.to_owned(), added: Vec::new() };
        for witness in &self.witnesses {
            if witness.latest(before.text, &before.lines)?.is_some() {
                continue;
            }
            let Some((cosigned, line)) = witness.latest(before.text, &lines)? else { continue };
            if cosigned.time <= time_max {
                merged.note.push_str(line.raw);
                merged.note.push('\n');
                merged.added.push(cosigned);
            }
        }
        if before.lines.len() + merged.added.len() > SIGNATURES_MAX {
            return Err(NoteError::Format("too many signatures"));
        }
        if merged.note.len() > NOTE_LEN_MAX {
            return Err(NoteError::Format("too long"));
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::note::Checkpoint;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn witness(seed: u8) -> Witness {
        Witness::new(&format!("witness.test/w{seed}"), key(seed).public().clone()).unwrap()
    }

    fn line(note: &str, seed: u8, time: u64) -> String {
        cosign(Note::parse(note).unwrap().text(), witness(seed).name(), &key(seed), time)
    }

    fn note() -> String {
        let root = Digest::of(b"root");
        Checkpoint { origin: "chancery.test/log".into(), size: 42, root }.sign(&key(1))
    }

    fn policy() -> Policy {
        Policy::new(vec![witness(10), witness(11), witness(12)], 2).unwrap()
    }

    /// The example of the specification, whose witness's key is not given: its layout at least.
    #[test]
    fn the_line_of_the_specification_is_a_time_and_a_signature() {
        let lines = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let parsed = Line::parse_all(lines).unwrap();
        assert_eq!(parsed[0].name, "witness.example.com/w1");
        assert_eq!(parsed[0].signature.len(), TIME_LEN + 64);
        assert_eq!(parsed[0].signature[..8], 1_679_315_147_u64.to_be_bytes());
    }

    #[test]
    fn what_is_cosigned_is_the_time_and_the_whole_text() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let signed = b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(message(text, 1_679_315_147), signed);
        for text in [text.to_owned(), format!("{text}an extension\n")] {
            let line = cosign(&text, witness(10).name(), &key(10), 1_679_315_147);
            let (cosigned, again) = witness(10).find(&text, &line).unwrap().unwrap();
            assert_eq!((cosigned.time, again), (1_679_315_147, line));
        }
    }

    #[test]
    fn a_changed_time_signature_or_text_is_refused() {
        let note = note();
        let text = Note::parse(&note).unwrap().text();
        let line = line(&note, 10, 1000);
        assert!(witness(10).find(text, &line).unwrap().is_some());
        assert_eq!(
            witness(10).find(&text.replace("42", "43"), &line),
            Err(NoteError::BadSignature)
        );
        let id = key_id(witness(10).name(), COSIGNATURE, key(10).public());
        let parsed = Line::parse_all(&line).unwrap().remove(0);
        for at in 0..parsed.signature.len() {
            let mut altered = parsed.signature.clone();
            altered[at] ^= 1;
            let altered = Line::write(witness(10).name(), id, &altered);
            assert_eq!(witness(10).find(text, &altered), Err(NoteError::BadSignature), "{at}");
        }
        let cut = Line::write(witness(10).name(), id, &parsed.signature[..7]);
        assert_eq!(witness(10).find(text, &cut), Err(NoteError::BadSignature));
    }

    #[test]
    fn a_note_signature_is_no_cosignature_and_the_reverse() {
        let note = note();
        let own = Witness::new("chancery.test/log", key(1).public().clone()).unwrap();
        let policy = Policy::new(vec![own], 1).unwrap();
        assert_eq!(policy.verify(&note), Ok(vec![]));
        let text = Note::parse(&note).unwrap().text();
        let cosigned = format!("{text}\n{}", cosign(text, "chancery.test/log", &key(1), 1000));
        assert_eq!(policy.verify(&cosigned).unwrap().len(), 1);
        assert_eq!(
            Checkpoint::open(&cosigned, "chancery.test/log", key(1).public()),
            Err(NoteError::UnknownKey)
        );
    }

    #[test]
    fn a_policy_counts_each_witness_once() {
        let note = note();
        let once = policy().merge(&note, &line(&note, 10, 1000), 2000).unwrap();
        let found = policy().verify(&once.note).unwrap();
        assert!(!policy().is_met_by(&found));
        let twice = [found.clone(), found].concat();
        assert!(!policy().is_met_by(&twice));
        let both = policy().merge(&once.note, &line(&note, 12, 1001), 2000).unwrap();
        let found = policy().verify(&both.note).unwrap();
        assert!(policy().is_met_by(&found));
        assert_eq!(found.iter().map(|one| one.time).collect::<Vec<_>>(), [1000, 1001]);
        let strangers = [Cosigned { name: "other".into(), ..found[0].clone() }, found[1].clone()];
        assert!(!policy().is_met_by(&strangers));
    }

    #[test]
    fn merging_loses_and_doubles_nothing() {
        let note = note();
        let lines = [line(&note, 11, 5), line(&note, 10, 6), line(&note, 99, 7)].concat();
        let merged = policy().merge(&note, &lines, 10).unwrap();
        assert_eq!(merged.added.len(), 2);
        assert!(merged.note.starts_with(&note));
        assert_eq!(merged.note.lines().count(), note.lines().count() + 2);
        assert!(!merged.note.contains("w99"));
        let again = policy().merge(&merged.note, &lines, 10).unwrap();
        assert_eq!(again, Merged { note: merged.note.clone(), added: vec![] });
        let later = policy().merge(&merged.note, &line(&note, 10, 9), 10).unwrap();
        assert_eq!(later.note, merged.note);
        assert!(Checkpoint::open(&merged.note, "chancery.test/log", key(1).public()).is_ok());
        // Of two lines at once, the later.
        let two = [line(&note, 10, 8), line(&note, 10, 9)].concat();
        assert_eq!(policy().merge(&note, &two, 10).unwrap().added[0].time, 9);
    }

    #[test]
    fn a_time_in_the_future_and_a_line_that_lies_are_not_merged() {
        let note = note();
        let early = policy().merge(&note, &line(&note, 10, 11), 10).unwrap();
        assert_eq!(early, Merged { note: note.clone(), added: vec![] });
        assert_eq!(policy().merge(&note, &line(&note, 10, 10), 10).unwrap().added.len(), 1);
        let of_another = note.replace("42", "41");
        let lie = line(&of_another, 10, 5);
        assert_eq!(policy().merge(&note, &lie, 10), Err(NoteError::BadSignature));
        assert!(matches!(policy().merge(&note, "", 10), Err(NoteError::Format(_))));
        assert!(matches!(policy().merge(&note, "nonsense\n", 10), Err(NoteError::Format(_))));
    }

    #[test]
    fn a_policy_that_can_not_be_met_or_counts_one_as_two_is_refused() {
        let known = 1;
        assert_eq!(
            Policy::new(vec![witness(10)], 2),
            Err(PolicyError::Threshold { threshold: 2, known })
        );
        let renamed = Witness::new("other.test", key(10).public().clone()).unwrap();
        assert_eq!(Policy::new(vec![witness(10), renamed], 1), Err(PolicyError::Duplicate));
        let many = |count| {
            let witness = |n: u8| {
                let key = key(n).public().clone();
                Witness::new(&format!("w{n}"), key).unwrap()
            };
            (0..count).map(witness).collect::<Vec<_>>()
        };
        assert!(Policy::new(many(63), 63).is_ok());
        assert_eq!(Policy::new(many(64), 1), Err(PolicyError::TooMany));
        assert!(Policy::default().is_met_by(&[]));
    }

    #[test]
    fn a_witness_has_one_written_form() {
        let text = witness(10).to_string();
        assert_eq!(text.parse(), Ok(witness(10)));
        let signer = crate::note::verifier_key(witness(10).name(), key(10).public());
        assert_eq!(signer.parse::<Witness>(), Err(BadVerifierKey("a key of another type")));
    }
}
