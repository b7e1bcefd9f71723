//! The two rules that keep the development issuer on this machine.

use reqwest::Url;

use super::DevIssuerError;
use crate::identity::is_loopback_host;

/// The longest redirect address.
const REDIRECT_BYTES_MAX: usize = 2048;

/// The hosts that a native app may listen on (RFC 8252 section 7.3), and `localhost`.
const REDIRECT_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// A base URL is http on a loopback host, in its one plain form.
pub(super) fn check_base_url(text: &str) -> Result<(), DevIssuerError> {
    let base_url = || text.to_owned();
    let url = Url::parse(text).map_err(|_| DevIssuerError::NotPlain { base_url: base_url() })?;
    if url.scheme() != "http" || !url.host_str().is_some_and(is_loopback_host) {
        return Err(DevIssuerError::NotLoopback { base_url: base_url() });
    }
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.ends_with('/')
        && url.as_str().trim_end_matches('/') == text;
    if plain { Ok(()) } else { Err(DevIssuerError::NotPlain { base_url: base_url() }) }
}

/// A redirect address is http on one of three hosts, at any port and path, with no user and no
/// fragment. Nothing to register: whoever listens on this machine could be anyone here anyway.
pub(super) fn redirect_url(text: &str) -> Option<Url> {
    if text.len() > REDIRECT_BYTES_MAX {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let fit = url.scheme() == "http"
        && url.host_str().is_some_and(|host| REDIRECT_HOSTS.contains(&host))
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    fit.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_plain_loopback_http() {
        for good in [
            "http://127.0.0.1:8080/dev/issuer",
            "http://127.8.8.8:1",
            "http://[::1]:8080/dev/issuer",
            "http://localhost:8080/dev",
        ] {
            assert_eq!(check_base_url(good), Ok(()), "{good}");
        }
        for far in [
            "http://0.0.0.0:8080/dev",
            "http://192.168.1.10:8080",
            "http://chancery.example",
            "http://localhost.example",
            "http://127.0.0.1.nip.io",
            "http://[::]:80",
            "https://127.0.0.1:8080",
            "http://127.0.0.1@chancery.example",
        ] {
            let refused = check_base_url(far);
            assert!(matches!(refused, Err(DevIssuerError::NotLoopback { .. })), "{far}");
        }
        for odd in [
            "",
            "127.0.0.1:8080",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:8080/dev/",
            "http://127.0.0.1:80/dev",
            "http://127.1/dev",
            "http://LOCALHOST/dev",
            "http://u@127.0.0.1/dev",
            "http://127.0.0.1/dev?x",
            "http://127.0.0.1/dev#x",
        ] {
            let refused = check_base_url(odd);
            assert!(matches!(refused, Err(DevIssuerError::NotPlain { .. })), "{odd}: {refused:?}");
        }
    }

    #[test]
    fn a_redirect_address_stays_on_this_machine_at_any_port() {
        for good in [
            "http://127.0.0.1:49152/callback",
            "http://127.0.0.1/",
            "http://[::1]:7/cb?x=1",
            "http://localhost:5173/",
        ] {
            assert!(redirect_url(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "/callback",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.2/cb",
            "http://attacker.example/cb",
            "http://localhost.attacker.example/cb",
            "http://127.0.0.1@attacker.example/cb",
            "http://127.0.0.1:1@attacker.example/cb",
            "http://attacker.example\\@127.0.0.1/cb",
            "http://user@127.0.0.1/cb",
            "http://127.0.0.1/cb#fragment",
            "javascript:alert(1)//127.0.0.1",
            "com.example.app:/cb",
            &format!("http://127.0.0.1/{}", "x".repeat(REDIRECT_BYTES_MAX)),
        ] {
            assert!(redirect_url(bad).is_none(), "{bad}");
        }
    }
}
