//! An issuer's key set (JWKS, RFC 7517), reduced to the keys that may verify a token.
//!
//! The set comes from outside: a key that is unfit is left out, the others still serve. A key's
//! size is checked here since the library slices it unchecked (`jsonwebtoken` 11 panics on an
//! Ed25519 key of less than 32 bytes).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::{FetchError, KEYS_MAX};

/// Bytes of a P-256 coordinate and of an Ed25519 public key.
const CURVE_BYTES: usize = 32;

/// RSA moduli, in bytes: 2048 bits (RFC 7518 section 3.3) to 4096, the library's bound.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The keys an issuer signs with.
pub(super) struct KeySet(Vec<SigningKey>);

struct SigningKey {
    id: String,
    /// What the key's type, curve and own `alg` leave of the allow-list.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// What became of the search for a key.
pub(super) enum Lookup {
    Found(DecodingKey),
    /// The id is there, on a key for another algorithm.
    WrongAlgorithm,
    Unknown,
}

#[derive(Deserialize)]
struct Document {
    // Values, so that one key of unknown form doesn't spoil the set.
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a JWKS document.
    pub fn parse(bytes: &[u8]) -> Result<Self, FetchError> {
        let document: Document = serde_json::from_slice(bytes).map_err(FetchError::Unreadable)?;
        let keys: Vec<_> = document
            .keys
            .into_iter()
            .filter_map(|value| SigningKey::new(&serde_json::from_value(value).ok()?))
            .take(KEYS_MAX)
            .collect();
        if keys.is_empty() { Err(FetchError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// The key named `id`, if it is one for `algorithm`.
    pub fn find(&self, id: &str, algorithm: Algorithm) -> Lookup {
        let mut named = self.0.iter().filter(|key| key.id == id).peekable();
        if named.peek().is_none() {
            return Lookup::Unknown;
        }
        named
            .find(|key| key.algorithms.contains(&algorithm))
            .map_or(Lookup::WrongAlgorithm, |found| Lookup::Found(found.key.clone()))
    }
}

impl SigningKey {
    fn new(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let id = common.key_id.clone().filter(|id| !id.is_empty())?;
        let for_signatures = match &common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
        };
        let operations = common.key_operations.as_deref();
        let for_verifying = operations.is_none_or(|ops| ops.contains(&KeyOperations::Verify));
        if !for_signatures || !for_verifying {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key)
                if key.curve == EllipticCurve::P256
                    && byte_length(&key.x)? == CURVE_BYTES
                    && byte_length(&key.y)? == CURVE_BYTES =>
            {
                vec![Algorithm::ES256]
            }
            AlgorithmParameters::OctetKeyPair(key)
                if key.curve == EllipticCurve::Ed25519 && byte_length(&key.x)? == CURVE_BYTES =>
            {
                vec![Algorithm::EdDSA]
            }
            AlgorithmParameters::RSA(key)
                if RSA_MODULUS_BYTES.contains(&number_length(&key.n)?) =>
            {
                vec![Algorithm::RS256, Algorithm::PS256]
            }
            // Symmetric keys, other curves, sizes out of bounds, types yet to come.
            _ => return None,
        };
        if let Some(own) = common.key_algorithm {
            algorithms.retain(|algorithm| own == (*algorithm).into());
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Self { id, algorithms, key: DecodingKey::from_jwk(jwk).ok()? })
    }
}

/// How many bytes a base64url value has.
fn byte_length(text: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

/// How many bytes a base64url number has without leading zeros, under which a short modulus would
/// pass for a long one.
fn number_length(text: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.iter().skip_while(|byte| **byte == 0).count())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn parse(keys: &[Value]) -> Result<KeySet, FetchError> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    fn rsa(extra: &Value) -> Value {
        let mut key = json!({"kty": "RSA", "kid": "r", "n": b64(&[0xc1; 256]), "e": "AQAB"});
        for (name, value) in extra.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    #[test]
    fn a_key_serves_only_the_algorithms_of_its_type() {
        let set = parse(&[
            rsa(&json!({})),
            json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": b64(&[1; 32]), "y": b64(&[2; 32])}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "o", "x": b64(&[3; 32])}),
        ])
        .unwrap();
        let all = [
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::EdDSA,
            Algorithm::HS256,
            Algorithm::ES384,
            Algorithm::RS512,
        ];
        for (id, fitting) in [("r", &all[..2]), ("e", &all[2..3]), ("o", &all[3..4])] {
            for algorithm in all {
                let found = matches!(set.find(id, algorithm), Lookup::Found(_));
                assert_eq!(found, fitting.contains(&algorithm), "{id} {algorithm:?}");
            }
        }
        assert!(matches!(set.find("x", Algorithm::RS256), Lookup::Unknown));
    }

    #[test]
    fn the_keys_own_alg_narrows_it() {
        let set = parse(&[rsa(&json!({"alg": "PS256", "use": "sig"}))]).unwrap();
        assert!(matches!(set.find("r", Algorithm::PS256), Lookup::Found(_)));
        assert!(matches!(set.find("r", Algorithm::RS256), Lookup::WrongAlgorithm));
    }

    #[test]
    fn unfit_keys_are_left_out_and_spoil_nothing() {
        let short_ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "r", "x": b64(&[3; 31])});
        let unfit = [
            rsa(&json!({"use": "enc"})),
            rsa(&json!({"key_ops": ["encrypt"]})),
            rsa(&json!({"alg": "RSA-OAEP"})),
            rsa(&json!({"alg": "RS512"})),
            rsa(&json!({"kid": null})),
            rsa(&json!({"kid": ""})),
            rsa(&json!({"n": b64(&[0xc1; 128])})),
            rsa(&json!({"n": b64(&[&[0; 128][..], &[0xc1; 128]].concat())})),
            rsa(&json!({"n": b64(&[0xc1; 513])})),
            rsa(&json!({"n": "not base64!"})),
            json!({"kty": "oct", "kid": "r", "k": b64(&[1; 32])}),
            short_ed,
            json!({"kty": "OKP", "crv": "Ed448", "kid": "r", "x": b64(&[3; 57])}),
            json!({"kty": "EC", "crv": "P-384", "kid": "r", "x": b64(&[1; 48]), "y": b64(&[2; 48])}),
            json!({"kty": "EC", "crv": "P-256", "kid": "r", "x": b64(&[1; 31]), "y": b64(&[2; 33])}),
            json!({"kty": "AKP", "kid": "r"}),
            json!(7),
        ];
        for key in &unfit {
            let alone = parse(std::slice::from_ref(key));
            assert!(matches!(alone, Err(FetchError::NoUsableKey)), "{key}");
        }
        let mut keys = unfit.to_vec();
        keys.push(rsa(&json!({"kid": "good"})));
        assert!(matches!(parse(&keys).unwrap().find("good", Algorithm::RS256), Lookup::Found(_)));
    }

    #[test]
    fn no_more_keys_are_taken_than_the_bound() {
        let keys: Vec<_> = (0..=KEYS_MAX).map(|id| rsa(&json!({"kid": id.to_string()}))).collect();
        let set = parse(&keys).unwrap();
        assert!(matches!(set.find("63", Algorithm::RS256), Lookup::Found(_)));
        assert!(matches!(set.find("64", Algorithm::RS256), Lookup::Unknown));
    }
}
