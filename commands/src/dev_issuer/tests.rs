//! The development issuer over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::HOST;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::testing::{EXECUTOR_SECRET, REDIRECT, START_MS, Served, VERIFIER, new_key, redirected};
use super::*;

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn error(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn discovery_and_key_set_say_where_and_with_what() {
    let served = Served::start().await;
    let url = format!("{}/.well-known/openid-configuration", served.base_url);
    let discovery: Value = served.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(discovery["issuer"], served.base_url);
    assert_eq!(discovery["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    let keys = served.http.get(discovery["jwks_uri"].as_str().unwrap()).send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let key = &keys["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&"EC".into(), &"P-256".into(), &"ES256".into())
    );
    assert_eq!(key["kid"], served.issuer.key.id());
    assert_eq!(key["d"], Value::Null, "the private half stays inside");
}

#[tokio::test]
async fn each_person_signs_in_with_code_and_pkce() {
    let served = Served::start().await;
    for person in PEOPLE {
        let tokens = served.sign_in(person.email).await;
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], TOKEN_LIFE_S);
        let access = claims(&tokens["access_token"]);
        let now_s = START_MS / 1000;
        for (claim, expected) in [
            ("iss", Value::from(served.base_url.as_str())),
            ("aud", AUDIENCE.into()),
            ("sub", person.subject.into()),
            ("tid", person.tenant.into()),
            ("email", person.email.into()),
            ("email_verified", true.into()),
            ("name", person.name.into()),
            ("iat", now_s.into()),
            ("nbf", now_s.into()),
            ("exp", (now_s + TOKEN_LIFE_S).into()),
            ("nonce", Value::Null),
        ] {
            assert_eq!(access[claim], expected, "{claim}");
        }
        let identity = claims(&tokens["id_token"]);
        assert_eq!(identity["aud"], "chancery-cli");
        assert_eq!(identity["nonce"], "n-1");
        assert_eq!(identity["sub"], person.subject);
    }
}

#[tokio::test]
async fn the_redirect_brings_code_state_and_issuer() {
    let served = Served::start().await;
    let back = redirected(&served.authorize(&[]).await);
    assert!(value(&back, "code").is_some_and(|code| code.len() == 43));
    assert_eq!(value(&back, "state"), Some("st&te"));
    assert_eq!(value(&back, "iss"), Some(served.base_url.as_str()));
}

#[tokio::test]
async fn without_a_hint_a_page_offers_the_three_and_each_link_signs_in() {
    let served = Served::start().await;
    let page = served.authorize(&[("login_hint", "")]).await;
    assert_eq!(page.status(), 200);
    assert!(
        page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
    );
    let text = page.text().await.unwrap();
    assert!(text.contains("Development only."));
    let links: Vec<_> = text
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect();
    assert_eq!(links.len(), PEOPLE.len());
    for (person, link) in PEOPLE.iter().zip(links) {
        assert!(text.contains(person.email));
        let back = redirected(&served.http.get(link).send().await.unwrap());
        assert_eq!(value(&back, "state"), Some("st&te"));
        let response = served.token(value(&back, "code").unwrap(), &[]).await;
        let tokens: Value = response.json().await.unwrap();
        assert_eq!(claims(&tokens["access_token"])["sub"], person.subject);
    }
}

#[tokio::test]
async fn a_hint_of_nobody_shows_the_page_and_echoes_nothing() {
    let served = Served::start().await;
    let page = served.authorize(&[("login_hint", "<script>@x")]).await;
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains("script>@x"));
    let silent = served.authorize(&[("login_hint", "nobody@x"), ("prompt", "none")]).await;
    assert_eq!(value(&redirected(&silent), "error"), Some("login_required"));
}

