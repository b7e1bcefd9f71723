//! One token: what it says of itself, and whether that is so. Pure: no network, no clock.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ledger::digest::Digest;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};

use super::{IdentityError, LEEWAY_S, TOKEN_BYTES_MAX, TrustedIssuer, VerifiedIdentity};

/// The longest subject (`OpenID` Connect Core 1.0 section 2) and tenant, in bytes.
const ID_BYTES_MAX: usize = 255;

/// The longest e-mail address, in bytes (RFC 5321 section 4.5.3.1: 64 + 1 + 255).
const EMAIL_BYTES_MAX: usize = 320;

/// The longest name shown, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A token whose signature has not been checked. It may choose an issuer and a key, no more.
pub(super) struct Unverified<'a> {
    text: &'a str,
    algorithm: Algorithm,
    key_id: String,
    issuer: String,
}

/// The header fields that matter (RFC 7515 section 4.1). Keys that a token brings along (`jwk`,
/// `jku`, `x5c`, `x5u`) are never looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct IssuerOnly {
    iss: Option<Value>,
}

/// The claims that are read. The library checks `iss` and `aud`.
#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    email: Option<Value>,
    email_verified: Option<Value>,
    name: Option<Value>,
    /// The tenant is in here, under a name that the configuration knows.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// Reads the header and the `iss` of a token in compact form.
    pub fn parse(text: &'a str) -> Result<Self, IdentityError> {
        if text.is_empty() {
            return Err(IdentityError::Missing);
        }
        if text.len() > TOKEN_BYTES_MAX {
            return Err(IdentityError::TooLarge { bytes: text.len() });
        }
        let mut segments = text.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(IdentityError::Malformed { what: "it has not three parts" });
        };
        let header = URL_SAFE_NO_PAD
            .decode(header)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok())
            .ok_or(IdentityError::Malformed { what: "its header can't be read" })?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "PS256" => Algorithm::PS256,
            "ES256" => Algorithm::ES256,
            "EdDSA" => Algorithm::EdDSA,
            // `none` and the HMAC family are here: a public key must never serve as a secret.
            _ => return Err(IdentityError::AlgorithmNotAllowed),
        };
        if header.crit.is_some() {
            // RFC 7515 section 4.1.11: what must be understood, and isn't, makes it invalid.
            return Err(IdentityError::Malformed { what: "it demands an extension" });
        }
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<IssuerOnly>(text)
            .map_err(|_| IdentityError::Malformed { what: "its claims can't be read" })?;
        let issuer = match claims.iss {
            Some(Value::String(issuer)) => issuer,
            Some(_) => return Err(invalid("iss")),
            None => return Err(missing("iss")),
        };
        let key_id = header.kid.ok_or(IdentityError::KeyUnknown)?;
        Ok(Self { text, algorithm, key_id, issuer })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks the signature with `key`, then each claim.
    pub fn verify(
        self,
        key: &DecodingKey,
        trusted: &TrustedIssuer,
        now_ms: u64,
    ) -> Result<VerifiedIdentity, IdentityError> {
        let mut validation = Validation::new(self.algorithm);
        validation.set_issuer(&[&trusted.issuer]);
        validation.set_audience(&[&trusted.audience]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // The library would ask the ambient clock; times are checked below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(self.text, key, &validation)
            .map_err(|error| refusal(error.kind()))?
            .claims;
        let expires_ms = check_times(&claims, now_ms)?;
        let subject = claims.sub.ok_or_else(|| missing("sub"))?;
        let subject = identifier(subject).ok_or_else(|| invalid("sub"))?;
        let tenant = match &trusted.tenant_claim {
            Some(claim) => Some(tenant(&claims.others, claim)?),
            None => None,
        };
        let email = claims.email.and_then(email);
        let vouched = match claims.email_verified {
            Some(Value::Bool(vouched)) => vouched,
            // "true" in quotes and the like vouch for nothing.
            Some(_) => false,
            None => trusted.emails_verified_in_tenant && tenant.is_some(),
        };
        Ok(VerifiedIdentity {
            issuer: self.issuer,
            tenant,
            subject,
            email_verified: vouched && email.is_some(),
            email,
            name: claims.name.and_then(|name| text_within(name, NAME_BYTES_MAX)),
            key_id: self.key_id,
            token_digest: Digest::of(self.text.as_bytes()),
            expires_ms,
        })
    }
}

