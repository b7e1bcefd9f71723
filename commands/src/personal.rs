//! E-mail addresses under a key of their own. The log holds ciphertext and commitment; the keys
//! lie beside it, and destroying one erases the person.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::submission::email_commitment;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::clock::{NoRandomness, random};

/// Bytes of a personal key.
pub const KEY_LEN: usize = 32;
/// Least bytes of an e-mail's salt.
pub const SALT_LEN_MIN: usize = 16;
/// Most bytes of an e-mail's salt.
pub const SALT_LEN_MAX: usize = 64;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3, without the brackets).
pub const EMAIL_LEN_MAX: usize = 254;

/// An e-mail address with the salt of its commitment.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The salt.
    pub salt: Vec<u8>,
    /// The address, trimmed and in lower case.
    pub address: String,
}

impl Email {
    /// The commitment that the log holds.
    pub fn commitment(&self) -> Digest {
        email_commitment(&self.salt, &self.address)
    }

    /// Whether this is the address `other`, which an issuer verified.
    pub fn is(&self, other: &str) -> bool {
        self.address == normal(other)
    }
}

/// An address as it is compared: trimmed, in lower case.
pub fn normal(address: &str) -> String {
    address.trim().to_lowercase()
}

/// Whether a text can be an address at all: one `@` with something on both sides, no blanks.
pub fn is_address(text: &str) -> bool {
    let fine = text.len() <= EMAIL_LEN_MAX
        && !text.chars().any(|char| char.is_whitespace() || char.is_control());
    fine && text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    })
}

/// Seals an address under a fresh key: `(key, ciphertext in base64url)`.
///
/// # Errors
///
/// [`NoRandomness`].
pub fn seal(
    email: &Email,
    collaboration: CollaborationId,
    subject: &str,
) -> Result<([u8; KEY_LEN], String), NoRandomness> {
    let key = random::<KEY_LEN>()?;
    let nonce = random::<NONCE_LEN>()?;
    let mut sealed = codec::encode(&Value::Array(vec![
        Value::bytes(email.salt.as_slice()),
        Value::text(&email.address),
    ]));
    cipher(&key)
        .and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            cipher.seal_in_place_append_tag(nonce, aad(collaboration, subject), &mut sealed).ok()
        })
        .ok_or(NoRandomness)?;
    let mut out = nonce.to_vec();
    out.append(&mut sealed);
    Ok((key, URL_SAFE_NO_PAD.encode(out)))
}

/// Opens a sealed address; none where the key or the ciphertext is another's.
pub fn open(
    key: &[u8],
    ciphertext: &str,
    collaboration: CollaborationId,
    subject: &str,
) -> Option<Email> {
    let bytes = URL_SAFE_NO_PAD.decode(ciphertext).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let opened =
        cipher(key)?.open_in_place(nonce, aad(collaboration, subject), &mut sealed).ok()?;
    match codec::decode(opened).ok()? {
        Value::Array(parts) => match <[Value; 2]>::try_from(parts).ok()? {
            [Value::Bytes(salt), Value::Text(address)] => Some(Email { salt, address }),
            _ => None,
        },
        _ => None,
    }
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn aad(collaboration: CollaborationId, subject: &str) -> Aad<Vec<u8>> {
    Aad::from(codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/personal"),
        Value::bytes(*collaboration.as_bytes()),
        Value::text(subject),
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_with_its_key_log_and_subject_only() {
        let log = CollaborationId::new(uuid::Uuid::from_u128(1));
        let other = CollaborationId::new(uuid::Uuid::from_u128(2));
        let email = Email { salt: vec![7; 16], address: "a@b.example".into() };
        let (key, ciphertext) = seal(&email, log, "invitation/1").unwrap();
        assert!(open(&key, &ciphertext, log, "invitation/1") == Some(email));
        assert!(open(&key, &ciphertext, other, "invitation/1").is_none());
        assert!(open(&key, &ciphertext, log, "invitation/2").is_none());
        assert!(open(&[0; KEY_LEN], &ciphertext, log, "invitation/1").is_none());
        assert!(open(&[], "", log, "").is_none());
    }

    #[test]
    fn addresses_have_one_at_sign_and_no_blanks() {
        assert!(is_address("fatima@fabrikam.example"));
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", &format!("{}@b", "a".repeat(254))] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
