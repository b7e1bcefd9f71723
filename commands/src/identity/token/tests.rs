//! Tokens against a key set, without a network.

use serde_json::json;

use super::*;
use crate::identity::keys::{KeySet, Lookup};

const NOW_MS: u64 = 1_800_000_000_000;

/// A 2048-bit RSA key, and a token of `https://id.example` for `chancery` by it in each of the
/// two paddings, made with pyca/cryptography 48. The private half was thrown away.
const RSA_N: &str = "\
    l0_2c1ZBGC0izTta1HZ3zJN5OogLuGaA5I9nJBd1aSOendAG71aExCdhsrhnlJMcdipg3wYNMhpwLmKyVFnxp-\
    mostaLLl4N4NHD86HmhL1nBRxqH_tq8tJHA5aIk5afNbwAVucc7W5w6obF4IRgFQC_fs_nwOnl5faRnhAO9LBw\
    rGvMpGb-9ButGlqDvHNJ5ZPz4Y8WxYY45lK9SjHAf3mlLKxuX9SnpkMgC2ibJHfgJ_17h17BOsoJEE_19mBA3E\
    tGoOq1MO1IarB0jkTl31yiFBbuBtsMKa2ELR4QHxHSuJKDb03UXbm1SGGlKtRd5zLocBfOoeXw_fcBtqK_lQ\
";
const RS256: &str = "\
    eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOi\
    JjaGFuY2VyeSIsInN1YiI6ImFsaWNlIiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDB9.Tk2_vFP\
    Pe5z7wfbzZnA7em8Wwku6cfvUXror7LIH2CSF7bPVc6UhuHy9nmZAXr9Ct_LSpO4g8UpwShD2_rvPHMusQjIuu\
    kxxy3ZcAEikgTHXJ5g2QeyiV_xiOzWTwyyLpiSSZHd3kxLuTMBENmnRpaH23w09jK2mbMkx1Pt60mCk7dAOdgC\
    nqkrjwYnaSjTTmSd3QawGRdIrKEXsyUt1epPgyvrzEqCgw4XYMsGmMr-5dXUBr1ebo3MbUfuumLIz1bGhFvQVu\
    g9X773ehbwdkh4VGzeL6vrr4rMQsKNC77OMbeNe-lXcOXUgpqYkGwWUkEi_GIe5FD7BqLYSiuYy4g\
";
const PS256: &str = "\
    eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOi\
    JjaGFuY2VyeSIsInN1YiI6ImFsaWNlIiwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDB9.iK9yNqG\
    NoFtx5tj-9FSVkFc5lEYueOGywALQk-0SQY_c18E39GDW9V3w4_x1Y__huwyS7FyBWLiwwpEH0TBAekztXIVPt\
    C_HR4KcAfmJPGTdkDQkSDpHoKAh3r0qocOrNKjAc8VhuRIGBdySkyTAMsVmiNTPINFlkVGZUjPvB5ajNrK4kmo\
    mw5fFOlQYKfJ9ffuQzqHek9T_bu3xvIp6R24K6wLQiL7SwGknOqqG-dDqsOPs6cv3fMtapkttN3_Eg_zjnNtBm\
    ISlACJoiZLMhhwbP8kGd47PXUtzXrF6pAnLxFp4vo9AlfYI3mj6VgOPuWPhSXCxLyYzJTXNjBU57g\
";

fn trusted() -> TrustedIssuer {
    TrustedIssuer {
        issuer: "https://id.example".to_owned(),
        audience: "chancery".to_owned(),
        tenant_claim: None,
        emails_verified_in_tenant: false,
    }
}

fn verify(
    text: &str,
    keys: &Value,
    trusted: &TrustedIssuer,
) -> Result<VerifiedIdentity, IdentityError> {
    let token = Unverified::parse(text)?;
    let set = KeySet::parse(keys.to_string().as_bytes()).unwrap();
    match set.find(token.key_id(), token.algorithm()) {
        Lookup::Found(key) => token.verify(&key, trusted, NOW_MS),
        Lookup::WrongAlgorithm => Err(IdentityError::AlgorithmNotAllowed),
        Lookup::Unknown => Err(IdentityError::KeyUnknown),
    }
}

