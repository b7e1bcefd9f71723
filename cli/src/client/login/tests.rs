use std::sync::Arc;

use axum::Router;
use chancery_commands::dev_issuer::{DevIssuer, DevIssuerParts, DevKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::*;

/// A development issuer on a loopback port.
async fn issuer() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/dev/issuer", listener.local_addr().unwrap());
    let parts = DevIssuerParts {
        base_url: base_url.clone(),
        executor_secret: "a secret of the executor, 32 bytes or more".to_owned(),
        key: DevKey::generate(&SystemRandom::new()).unwrap(),
        now_ms: Arc::new(|| 1_800_000_000_000),
        random: Arc::new(|bytes| SystemRandom::new().fill(bytes)),
    };
    let router = Arc::new(DevIssuer::new(parts).unwrap()).router();
    let app = Router::new().nest("/dev/issuer", router);
    tokio::spawn(async move { axum::serve(listener, app).await });
    base_url
}

fn request(issuer: &str, hint: &str) -> Request {
    Request {
        issuer: issuer.to_owned(),
        client_id: "chancery-cli".to_owned(),
        scope: "openid email profile".to_owned(),
        hint: Some(hint.to_owned()),
        browser: false,
    }
}

#[tokio::test]
async fn a_demo_person_signs_in_without_a_browser() {
    let issuer = issuer().await;
    let http = Http::new("http://127.0.0.1:1".to_owned()).unwrap();
    let token = login(&http, &request(&issuer, "olivia@litware.example")).await.unwrap();
    assert_eq!(token.server, "http://127.0.0.1:1");
    assert_eq!(token.bearer.split('.').count(), 3);
    assert!(token.expires_ms.is_some_and(|end| end > clock::now_ms()));
}

#[tokio::test]
async fn a_stranger_is_told_to_use_a_browser() {
    let issuer = issuer().await;
    let http = Http::new("http://127.0.0.1:1".to_owned()).unwrap();
    let refused = login(&http, &request(&issuer, "nobody@x.example")).await.err().unwrap();
    assert_eq!(refused.code(), "login_refused");
    assert!(refused.text().contains("browser"), "{}", refused.text());
}

#[tokio::test]
async fn an_answer_to_another_request_or_from_another_issuer_is_refused() {
    let base_url = issuer().await;
    let issuer = Issuer::discover(&plain_client().unwrap(), &base_url).await.unwrap();
    let answer = |query: &str| Url::parse(&format!("http://127.0.0.1:1/callback?{query}")).unwrap();
    let result = |query: &str| code(&issuer, &answer(query), "mine");
    assert_eq!(result(&format!("code=c&state=mine&iss={base_url}")).unwrap(), "c");
    for forged in [
        format!("code=c&state=other&iss={base_url}"),
        format!("code=c&iss={base_url}"),
        "code=c&state=mine&iss=https://other.example".to_owned(),
        "code=c&state=mine".to_owned(),
        format!("state=mine&iss={base_url}"),
    ] {
        assert_eq!(result(&forged).unwrap_err().code(), "login_forged", "{forged}");
    }
    let denied = result(&format!("error=access_denied&state=mine&iss={base_url}")).unwrap_err();
    assert_eq!(denied.code(), "login_refused");
}
