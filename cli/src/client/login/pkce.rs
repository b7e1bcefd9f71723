//! PKCE (RFC 7636) and the state of a request: what only this process knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;

use crate::client::clock::random;
use crate::failure::Result;

/// The secrets of one sign-in.
pub struct Pkce {
    /// `state`.
    pub state: String,
    /// `code_verifier`: 43 characters.
    pub verifier: String,
}

impl Pkce {
    /// Draws fresh ones.
    pub fn draw() -> Result<Self> {
        let text = || -> Result<String> { Ok(URL_SAFE_NO_PAD.encode(random::<32>()?)) };
        Ok(Self { state: text()?, verifier: text()? })
    }

    /// `code_challenge` of method S256 (RFC 7636 section 4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Digest::of(self.verifier.as_bytes()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let pkce = Pkce { state: String::new(), verifier };
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let (one, other) = (Pkce::draw().unwrap(), Pkce::draw().unwrap());
        assert_eq!(one.verifier.len(), 43);
        assert!(one.verifier != other.verifier && one.state != one.verifier);
    }
}
