//! The service's keys for secrets and tokens, and what it does with them: it opens what members
//! sealed to it only to seal it again to the key that an entry of the log names.
//!
//! Without hardware the private halves are held by this process, and whoever runs it could take them:
//! the evidence that announces them says `insecure-virtual` then, and so does every view.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::query::DatasetVersion;
use chancery_governance::secret::{
    Given, GivenWhat, SealingKey, TokenClaims, given_context, stored_context, stored_name,
};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, RunId};
use chancery_ledger::key::{Algorithm, KeyId, PublicKey};
use chancery_sealing::{OpeningKey, PRIVATE_LEN, SealingError};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::Serialize;

use crate::clock::{NoRandomness, random};

/// The keys.
pub struct TrustKeys {
    release: OpeningKey,
    token: EcdsaKeyPair,
    token_public: PublicKey,
}

impl fmt::Debug for TrustKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustKeys")
            .field("release", self.release.public())
            .field("token", &self.token_public)
            .finish_non_exhaustive()
    }
}

/// Bytes that are no key of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustKeyError {
    /// Not a P-256 private key in PKCS #8 form.
    #[error("not a P-256 key")]
    Token,
    /// See [`NoRandomness`].
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// Something that can't be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandOutError {
    /// The service does not hold the key that the secret was sealed to, or the token be signed with.
    #[error("the service does not hold the key")]
    Key,
    /// The stored bytes are not the ones that the log names.
    #[error("the stored secret is not the one in the log")]
    Stored,
    /// See [`SealingError`].
    #[error("the secret can't be opened or sealed")]
    Sealing(#[from] SealingError),
    /// The token can't be signed.
    #[error("the token can't be signed")]
    Signing,
}

/// A token key in PKCS #8 form.
///
/// # Errors
///
/// [`TrustKeyError::Randomness`].
pub fn new_token_key() -> Result<Vec<u8>, TrustKeyError> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_| NoRandomness.into())
}

/// The bytes that a release key is derived from.
///
/// # Errors
///
/// [`NoRandomness`].
pub fn new_release_key() -> Result<[u8; PRIVATE_LEN], NoRandomness> {
    random()
}

impl TrustKeys {
    /// Takes keys as they are kept.
    ///
    /// # Errors
    ///
    /// [`TrustKeyError::Token`].
    pub fn new(release: &[u8; PRIVATE_LEN], token: &[u8]) -> Result<Self, TrustKeyError> {
        let random = SystemRandom::new();
        let token = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, token, &random)
            .map_err(|_| TrustKeyError::Token)?;
        let token_public = PublicKey::new(Algorithm::Es256, token.public_key().as_ref())
            .map_err(|_| TrustKeyError::Token)?;
        let release = OpeningKey::derive(release);
        Ok(Self { release, token, token_public })
    }

    /// Fresh ones, for tests and development.
    ///
    /// # Errors
    ///
    /// [`TrustKeyError::Randomness`].
    pub fn generate() -> Result<Self, TrustKeyError> {
        Self::new(&new_release_key()?, &new_token_key()?)
    }

    /// What members seal secrets to.
    pub const fn release_key(&self) -> &SealingKey {
        self.release.public()
    }

    /// What signs tokens.
    pub const fn token_key(&self) -> &PublicKey {
        &self.token_public
    }

    /// Whether `sealed` opens for this dataset version: a member learns at once that what it stored is
    /// of no use.
    pub fn opens(
        &self,
        collaboration: CollaborationId,
        version: &DatasetVersion,
        sealed: &[u8],
    ) -> bool {
        self.release.open(&stored_context(collaboration, version), sealed).is_ok()
    }

    /// Seals a stored secret again: to the key that `given`, an entry of the log, names.
    ///
    /// # Errors
    ///
    /// [`HandOutError`].
    pub fn hand_out_secret(
        &self,
        (collaboration, run): (CollaborationId, RunId),
        given: &Given,
        (ciphertext, stored): (&Digest, &[u8]),
    ) -> Result<Vec<u8>, HandOutError> {
        if Digest::of(stored) != *ciphertext {
            return Err(HandOutError::Stored);
        }
        let context = stored_context(collaboration, &given.version);
        let secret = self.release.open(&context, stored).map_err(|_| HandOutError::Key)?;
        let context = given_context(collaboration, run, &given.leaf);
        Ok(chancery_sealing::seal(&given.recipient, &context, &secret)?)
    }

    /// Signs the token that `given`, an entry of the log, minted, and seals it to the key named there.
    ///
    /// # Errors
    ///
    /// [`HandOutError`].
    pub fn hand_out_token(
        &self,
        (collaboration, run): (CollaborationId, RunId),
        given: &Given,
        claims: &TokenClaims,
    ) -> Result<Vec<u8>, HandOutError> {
        let token = self.sign(given, claims)?;
        let context = given_context(collaboration, run, &given.leaf);
        Ok(chancery_sealing::seal(&given.recipient, &context, token.as_bytes())?)
    }

    /// The JWT (RFC 7519), by ES256 as the discovery document says. All that it says stands in the
    /// entry: its `jti` is the entry's leaf hash, so that whoever has a token finds who got it and why.
    fn sign(&self, given: &Given, claims: &TokenClaims) -> Result<String, HandOutError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            kid: String,
            typ: &'a str,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            iat: u64,
            nbf: u64,
            exp: u64,
            jti: String,
        }
        if claims.token_key != self.token_public.id() {
            return Err(HandOutError::Key);
        }
        let header = Header { alg: "ES256", kid: key_name(claims.token_key), typ: "JWT" };
        let issued = given.time_ms / 1000;
        let body = Body {
            iss: &claims.issuer,
            sub: &claims.subject,
            aud: &claims.audience,
            iat: issued,
            nbf: issued,
            // Whole seconds, and never later than the log says.
            exp: claims.expires_ms / 1000,
            jti: given.leaf.to_hex(),
        };
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| HandOutError::Signing)
        };
        let signed =
            format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(&body))?);
        let signature = self
            .token
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| HandOutError::Signing)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// What a key is called in a key set: its id without the algorithm.
pub fn key_name(key: KeyId) -> String {
    key.to_hex()
}

/// A P-256 key as a JSON Web Key (RFC 7517).
pub fn jwk(key: &PublicKey) -> Option<serde_json::Value> {
    // An uncompressed point: 4, then x and y.
    let point = key.bytes().get(1..)?;
    let (x, y) = point.split_at_checked(32)?;
    if key.algorithm() != Algorithm::Es256 || y.len() != 32 {
        return None;
    }
    Some(serde_json::json!({
        "kty": "EC",
        "crv": "P-256",
        "use": "sig",
        "alg": "ES256",
        "kid": key_name(key.id()),
        "x": URL_SAFE_NO_PAD.encode(x),
        "y": URL_SAFE_NO_PAD.encode(y),
    }))
}

/// The name beside the log of what a [`Given`] secret is made of.
pub fn stored_under(given: &Given) -> Option<String> {
    match &given.what {
        GivenWhat::Secret(ciphertext) => Some(stored_name(given.version.dataset, ciphertext)),
        GivenWhat::Token(_) => None,
    }
}
