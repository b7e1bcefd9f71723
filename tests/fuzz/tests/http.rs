//! What comes in over HTTP: bodies and headers.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use axum::http::{HeaderMap, HeaderValue, header};
use chancery_commands::content;
use chancery_commands::execute::CommandHeaders;
use chancery_commands::extract::{IDEMPOTENCY_KEY, SIGNATURE};
use chancery_commands::identity::bearer_token;
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::codec;

/// The contents of the vectors as clients send them.
fn bodies() -> Vec<String> {
    let contents = corpus::vectors("v1", "content-").into_iter();
    contents.map(|it| content::to_json(&codec::decode(&it).unwrap()).to_string()).collect()
}

#[test]
fn a_body_is_canonical_content_whatever_its_spelling() {
    let seeds = bodies();
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\u0000",
        "\\ud800",
        "1e3",
        "-0",
        "0.5",
        "null",
        "18446744073709551616",
        "-9223372036854775809",
        "\"name\":1,",
        "[[[[[[[[[[[[[[[[",
    ];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &words)?;
        let text = if u.ratio(1, 16)? { text.repeat(40) } else { text };
        if let Ok(value) = content::parse(text.as_bytes()) {
            assert_eq!(codec::decode(&codec::encode(&value)).as_ref(), Ok(&value));
            let again = content::to_json(&value).to_string();
            assert_eq!(content::parse(again.as_bytes()).unwrap(), value);
        }
        let bytes: &[u8] = u.arbitrary()?;
        let _ = content::parse(bytes);
        Ok(())
    });
}

#[test]
fn a_nest_of_any_depth_is_refused_or_decodes() {
    fuzz(|u| {
        let depth = u.int_in_range(1..=20_000_usize)?;
        let (open, close) = *u.choose(&[("[", "]"), ("{\"a\":", "}")])?;
        let text = format!("{}0{}", open.repeat(depth), close.repeat(depth));
        let parsed = content::parse(text.as_bytes());
        assert_eq!(parsed.is_ok(), depth < codec::DEPTH_MAX);
        Ok(())
    });
}

#[test]
fn headers_have_one_written_form() {
    let seeds = [
        "01941f29-7c00-700e-8000-000000000000",
        "\"17\"",
        "Bearer eyJhbGciOiJFZERTQSJ9.e30.AAAA",
        "0oRYSqMBJwN4",
    ]
    .map(str::to_owned);
    fuzz(|u| {
        let mut headers = HeaderMap::new();
        for name in [IDEMPOTENCY_KEY, SIGNATURE, header::IF_MATCH, header::AUTHORIZATION] {
            for _ in 0..u.int_in_range(0..=2_u8)? {
                let text = mutate::text(u, &seeds, &["\"", "Bearer", " ", "+", "=", "-", "0"])?;
                if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                    headers.append(&name, value);
                }
            }
        }
        if let Ok(read) = CommandHeaders::read(&headers) {
            assert_eq!(headers[&IDEMPOTENCY_KEY], read.command.to_string());
            if let Some(version) = read.if_match {
                assert_eq!(headers[header::IF_MATCH], format!("\"{version}\""));
            }
            assert_eq!(read.signature.is_some(), headers.contains_key(&SIGNATURE));
        }
        if let Ok(token) = bearer_token(&headers) {
            assert!(headers[header::AUTHORIZATION].to_str().unwrap().ends_with(token));
        }
        Ok(())
    });
}
