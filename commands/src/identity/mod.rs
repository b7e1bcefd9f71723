//! Who is calling: verification of OIDC bearer tokens.
//!
//! Follows RFC 7519 (JWT), RFC 8725 (JWT best current practices), RFC 6750 (bearer tokens) and
//! `OpenID` Connect Discovery 1.0. Signatures and JWK parsing are the `jsonwebtoken` crate's; what
//! is here is the choice of issuer and key, and the bounds.
//!
//! An identity is (issuer, tenant, subject). The e-mail is a hint for invitations and never an
//! identity; `preferred_username` and the like, which their owner can change, are not read.
//!
//! The clock is an argument, so that the same token gives the same verdict in a test.

mod bearer;
mod error;
mod issuer;
mod keys;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chancery_ledger::digest::Digest;

pub use bearer::bearer_token;
pub use error::{FetchError, IdentityError, IssuerConfigError};
pub use issuer::{TrustedIssuer, is_loopback_host};
use source::KeySource;
use token::Unverified;

/// The longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// How far an issuer's clock may be from ours, for `exp`, `nbf` and `iat`.
pub const LEEWAY_S: u64 = 60;

/// The shortest time between two requests to one issuer for its keys.
pub const KEYS_REFETCH_MIN_MS: u64 = 10_000;

/// Keys older than this are fetched again in the background, and still serve meanwhile.
pub const KEYS_REFRESH_AFTER_MS: u64 = 15 * 60 * 1000;

/// Keys older than this serve no more: a key that its issuer revoked dies here at the latest,
/// also while the issuer can't be reached.
pub const KEYS_AGE_MAX_MS: u64 = 6 * 60 * 60 * 1000;

/// The largest discovery document or key set that is read.
pub const ISSUER_DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// The most keys that are taken from one key set.
pub const KEYS_MAX: usize = 64;

/// How long an issuer may take for one of its two documents, connection included.
pub const ISSUER_TIMEOUT_MS: u64 = 5_000;

/// The most issuers one verifier trusts.
pub const ISSUERS_MAX: usize = 64;

/// A caller whose token was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// The `iss`, exactly as configured.
    pub issuer: String,
    /// The tenant; always there when the issuer's configuration names a tenant claim.
    pub tenant: Option<String>,
    /// The `sub`, unique and stable within issuer and tenant.
    pub subject: String,
    /// The `email`, if it has the form of one. Personal data.
    pub email: Option<String>,
    /// Whether the issuer vouches for the e-mail.
    pub email_verified: bool,
    /// The `name`, for display only. Personal data.
    pub name: Option<String>,
    /// The `kid` of the key that signed the token.
    pub key_id: String,
    /// The digest of the token's bytes: what the log keeps of it.
    pub token_digest: Digest,
    /// The `exp`, without leeway, in milliseconds since 1970.
    pub expires_ms: u64,
}

impl fmt::Debug for VerifiedIdentity {
    /// Leaves out e-mail and name: identities get logged, personal data must not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIdentity")
            .field("issuer", &self.issuer)
            .field("tenant", &self.tenant)
            .field("subject", &self.subject)
            .field("email_verified", &self.email_verified)
            .field("key_id", &self.key_id)
            .field("token_digest", &self.token_digest)
            .field("expires_ms", &self.expires_ms)
            .finish_non_exhaustive()
    }
}

/// Verifies bearer tokens of the issuers it trusts.
pub struct Verifier {
    sources: BTreeMap<String, Arc<KeySource>>,
}

impl Verifier {
    /// Trusts `issuers`, whose keys it will fetch with `http` when the first token comes.
    ///
    /// `http` needs no settings: time and size are bounded here, and an answer that came by way of
    /// a redirect is refused. Build it with `redirect::Policy::none()` all the same, so that the
    /// second request isn't even made.
    ///
    /// # Errors
    ///
    /// When an issuer is not an https URL (or http on a loopback address), when two have the same
    /// `iss`, or when a setting is empty or contradicts another.
    #[expect(clippy::needless_pass_by_value, reason = "a client is a handle; this one is given up")]
    pub fn new(
        issuers: Vec<TrustedIssuer>,
        http: reqwest::Client,
    ) -> Result<Self, IssuerConfigError> {
        if issuers.len() > ISSUERS_MAX {
            return Err(IssuerConfigError::TooMany);
        }
        let mut sources = BTreeMap::new();
        for trusted in issuers {
            let name = trusted.issuer.clone();
            let source = Arc::new(KeySource::new(trusted, http.clone())?);
            if sources.insert(name.clone(), source).is_some() {
                return Err(IssuerConfigError::Duplicate { issuer: name });
            }
        }
        Ok(Self { sources })
    }

    /// Verifies `token`, the text after `Bearer `, at the time `now_ms` (milliseconds since 1970).
    ///
    /// Reaches out to the issuer when its keys are not known yet, have aged, or don't hold the key
    /// that the token names; that at most once in [`KEYS_REFETCH_MIN_MS`].
    ///
    /// # Errors
    ///
    /// See [`IdentityError`]; [`IdentityError::code`] is the stable reason code.
    pub async fn verify(
        &self,
        token: &str,
        now_ms: u64,
    ) -> Result<VerifiedIdentity, IdentityError> {
        let unverified = Unverified::parse(token)?;
        let source = self.sources.get(unverified.issuer()).ok_or(IdentityError::IssuerUnknown)?;
        let key = source.key(unverified.key_id(), unverified.algorithm(), now_ms).await?;
        unverified.verify(&key, source.trusted(), now_ms)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuers", &self.sources.keys()).finish()
    }
}
