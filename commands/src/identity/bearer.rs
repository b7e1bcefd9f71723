//! The `Authorization` header (RFC 6750 section 2.1). Tokens in a query or a form are not taken:
//! those end up in logs.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::IdentityError;

/// The bearer token of a request.
///
/// # Errors
///
/// [`IdentityError::Missing`] without the header or with another scheme;
/// [`IdentityError::Malformed`] when the header comes twice or holds no token.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, IdentityError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(IdentityError::Missing)?;
    if values.next().is_some() {
        return Err(IdentityError::Malformed { what: "two Authorization headers" });
    }
    let text = value
        .to_str()
        .map_err(|_| IdentityError::Malformed { what: "the Authorization header is not ASCII" })?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(IdentityError::Missing);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() {
        return Err(IdentityError::Missing);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn finds_the_token_and_says_why_not() {
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(bearer_token(&headers(&[good])).unwrap(), "a.b.c", "{good}");
        }
        for none in [&[][..], &["Basic YTpi"], &["Bearer"], &["Bearer "], &["a.b.c"]] {
            assert_eq!(bearer_token(&headers(none)).unwrap_err().code(), "token_missing");
        }
        let twice = bearer_token(&headers(&["Bearer a.b.c", "Bearer d.e.f"])).unwrap_err();
        assert_eq!(twice.code(), "token_malformed");
    }
}
