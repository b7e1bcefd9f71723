//! Sealing to an attested key: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! AES-256-GCM. A sealed secret is the encapsulated key, 32 bytes, then the ciphertext with its tag.
//!
//! The context goes into HPKE's `info`, so that what was sealed for one purpose opens for no other.

use chancery_governance::secret::SealingKey;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use rand_core::{CryptoRng, OsRng, RngCore, TryRngCore as _};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;
type PublicKey = <Kem as hpke::Kem>::PublicKey;
type Encapsulated = <Kem as hpke::Kem>::EncappedKey;

/// What a sealed secret has beside the secret: the encapsulated key and the tag.
pub const OVERHEAD: usize = ENCAPSULATED_LEN + 16;
/// Bytes of a private key.
pub const PRIVATE_LEN: usize = 32;

const ENCAPSULATED_LEN: usize = 32;

/// Something that can't be sealed or opened. The library says no more, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// A point of small order, to which nothing can be sealed.
    #[error("nothing can be sealed to that key")]
    Key,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// Sealed to another key or for another purpose, or changed since.
    #[error("the sealed bytes do not open with this key for this purpose")]
    Opening,
}

/// A private key. It opens what was sealed to [`OpeningKey::public`].
pub struct OpeningKey {
    private: PrivateKey,
    public: SealingKey,
}

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpeningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl OpeningKey {
    /// Makes a key of these bytes, of which each must be random: RFC 9180's `DeriveKeyPair`.
    pub fn derive(random: &[u8; PRIVATE_LEN]) -> Self {
        let (private, public) = Kem::derive_keypair(random);
        Self { private, public: text(&public) }
    }

    /// The public half.
    pub const fn public(&self) -> &SealingKey {
        &self.public
    }

    /// Opens what [`seal`] made in the same context.
    ///
    /// # Errors
    ///
    /// [`SealingError::Opening`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        let (encapsulated, ciphertext) =
            sealed.split_at_checked(ENCAPSULATED_LEN).ok_or(SealingError::Opening)?;
        let encapsulated =
            Encapsulated::from_bytes(encapsulated).map_err(|_| SealingError::Opening)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            context,
            ciphertext,
            &[],
        )
        .map(Zeroizing::new)
        .map_err(|_| SealingError::Opening)
    }
}

/// Seals to a key. Sealing twice gives two texts.
///
/// # Errors
///
/// [`SealingError::Key`] and [`SealingError::Randomness`].
pub fn seal(to: &SealingKey, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, SealingError> {
    let key = PublicKey::from_bytes(to.bytes()).map_err(|_| SealingError::Key)?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem, _>(
        &OpModeS::Base,
        &key,
        context,
        secret,
        &[],
        &mut Drawn::draw()?,
    )
    .map_err(|_| SealingError::Key)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Randomness that was drawn before: drawing can fail, and the library's interface can't.
struct Drawn {
    bytes: Zeroizing<[u8; DRAWN_LEN]>,
    used: usize,
}

/// HPKE draws one private key's worth.
const DRAWN_LEN: usize = PRIVATE_LEN;

impl Drawn {
    fn draw() -> Result<Self, SealingError> {
        let mut bytes = Zeroizing::new([0; DRAWN_LEN]);
        OsRng.try_fill_bytes(bytes.as_mut()).map_err(|_| SealingError::Randomness)?;
        Ok(Self { bytes, used: 0 })
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        let end = self.used + to.len();
        // No byte is given twice: asking for more than was drawn is a fault of this file.
        assert!(end <= DRAWN_LEN, "HPKE draws more than a private key");
        to.copy_from_slice(&self.bytes[self.used..end]);
        self.used = end;
    }
}

impl CryptoRng for Drawn {}

fn text(key: &PublicKey) -> SealingKey {
    let mut bytes = [0; SealingKey::LEN];
    bytes.copy_from_slice(&key.to_bytes());
    SealingKey::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_context_only() {
        let key = OpeningKey::derive(&[1; PRIVATE_LEN]);
        let sealed = seal(key.public(), b"for orders", b"hunter2").unwrap();
        assert_eq!(sealed.len(), b"hunter2".len() + OVERHEAD);
        assert_eq!(key.open(b"for orders", &sealed).unwrap().as_slice(), b"hunter2");
        assert_eq!(key.open(b"for campaigns", &sealed), Err(SealingError::Opening));
        let other = OpeningKey::derive(&[2; PRIVATE_LEN]);
        assert_eq!(other.open(b"for orders", &sealed), Err(SealingError::Opening));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"for orders", &changed), Err(SealingError::Opening), "{at}");
            assert_eq!(key.open(b"for orders", &sealed[..at]), Err(SealingError::Opening));
        }
        assert_ne!(seal(key.public(), b"for orders", b"hunter2").unwrap(), sealed);
    }

    #[test]
    fn nothing_is_sealed_to_a_point_of_small_order() {
        assert_eq!(seal(&SealingKey::new([0; 32]), b"", b"x"), Err(SealingError::Key));
    }

    #[test]
    fn a_key_is_the_one_of_its_bytes_and_never_shown() {
        let key = OpeningKey::derive(&[1; PRIVATE_LEN]);
        assert_eq!(OpeningKey::derive(&[1; PRIVATE_LEN]).public(), key.public());
        assert!(!format!("{key:?}").contains("private"));
    }
}
