//! What can be wrong with a token, an issuer or its configuration.

use crate::problem::Problem;

use super::KEYS_REFETCH_MIN_MS;

/// Why a caller was not identified.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No bearer token came.
    #[error("no bearer token")]
    Missing,
    /// It is not a signed JWT in compact form.
    #[error("the token is malformed: {what}")]
    Malformed {
        /// What is wrong with its form.
        what: &'static str,
    },
    /// It is over [`super::TOKEN_BYTES_MAX`].
    #[error("the token has {bytes} bytes")]
    TooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// Its `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// Its `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its `iss` is none of those trusted.
    #[error("the token's issuer is not trusted")]
    IssuerUnknown,
    /// Its `aud` is somebody else.
    #[error("the token is for another audience")]
    AudienceMismatch,
    /// Its signature is not by the key it names.
    #[error("the token's signature does not verify")]
    SignatureInvalid,
    /// Its `alg` is not on the list, or does not fit the key it names.
    #[error("the token's algorithm is not allowed, or is not that of its key")]
    AlgorithmNotAllowed,
    /// It names no key, or one that its issuer does not have.
    #[error("the token is signed with a key its issuer does not publish")]
    KeyUnknown,
    /// It lacks a claim that must be there.
    #[error("the token has no {claim}")]
    ClaimMissing {
        /// The claim's name.
        claim: String,
    },
    /// A claim is of the wrong type or over its bounds.
    #[error("the token's {claim} is invalid")]
    ClaimInvalid {
        /// The claim's name.
        claim: String,
    },
    /// The issuer's keys can't be had at the moment.
    #[error("the keys of issuer {issuer} are unavailable")]
    IssuerUnavailable {
        /// The issuer.
        issuer: String,
        /// Why not.
        source: FetchError,
    },
}

impl IdentityError {
    /// The stable reason code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed { .. } => "token_malformed",
            Self::TooLarge { .. } => "token_too_large",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuerUnknown => "token_issuer_unknown",
            Self::AudienceMismatch => "token_audience_mismatch",
            Self::SignatureInvalid => "token_signature_invalid",
            Self::AlgorithmNotAllowed => "token_algorithm_not_allowed",
            Self::KeyUnknown => "token_key_unknown",
            Self::ClaimMissing { .. } => "token_claim_missing",
            Self::ClaimInvalid { .. } => "token_claim_invalid",
            Self::IssuerUnavailable { .. } => "issuer_unavailable",
        }
    }

    /// The sentence for the caller.
    fn detail(&self) -> String {
        match self {
            Self::Missing => "Send an access token: `Authorization: Bearer <token>`.".to_owned(),
            Self::Malformed { .. } => "The bearer token is not a signed JWT.".to_owned(),
            Self::TooLarge { .. } => "The bearer token is too large.".to_owned(),
            Self::Expired => "The access token has expired. Sign in again.".to_owned(),
            Self::NotYetValid => {
                "The access token is not valid yet. Check the issuer's clock.".to_owned()
            }
            Self::IssuerUnknown => {
                "The access token comes from an issuer this service does not trust.".to_owned()
            }
            Self::AudienceMismatch => "The access token is meant for another service.".to_owned(),
            Self::SignatureInvalid => "The access token's signature does not verify.".to_owned(),
            Self::AlgorithmNotAllowed => {
                "The access token is signed in a way this service does not accept.".to_owned()
            }
            Self::KeyUnknown => {
                "The access token is signed with a key its issuer does not publish. Sign in again."
                    .to_owned()
            }
            Self::ClaimMissing { claim } => format!("The access token has no `{claim}`."),
            Self::ClaimInvalid { claim } => format!("The access token's `{claim}` is invalid."),
            Self::IssuerUnavailable { .. } => {
                "The identity provider can't be reached. Try again shortly.".to_owned()
            }
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let (code, detail) = (error.code(), error.detail());
        match &error {
            IdentityError::Missing => Self::unauthenticated(code, detail),
            IdentityError::IssuerUnavailable { source, .. } => Self::unavailable(code, detail)
                .with_retry_after(u32::try_from(KEYS_REFETCH_MIN_MS / 1000).unwrap_or(u32::MAX))
                .with_cause(&format_args!("{error}: {source}")),
            IdentityError::Malformed { .. }
            | IdentityError::TooLarge { .. }
            | IdentityError::Expired
            | IdentityError::NotYetValid
            | IdentityError::IssuerUnknown
            | IdentityError::AudienceMismatch
            | IdentityError::SignatureInvalid
            | IdentityError::AlgorithmNotAllowed
            | IdentityError::KeyUnknown
            | IdentityError::ClaimMissing { .. }
            | IdentityError::ClaimInvalid { .. } => {
                Self::invalid_token(code, detail).with_cause(&error)
            }
        }
    }
}

/// Why an issuer's discovery document or key set was not had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The request failed, or took longer than [`super::ISSUER_TIMEOUT_MS`].
    #[error("the request failed")]
    Transport(#[source] reqwest::Error),
    /// The issuer answered, but not with 200.
    #[error("the issuer answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The answer came by way of a redirect.
    #[error("the issuer redirected the request")]
    Redirected,
    /// The document is over [`super::ISSUER_DOCUMENT_BYTES_MAX`].
    #[error("the document is too large")]
    TooLarge,
    /// The document is not what it should be.
    #[error("the document can't be read")]
    Unreadable(#[source] serde_json::Error),
    /// The discovery document speaks for another issuer.
    #[error("the discovery document names another issuer")]
    IssuerMismatch,
    /// The discovery document points to a key set that can't be fetched securely.
    #[error("the key set's address is not allowed")]
    KeysUrlNotAllowed,
    /// The key set holds no key that could verify a token.
    #[error("the key set holds no usable key")]
    NoUsableKey,
    /// A request failed less than [`super::KEYS_REFETCH_MIN_MS`] ago; it is too early for another.
    #[error("an attempt a moment ago failed")]
    FailedRecently,
    /// The task that fetched was stopped, as when the process shuts down.
    #[error("the fetch was interrupted")]
    Interrupted,
}

/// What is wrong with the configuration of trusted issuers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerConfigError {
    /// Not an absolute URL, or one with a user, query or fragment.
    #[error("issuer {issuer:?} is not a plain absolute URL")]
    NotAUrl {
        /// The issuer as configured.
        issuer: String,
    },
    /// Its keys would be fetched over a network in the clear.
    #[error("issuer {issuer:?} is neither https nor http on a loopback address")]
    Insecure {
        /// The issuer as configured.
        issuer: String,
    },
    /// There is no audience, or the name of the tenant claim is empty.
    #[error("issuer {issuer:?} needs a non-empty {setting}")]
    Empty {
        /// The issuer as configured.
        issuer: String,
        /// The setting.
        setting: &'static str,
    },
    /// E-mails are said to be verified within a tenant, and no claim tells the tenant.
    #[error("issuer {issuer:?} has e-mails verified within a tenant and no tenant claim")]
    TenantClaimWanted {
        /// The issuer as configured.
        issuer: String,
    },
    /// Two entries have the same `iss`.
    #[error("issuer {issuer:?} is configured twice")]
    Duplicate {
        /// The issuer as configured.
        issuer: String,
    },
    /// More than [`super::ISSUERS_MAX`].
    #[error("too many issuers")]
    TooMany,
}