#[tokio::test]
async fn a_foreign_redirect_address_or_client_goes_nowhere() {
    let served = Served::start().await;
    for changes in [
        [("redirect_uri", "https://attacker.example/cb")],
        [("redirect_uri", "http://127.0.0.1@attacker.example/cb")],
        [("redirect_uri", "")],
        [("client_id", "attacker")],
        [("client_id", EXECUTOR_CLIENT)],
        [("client_id", "")],
    ] {
        let response = served.authorize(&changes).await;
        assert_eq!(response.status(), 400, "{changes:?}");
        assert!(!response.headers().contains_key("location"), "{changes:?}");
    }
    let url = format!("{}/authorize?client_id=a&client_id=b", served.base_url);
    assert_eq!(served.http.get(url).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_request_without_s256_pkce_comes_back_as_an_error() {
    let served = Served::start().await;
    for (changes, expected) in [
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "plain"), ("code_challenge", VERIFIER)], "invalid_request"),
        (vec![("code_challenge_method", "")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("nonce", &*"n".repeat(2049))], "invalid_request"),
    ] {
        let back = redirected(&served.authorize(&changes).await);
        assert_eq!(value(&back, "error"), Some(expected), "{changes:?}");
        assert_eq!(value(&back, "code"), None, "{changes:?}");
        assert_eq!(value(&back, "state"), Some("st&te"));
    }
}

#[tokio::test]
async fn a_code_with_a_wrong_verifier_client_or_address_is_refused_and_spent() {
    let served = Served::start().await;
    let other = "another-verifier-of-the-length-that-pkce-asks-for";
    for changes in [
        [("code_verifier", other)],
        [("code_verifier", "short")],
        [("client_id", "chancery-web")],
        [("redirect_uri", "http://127.0.0.1:49153/callback")],
    ] {
        let code = served.code("olivia@litware.example").await;
        let refused = error(served.token(&code, &changes).await).await;
        assert_eq!(refused, (400, "invalid_grant".to_owned()), "{changes:?}");
        let again = error(served.token(&code, &[]).await).await;
        assert_eq!(again, (400, "invalid_grant".to_owned()), "{changes:?}");
    }
}

