//! The body of `add-checkpoint`: the old size, a consistency proof, an empty line, the checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;
use chancery_ledger::note::NOTE_LEN_MAX;

/// Most lines of proof that a request may have, by the specification.
pub const PROOF_LINES_MAX: usize = 63;
/// Largest request that is read, in bytes: a note of [`NOTE_LEN_MAX`] with a proof of 63 lines.
pub const REQUEST_LEN_MAX: usize = NOTE_LEN_MAX + 4096;

/// A checkpoint submitted to a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the last checkpoint that the witness cosigned, as the log believes; 0 for none.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<Digest>,
    /// The checkpoint, a signed note.
    pub note: String,
}

/// A body that is no such request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an add-checkpoint request: {0}")]
pub struct BadRequest(pub(crate) &'static str);

impl AddCheckpoint {
    /// The body.
    pub fn encode(&self) -> String {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            STANDARD.encode_string(hash.as_bytes(), &mut out);
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.note);
        out
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`BadRequest`]; the note is not looked into.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        if body.len() > REQUEST_LEN_MAX {
            return Err(BadRequest("too long"));
        }
        let body = std::str::from_utf8(body).map_err(|_| BadRequest("not UTF-8"))?;
        let (head, note) = body.split_once("\n\n").ok_or(BadRequest("no empty line"))?;
        let mut lines = head.split('\n');
        let size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .ok_or(BadRequest("no old size"))?;
        let old: u64 = size.parse().map_err(|_| BadRequest("the old size is no number"))?;
        if old.to_string() != size {
            return Err(BadRequest("the old size is not in its one form"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_LINES_MAX {
                return Err(BadRequest("more than 63 lines of proof"));
            }
            let hash = STANDARD.decode(line).ok().and_then(|bytes| Digest::from_slice(&bytes));
            proof.push(hash.ok_or(BadRequest("a line of the proof is no hash"))?);
        }
        Ok(Self { old, proof, note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_and_is_as_specified() {
        let proof = vec![Digest::of(b"one"), Digest::of(b"two")];
        for proof in [vec![], proof] {
            let request =
                AddCheckpoint { old: 20, proof, note: "o\n21\nroot\n\n\u{2014} o x\n".into() };
            let body = request.encode();
            assert!(body.starts_with("old 20\n") && body.ends_with(&request.note));
            assert_eq!(AddCheckpoint::parse(body.as_bytes()), Ok(request));
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        let hash = STANDARD.encode([7; 32]);
        for body in [
            String::new(),
            "old 1\n".into(),
            "\n\nnote".into(),
            "old\n\nnote".into(),
            "old 01\n\nnote".into(),
            "old +1\n\nnote".into(),
            "old -1\n\nnote".into(),
            "old 18446744073709551616\n\nnote".into(),
            "new 1\n\nnote".into(),
            "old 1\nnonsense\n\nnote".into(),
            format!("old 1\n{}\n\nnote", STANDARD.encode([7; 31])),
            format!("old 1\n{hash} \n\nnote"),
            format!("old 1\r\n{hash}\r\n\r\nnote"),
            format!("old 1{}\n\nnote", format!("\n{hash}").repeat(PROOF_LINES_MAX + 1)),
            "x".repeat(REQUEST_LEN_MAX + 1),
        ] {
            assert!(AddCheckpoint::parse(body.as_bytes()).is_err(), "{body}");
        }
        let most = format!("old 1{}\n\nnote", format!("\n{hash}").repeat(PROOF_LINES_MAX));
        assert_eq!(AddCheckpoint::parse(most.as_bytes()).unwrap().proof.len(), PROOF_LINES_MAX);
        assert!(AddCheckpoint::parse(b"old 1\n\n\xff").is_err());
    }
}