/// The library's verdict in our codes. What is not foreseen refuses the signature.
fn refusal(kind: &ErrorKind) -> IdentityError {
    match kind {
        ErrorKind::InvalidAudience => IdentityError::AudienceMismatch,
        ErrorKind::InvalidIssuer => IdentityError::IssuerUnknown,
        ErrorKind::InvalidAlgorithm => IdentityError::AlgorithmNotAllowed,
        ErrorKind::MissingRequiredClaim(claim) => missing(claim),
        ErrorKind::InvalidClaimFormat(claim) => invalid(claim),
        ErrorKind::InvalidToken
        | ErrorKind::Base64(_)
        | ErrorKind::Json(_)
        | ErrorKind::Utf8(_) => IdentityError::Malformed { what: "its claims can't be read" },
        _ => IdentityError::SignatureInvalid,
    }
}

fn missing(claim: &str) -> IdentityError {
    IdentityError::ClaimMissing { claim: claim.to_owned() }
}

fn invalid(claim: &str) -> IdentityError {
    IdentityError::ClaimInvalid { claim: claim.to_owned() }
}

/// Checks `exp` (which must be there), `nbf` and `iat` with the leeway, and gives the `exp` in
/// milliseconds.
fn check_times(claims: &Claims, now_ms: u64) -> Result<u64, IdentityError> {
    let leeway_ms = LEEWAY_S * 1000;
    let expires_ms = milliseconds("exp", claims.exp.as_ref())?.ok_or_else(|| missing("exp"))?;
    if now_ms >= expires_ms.saturating_add(leeway_ms) {
        return Err(IdentityError::Expired);
    }
    for (name, claim) in [("nbf", &claims.nbf), ("iat", &claims.iat)] {
        let from_ms = milliseconds(name, claim.as_ref())?;
        if from_ms.is_some_and(|from_ms| from_ms > now_ms.saturating_add(leeway_ms)) {
            return Err(IdentityError::NotYetValid);
        }
    }
    Ok(expires_ms)
}

/// A `NumericDate` (RFC 7519 section 2: seconds since 1970, possibly with a fraction) in
/// milliseconds.
fn milliseconds(name: &str, date: Option<&Number>) -> Result<Option<u64>, IdentityError> {
    /// Seconds until the year 9999: beyond it is an error, and below it f64 is exact enough.
    const SECONDS_MAX: f64 = 253_402_300_800.0;

    let Some(date) = date else { return Ok(None) };
    let seconds = date.as_f64().filter(|seconds| (0.0..SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| invalid(name))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked just above; what is cut off is less than a millisecond"
    )]
    Ok(Some((seconds * 1000.0) as u64))
}

fn tenant(claims: &Map<String, Value>, name: &str) -> Result<String, IdentityError> {
    match claims.get(name) {
        Some(Value::String(tenant)) => identifier(tenant.clone()).ok_or_else(|| invalid(name)),
        Some(Value::Null) | None => Err(missing(name)),
        Some(_) => Err(invalid(name)),
    }
}

/// An identifier: not empty, of bounded length, without control characters (it gets logged).
fn identifier(text: String) -> Option<String> {
    let fit = !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.contains(char::is_control);
    fit.then_some(text)
}

fn email(claim: Value) -> Option<String> {
    let text = text_within(claim, EMAIL_BYTES_MAX)?;
    let (local, domain) = text.rsplit_once('@')?;
    let fit = !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace);
    fit.then_some(text)
}

/// A text for people. One that is empty, too long or has control characters is dropped, since
/// nothing depends on it.
fn text_within(claim: Value, bytes_max: usize) -> Option<String> {
    let Value::String(text) = claim else { return None };
    let fit = !text.is_empty() && text.len() <= bytes_max && !text.contains(char::is_control);
    fit.then_some(text)
}