#[tokio::test]
async fn a_code_serves_once() {
    let served = Served::start().await;
    let code = served.code("fatima@fabrikam.example").await;
    assert_eq!(served.token(&code, &[]).await.status(), 200);
    assert_eq!(error(served.token(&code, &[]).await).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_code_expires() {
    let served = Served::start().await;
    let code = served.code("fatima@fabrikam.example").await;
    served.advance(CODE_LIFE_MS);
    assert_eq!(error(served.token(&code, &[]).await).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn too_many_waiting_codes_are_refused_until_they_expire() {
    let served = Served::start().await;
    for n in 0..CODES_MAX {
        let grant = codes::Grant {
            person: &PEOPLE[0],
            client: String::new(),
            redirect_uri: String::new(),
            challenge: String::new(),
            nonce: None,
            issued_ms: served.now_ms(),
        };
        served.issuer.codes.lock().unwrap().issue(&n.to_string(), grant).unwrap();
    }
    let back = redirected(&served.authorize(&[]).await);
    assert_eq!(value(&back, "error"), Some("temporarily_unavailable"));
    served.advance(CODE_LIFE_MS);
    assert!(value(&redirected(&served.authorize(&[]).await), "code").is_some());
}

#[tokio::test]
async fn token_requests_of_another_form_are_refused() {
    let served = Served::start().await;
    let code = served.code("olivia@litware.example").await;
    for (changes, expected) in [
        ([("grant_type", "")], "invalid_request"),
        ([("grant_type", "password")], "unsupported_grant_type"),
        ([("code", "")], "invalid_request"),
        ([("code", "made-up")], "invalid_grant"),
        ([("code_verifier", "")], "invalid_request"),
    ] {
        let refused = error(served.token(&code, &changes).await).await;
        assert_eq!(refused, (400, expected.to_owned()), "{changes:?}");
    }
    let twice = served.post(&[("grant_type", "client_credentials"), ("code", "a"), ("code", "b")]);
    assert_eq!(error(twice.await).await, (400, "invalid_request".to_owned()));
    let long = "x".repeat(FORM_BYTES_MAX);
    assert_eq!(error(served.token(&long, &[]).await).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn the_executor_gets_a_token_for_its_secret_only() {
    let served = Served::start().await;
    let ask = |id: &'static str, secret: &'static str| {
        let form =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let served = &served;
        async move { served.post(&form).await }
    };
    let tokens: Value = ask(EXECUTOR_CLIENT, EXECUTOR_SECRET).await.json().await.unwrap();
    let access = claims(&tokens["access_token"]);
    assert_eq!(
        (&access["sub"], &access["tid"]),
        (&EXECUTOR_SUBJECT.into(), &OPERATOR_TENANT.into())
    );
    assert_eq!((&access["email"], &tokens["id_token"]), (&Value::Null, &Value::Null));
    for (id, secret) in
        [(EXECUTOR_CLIENT, "wrong"), (EXECUTOR_CLIENT, ""), ("chancery-cli", EXECUTOR_SECRET)]
    {
        assert_eq!(error(ask(id, secret).await).await, (401, "invalid_client".to_owned()));
    }
}

#[tokio::test]
async fn every_response_is_marked_and_not_cached() {
    let served = Served::start().await;
    for path in ["/.well-known/openid-configuration", "/jwks", "/authorize", "/token", "/nothing"] {
        let url = format!("{}{path}", served.base_url);
        let response = served.http.get(url).send().await.unwrap();
        assert_eq!(response.headers()["chancery-development-issuer"], "insecure", "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn a_request_by_another_host_name_is_refused() {
    let served = Served::start().await;
    let router = Arc::clone(&served.issuer).router();
    for (host, expected) in [
        (Some("127.0.0.1:1"), 200),
        (Some("localhost:8080"), 200),
        (Some("[::1]:8080"), 200),
        (Some("rebound.example:8080"), 403),
        (Some("127.0.0.1@rebound.example"), 403),
        (None, 403),
    ] {
        let mut request = Request::builder().uri("/jwks");
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{host:?}");
        assert_eq!(response.headers()[MARK.0], MARK.1, "{host:?}");
    }
}

#[test]
fn it_is_not_made_for_a_base_url_that_others_reach_or_with_a_weak_secret() {
    let make = |base_url: &str, secret: &str| {
        DevIssuer::new(DevIssuerParts {
            base_url: base_url.to_owned(),
            executor_secret: secret.to_owned(),
            key: new_key(),
            now_ms: Arc::new(|| 0),
            random: Arc::new(|_: &mut [u8]| Ok(())),
        })
        .map(|_| ())
    };
    let far = "https://chancery.example/dev/issuer";
    assert_eq!(
        make(far, EXECUTOR_SECRET),
        Err(DevIssuerError::NotLoopback { base_url: far.to_owned() })
    );
    assert_eq!(make("http://127.0.0.1:1/x", "short"), Err(DevIssuerError::SecretTooShort));
    assert_eq!(make("http://127.0.0.1:1/x", EXECUTOR_SECRET), Ok(()));
    assert_eq!(DevKey::from_pkcs8(b"no key").err(), Some(DevIssuerError::Key));
}

#[test]
fn people_are_distinct_and_the_redirect_used_in_tests_is_loopback() {
    for field in [|p: &Person| p.email, |p: &Person| p.tenant, |p: &Person| p.subject] {
        let mut values: Vec<_> = PEOPLE.iter().map(field).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), PEOPLE.len());
    }
    for person in PEOPLE {
        assert!(uuid::Uuid::parse_str(person.tenant).is_ok());
        assert_ne!(person.tenant, OPERATOR_TENANT);
    }
    assert!(loopback::redirect_url(REDIRECT).is_some());
}
