//! The two pages that people see.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Person;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--quiet:#777}\
*{box-sizing:border-box}\
body{margin:0;font:16px/1.5 system-ui,sans-serif}\
.banner{background:#b3261e;color:#fff;padding:.6rem 1rem;text-align:center}\
main{max-width:34rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0 0 .25rem}\
ul{list-style:none;margin:1.5rem 0;padding:0;display:grid;gap:.75rem}\
a{display:block;padding:.9rem 1.1rem;border:1px solid var(--line);border-radius:.6rem;\
color:inherit;text-decoration:none}\
a:hover,a:focus-visible{border-color:currentColor;outline:none}\
.who{font-weight:600}.what,.mail{color:var(--quiet);font-size:.9rem;display:block}";

/// Nothing may load or run but the one style above. There is no form, and no frame around it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        STANDARD.encode(digest)
    )
});

/// Asks which of the people to be. Each comes with the address that signs them in.
pub(super) fn choose(choices: &[(&Person, String)]) -> Response {
    let mut list = String::new();
    for (person, address) in choices {
        // Writing to a String does not fail.
        let _ = write!(
            list,
            "<li><a href=\"{}\"><span class=\"who\">{}, {}</span>\
             <span class=\"what\">{}</span><span class=\"mail\">{}</span></a></li>",
            escaped(address),
            escaped(person.name),
            escaped(person.organisation),
            escaped(person.role),
            escaped(person.email),
        );
    }
    let body = format!(
        "<h1>Sign in to Chancery</h1><p>Choose who you are for this demo. There is no password.</p>\
         <ul>{list}</ul>"
    );
    html(StatusCode::OK, "Sign in", &body)
}

/// Says why nothing comes of it.
pub(super) fn refused(reason: &'static str) -> Response {
    let body = format!("<h1>This sign-in can't go on</h1><p>{}</p>", escaped(reason));
    html(StatusCode::BAD_REQUEST, "Refused", &body)
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · Chancery development issuer</title><style>{STYLE}</style></head><body>\
         <div class=\"banner\" role=\"alert\"><strong>Development only.</strong> Anyone on this \
         machine can sign in as anyone. Never use it with real data.</div>\
         <main>{body}</main></body></html>"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, text).into_response()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