fn rsa_keys() -> Value {
    json!({"keys": [{"kty": "RSA", "kid": "rsa-1", "n": RSA_N, "e": "AQAB"}]})
}

#[test]
fn rsa_tokens_verify_in_both_paddings() {
    for text in [RS256, PS256] {
        let identity = verify(text, &rsa_keys(), &trusted()).unwrap();
        assert_eq!(identity.subject, "alice");
        assert_eq!(identity.key_id, "rsa-1");
        assert_eq!(identity.expires_ms, 1_800_003_600_000);
    }
}

#[test]
fn a_signature_in_one_padding_does_not_pass_in_the_other() {
    let (_, signature) = PS256.rsplit_once('.').unwrap();
    let (message, _) = RS256.rsplit_once('.').unwrap();
    let error = verify(&format!("{message}.{signature}"), &rsa_keys(), &trusted()).unwrap_err();
    assert_eq!(error.code(), "token_signature_invalid");
}

/// An Ed25519 key for as many tokens as a test wants.
struct Signer(ring::signature::Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        Self(ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
    }

    fn keys(&self) -> Value {
        use ring::signature::KeyPair as _;
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": x}]})
    }

    fn token(&self, header: &str, claims: &str) -> String {
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// What becomes of a good token whose claims were changed by `change`.
    fn verdict(
        &self,
        trusted: &TrustedIssuer,
        change: impl FnOnce(&mut Value),
    ) -> Result<VerifiedIdentity, IdentityError> {
        let mut claims = json!({
            "iss": "https://id.example", "aud": "chancery", "sub": "alice",
            "iat": 1_800_000_000, "nbf": 1_800_000_000, "exp": 1_800_003_600,
        });
        change(&mut claims);
        let text = self.token(r#"{"alg":"EdDSA","kid":"ed-1"}"#, &claims.to_string());
        verify(&text, &self.keys(), trusted)
    }
}

#[test]
fn an_ed25519_token_verifies_and_its_digest_is_of_its_bytes() {
    let signer = Signer::new();
    let claims =
        r#"{"iss":"https://id.example","aud":["x","chancery"],"sub":"s","exp":1.8000036e9}"#;
    let text = signer.token(r#"{"alg":"EdDSA","kid":"ed-1","typ":"at+jwt"}"#, claims);
    let identity = verify(&text, &signer.keys(), &trusted()).unwrap();
    assert_eq!(identity.expires_ms, 1_800_003_600_000);
    assert_eq!(identity.token_digest, Digest::of(text.as_bytes()));
    assert_eq!((identity.tenant, identity.email, identity.name), (None, None, None));
    assert!(!identity.email_verified);
}

#[test]
fn times_are_checked_with_the_leeway_and_to_the_second() {
    let signer = Signer::new();
    let now_s = NOW_MS / 1000;
    let cases = [
        ("exp", json!(now_s - LEEWAY_S), Some("token_expired")),
        ("exp", json!(now_s - LEEWAY_S + 1), None),
        ("exp", json!(0), Some("token_expired")),
        ("exp", json!(-1), Some("token_claim_invalid")),
        ("exp", json!("1800003600"), Some("token_malformed")),
        ("exp", json!(u64::MAX), Some("token_claim_invalid")),
        ("exp", json!(1e300), Some("token_claim_invalid")),
        ("exp", Value::Null, Some("token_claim_missing")),
        ("nbf", json!(now_s + LEEWAY_S), None),
        ("nbf", json!(now_s + LEEWAY_S + 1), Some("token_not_yet_valid")),
        ("nbf", Value::Null, None),
        ("iat", json!(now_s + LEEWAY_S), None),
        ("iat", json!(now_s + LEEWAY_S + 1), Some("token_not_yet_valid")),
        ("iat", json!(-1), Some("token_claim_invalid")),
    ];
    for (claim, value, expected) in cases {
        let verdict = signer.verdict(&trusted(), |claims| claims[claim] = value.clone());
        let code = verdict.err().map(|error| error.code());
        assert_eq!(code, expected, "{claim} {value}");
    }
}

#[test]
fn claims_that_name_someone_else_or_nobody_are_refused() {
    let signer = Signer::new();
    let cases = [
        ("iss", json!("https://other.example"), "token_issuer_unknown"),
        ("iss", json!("https://id.example/"), "token_issuer_unknown"),
        ("iss", json!(["https://id.example"]), "token_claim_invalid"),
        ("iss", Value::Null, "token_claim_missing"),
        ("aud", json!("other"), "token_audience_mismatch"),
        ("aud", json!([]), "token_audience_mismatch"),
        ("aud", json!("Chancery"), "token_audience_mismatch"),
        ("aud", Value::Null, "token_claim_missing"),
        ("aud", json!({"chancery": true}), "token_claim_missing"),
        ("sub", Value::Null, "token_claim_missing"),
        ("sub", json!(""), "token_claim_invalid"),
        ("sub", json!("a\nb"), "token_claim_invalid"),
        ("sub", json!("s".repeat(ID_BYTES_MAX + 1)), "token_claim_invalid"),
        ("sub", json!(7), "token_malformed"),
    ];
    for (claim, value, expected) in cases {
        let verdict = signer.verdict(&trusted(), |claims| claims[claim] = value.clone());
        assert_eq!(verdict.unwrap_err().code(), expected, "{claim} {value}");
    }
}

#[test]
fn a_configured_tenant_must_be_there() {
    let signer = Signer::new();
    let trusted = TrustedIssuer { tenant_claim: Some("tid".to_owned()), ..trusted() };
    let with = |tid: Value| signer.verdict(&trusted, |claims| claims["tid"] = tid);
    assert_eq!(with(json!("t-1")).unwrap().tenant.as_deref(), Some("t-1"));
    assert_eq!(with(Value::Null).unwrap_err().code(), "token_claim_missing");
    assert_eq!(with(json!("")).unwrap_err().code(), "token_claim_invalid");
    assert_eq!(with(json!(["t-1"])).unwrap_err().code(), "token_claim_invalid");
    assert_eq!(signer.verdict(&trusted, |_| {}).unwrap_err().code(), "token_claim_missing");
}

#[test]
fn an_email_is_verified_by_the_claim_true_or_by_the_trust_in_its_tenant() {
    let signer = Signer::new();
    let by_claim = TrustedIssuer { tenant_claim: Some("tid".to_owned()), ..trusted() };
    let by_tenant = TrustedIssuer { emails_verified_in_tenant: true, ..by_claim.clone() };
    let cases = [
        (&by_claim, json!(true), true),
        (&by_claim, json!(false), false),
        (&by_claim, json!("true"), false),
        (&by_claim, json!(1), false),
        (&by_claim, Value::Null, false),
        (&by_tenant, Value::Null, true),
        (&by_tenant, json!(true), true),
        (&by_tenant, json!(false), false),
        (&by_tenant, json!("true"), false),
    ];
    for (trusted, claim, expected) in cases {
        let identity = signer
            .verdict(trusted, |claims| {
                claims["tid"] = json!("t-1");
                claims["email"] = json!("alice@id.example");
                claims["email_verified"] = claim.clone();
            })
            .unwrap();
        assert_eq!(identity.email.as_deref(), Some("alice@id.example"));
        assert_eq!(identity.email_verified, expected, "{claim}");
    }
}

#[test]
fn what_is_no_email_is_dropped_and_never_verified() {
    let signer = Signer::new();
    for bad in [json!("alice"), json!("@x"), json!("a@"), json!("a b@x"), json!(7), json!("a\n@x")]
    {
        let identity = signer
            .verdict(&trusted(), |claims| {
                claims["email"] = bad.clone();
                claims["email_verified"] = json!(true);
                claims["preferred_username"] = json!("olivia@litware.example");
            })
            .unwrap();
        assert_eq!((identity.email, identity.email_verified), (None, false), "{bad}");
    }
}

#[test]
fn a_token_that_brings_its_own_key_is_judged_by_the_issuers() {
    let (issuers, own) = (
        Signer::new(),
        Signer(ring::signature::Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()),
    );
    let header = json!({"alg": "EdDSA", "kid": "ed-1", "jwk": own.keys()["keys"][0]});
    let claims = r#"{"iss":"https://id.example","aud":"chancery","sub":"s","exp":1800003600}"#;
    let text = own.token(&header.to_string(), claims);
    let error = verify(&text, &issuers.keys(), &trusted()).unwrap_err();
    assert_eq!(error.code(), "token_signature_invalid");
}

#[test]
fn a_token_of_another_form_is_refused_before_any_key_is_looked_for() {
    let header = |text: &str| format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(text));
    let cases = [
        (String::new(), "token_missing"),
        ("a".repeat(TOKEN_BYTES_MAX + 1), "token_too_large"),
        ("a".repeat(TOKEN_BYTES_MAX), "token_malformed"),
        ("a.b".to_owned(), "token_malformed"),
        ("a.b.c.d.e".to_owned(), "token_malformed"),
        ("!.e30.c2ln".to_owned(), "token_malformed"),
        (header("[]"), "token_malformed"),
        (header(r#"{"kid":"k"}"#), "token_malformed"),
        (header(r#"{"alg":"EdDSA","alg":"none"}"#), "token_malformed"),
        (header(r#"{"alg":"none"}"#), "token_algorithm_not_allowed"),
        (header(r#"{"alg":"None"}"#), "token_algorithm_not_allowed"),
        (header(r#"{"alg":"HS256","kid":"k"}"#), "token_algorithm_not_allowed"),
        (header(r#"{"alg":"RS512","kid":"k"}"#), "token_algorithm_not_allowed"),
        (header(r#"{"alg":"ES384","kid":"k"}"#), "token_algorithm_not_allowed"),
        (header(r#"{"alg":"EdDSA","kid":"k","crit":["exp"]}"#), "token_malformed"),
        (header(r#"{"alg":"EdDSA","kid":"k"}"#), "token_claim_missing"),
    ];
    for (text, expected) in cases {
        let error = Unverified::parse(&text).err().unwrap();
        assert_eq!(error.code(), expected, "{text:.60}");
    }
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://id.example"}"#);
    let no_key = format!("{}.{claims}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#));
    assert_eq!(Unverified::parse(&no_key).err().unwrap().code(), "token_key_unknown");
}

#[test]
fn no_changed_token_verifies() {
    let signer = Signer::new();
    let claims = r#"{"iss":"https://id.example","aud":"chancery","sub":"s","exp":1800003600}"#;
    let good = signer.token(r#"{"alg":"EdDSA","kid":"ed-1"}"#, claims);
    let keys = signer.keys();
    verify(&good, &keys, &trusted()).unwrap();
    for at in 0..good.len() {
        let mut changed = vec![
            format!("{}{}", &good[..at], &good[at + 1..]),
            good[..at].to_owned(),
            format!("{}{}{}", &good[..at], &good[at..=at], &good[at..]),
        ];
        for other in ["A", "_", "-", "9", "z", ".", "=", "+", " ", "\0"] {
            changed.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
            changed.push(format!("{}{other}{}", &good[..at], &good[at..]));
        }
        for text in changed.into_iter().filter(|text| *text != good) {
            assert!(verify(&text, &keys, &trusted()).is_err(), "{text}");
        }
    }
}

#[test]
fn a_changed_key_set_lets_no_other_token_in() {
    let (issuers, others) = (
        Signer::new(),
        Signer(ring::signature::Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()),
    );
    let claims = r#"{"iss":"https://id.example","aud":"chancery","sub":"s","exp":1800003600}"#;
    let foreign = others.token(r#"{"alg":"EdDSA","kid":"ed-1"}"#, claims);
    let document = issuers.keys().to_string();
    for at in 0..document.len() {
        for other in [b'"', b'{', b'[', b'\\', b',', b'0', b'A', b' ', 0, 0xff] {
            let mut bytes = document.clone().into_bytes();
            bytes[at] = other;
            // What can't be read has no keys; what can has none that this token was signed with.
            let Ok(set) = KeySet::parse(&bytes) else { continue };
            let token = Unverified::parse(&foreign).unwrap();
            if let Lookup::Found(key) = set.find(token.key_id(), token.algorithm()) {
                assert!(token.verify(&key, &trusted(), NOW_MS).is_err(), "byte {at}");
            }
        }
    }
}
