//! Authorization codes: used once, short-lived, of bounded number.

use std::collections::BTreeMap;

use chancery_ledger::digest::Digest;

use super::{CODE_LIFE_MS, CODES_MAX, Person};

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub person: &'static Person,
    pub client: String,
    /// As the client wrote it; the token request must repeat it byte for byte.
    pub redirect_uri: String,
    /// base64url(SHA-256(verifier)).
    pub challenge: String,
    pub nonce: Option<String>,
    pub issued_ms: u64,
}

/// The codes that wait to be redeemed, by their digest.
#[derive(Debug, Default)]
pub(super) struct Codes(BTreeMap<Digest, Grant>);

/// There are [`CODES_MAX`] codes waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Codes {
    /// Keeps `grant` for whoever brings `code`.
    pub fn issue(&mut self, code: &str, grant: Grant) -> Result<(), Full> {
        let now_ms = grant.issued_ms;
        self.0.retain(|_, waiting| waiting.is_fresh(now_ms));
        if self.0.len() >= CODES_MAX {
            return Err(Full);
        }
        self.0.insert(Digest::of(code.as_bytes()), grant);
        Ok(())
    }

    /// Takes the code away, whatever comes of it: a second try finds nothing (RFC 6749 section
    /// 10.5).
    pub fn redeem(&mut self, code: &str, now_ms: u64) -> Option<Grant> {
        self.0.remove(&Digest::of(code.as_bytes())).filter(|grant| grant.is_fresh(now_ms))
    }
}

impl Grant {
    fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms.abs_diff(self.issued_ms) < CODE_LIFE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::super::PEOPLE;
    use super::*;

    fn grant(issued_ms: u64) -> Grant {
        Grant {
            person: &PEOPLE[0],
            client: "c".to_owned(),
            redirect_uri: "r".to_owned(),
            challenge: "h".to_owned(),
            nonce: None,
            issued_ms,
        }
    }

    #[test]
    fn a_code_serves_once_and_until_its_end() {
        let mut codes = Codes::default();
        codes.issue("a", grant(1000)).unwrap();
        codes.issue("b", grant(1000)).unwrap();
        assert_eq!(codes.redeem("a", 1000 + CODE_LIFE_MS - 1), Some(grant(1000)));
        assert_eq!(codes.redeem("a", 1001), None);
        assert_eq!(codes.redeem("b", 1000 + CODE_LIFE_MS), None);
        assert_eq!(codes.redeem("b", 1000), None, "the failed try used it up");
    }

    #[test]
    fn the_number_of_codes_is_bounded_and_old_ones_make_room() {
        let mut codes = Codes::default();
        for n in 0..CODES_MAX {
            codes.issue(&n.to_string(), grant(0)).unwrap();
        }
        assert_eq!(codes.issue("one more", grant(CODE_LIFE_MS - 1)), Err(Full));
        assert_eq!(codes.issue("one more", grant(CODE_LIFE_MS)), Ok(()));
        assert_eq!(codes.0.len(), 1);
    }
}
