//! The key that signs development tokens: ES256, made by ring.

use std::fmt;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SecureRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde::Serialize;

use super::DevIssuerError;

/// A P-256 key pair. Its id is its RFC 7638 thumbprint.
pub struct DevKey {
    id: String,
    private: EncodingKey,
    public: Jwk,
}

impl DevKey {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// [`DevIssuerError::Key`] when the system has no random bytes to give.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, DevIssuerError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)
            .map_err(|_| DevIssuerError::Key)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Takes a P-256 private key in PKCS #8 form.
    ///
    /// # Errors
    ///
    /// [`DevIssuerError::Key`] when it isn't one.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, DevIssuerError> {
        let private = EncodingKey::from_ec_der(der);
        let mut public =
            Jwk::from_encoding_key(&private, Algorithm::ES256).map_err(|_| DevIssuerError::Key)?;
        let id = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| DevIssuerError::Key)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, private, public })
    }

    /// The `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, as it stands in the key set.
    pub(crate) fn public(&self) -> &Jwk {
        &self.public
    }

    /// Signs `claims` as a JWT of type `kind`. Deterministic (RFC 6979).
    pub(crate) fn sign<T: Serialize>(
        &self,
        kind: &str,
        claims: &T,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private)
    }
}

impl fmt::Debug for DevKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevKey").field("id", &self.id).finish_non_exhaustive()
    }
}
