//! Whom we trust, and over which addresses we ask them for keys.

use std::net::IpAddr;

use reqwest::Url;

use super::IssuerConfigError;

/// An issuer whose tokens are accepted.
///
/// Entra ID gives each tenant an issuer of its own; list each. A "common" endpoint, whose discovery
/// document names no tenant, is refused when its keys are fetched, since anyone can get a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// The `iss`, exactly: every byte counts, a slash at the end too.
    pub issuer: String,
    /// The `aud` that tokens for this service bear.
    pub audience: String,
    /// The claim that holds the tenant (Entra ID: `tid`). When it is named here, a token without
    /// it is refused.
    pub tenant_claim: Option<String>,
    /// Whether e-mails of this issuer are verified within the tenant although its tokens don't say
    /// so. Entra ID writes no `email_verified`, and lets a tenant's administrator set any e-mail:
    /// say yes only for a tenant whose administrator you'd believe.
    pub emails_verified_in_tenant: bool,
}

impl TrustedIssuer {
    /// The address of the discovery document (`OpenID` Connect Discovery 1.0 section 4), after a
    /// check of the whole configuration.
    pub(super) fn discovery_url(&self) -> Result<Url, IssuerConfigError> {
        let issuer = || self.issuer.clone();
        let not_a_url = || IssuerConfigError::NotAUrl { issuer: issuer() };
        let url = Url::parse(&self.issuer).map_err(|_| not_a_url())?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(not_a_url());
        }
        if transport(&url) == Transport::Insecure {
            return Err(IssuerConfigError::Insecure { issuer: issuer() });
        }
        if self.audience.is_empty() {
            return Err(IssuerConfigError::Empty { issuer: issuer(), setting: "audience" });
        }
        if self.tenant_claim.as_deref().is_some_and(str::is_empty) {
            return Err(IssuerConfigError::Empty { issuer: issuer(), setting: "tenant claim" });
        }
        if self.emails_verified_in_tenant && self.tenant_claim.is_none() {
            return Err(IssuerConfigError::TenantClaimWanted { issuer: issuer() });
        }
        let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        Url::parse(&format!("{base}/.well-known/openid-configuration")).map_err(|_| not_a_url())
    }
}

/// How far an address can be trusted to lead to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// https.
    Secure,
    /// http that never leaves this machine.
    Loopback,
    /// Anything else.
    Insecure,
}

pub(super) fn transport(url: &Url) -> Transport {
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Transport::Secure,
        ("http", Some(host)) if is_loopback_host(host) => Transport::Loopback,
        _ => Transport::Insecure,
    }
}

/// Whether `host`, as a URL writes it (IPv6 in brackets, no port), is this machine: `localhost`,
/// `[::1]` or in 127.0.0.0/8.
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(issuer: &str) -> TrustedIssuer {
        TrustedIssuer {
            issuer: issuer.to_owned(),
            audience: "chancery".to_owned(),
            tenant_claim: None,
            emails_verified_in_tenant: false,
        }
    }

    #[test]
    fn discovery_is_over_https_or_on_this_machine() {
        let cases = [
            ("https://id.example", "https://id.example/.well-known/openid-configuration"),
            ("https://id.example/", "https://id.example/.well-known/openid-configuration"),
            (
                "https://id.example/t/v2.0",
                "https://id.example/t/v2.0/.well-known/openid-configuration",
            ),
            ("http://127.0.0.1:80/x", "http://127.0.0.1/x/.well-known/openid-configuration"),
            ("http://[::1]:8080", "http://[::1]:8080/.well-known/openid-configuration"),
            ("http://localhost:1", "http://localhost:1/.well-known/openid-configuration"),
        ];
        for (issuer, expected) in cases {
            assert_eq!(trusted(issuer).discovery_url().unwrap().as_str(), expected);
        }
        for issuer in [
            "http://id.example",
            "http://localhost.id.example",
            "http://127.0.0.1.nip.io",
            "http://10.0.0.1",
            "ftp://localhost",
            "file:///etc",
        ] {
            let error = trusted(issuer).discovery_url().unwrap_err();
            assert!(matches!(error, IssuerConfigError::Insecure { .. }), "{issuer}: {error}");
        }
        for issuer in ["", "id.example", "https://u@id.example", "https://i.e/?q", "https://i.e/#f"]
        {
            let error = trusted(issuer).discovery_url().unwrap_err();
            assert!(matches!(error, IssuerConfigError::NotAUrl { .. }), "{issuer}: {error}");
        }
    }

    #[test]
    fn contradicting_settings_are_refused() {
        let good = trusted("https://id.example");
        let none = TrustedIssuer { audience: String::new(), ..good.clone() };
        assert!(matches!(none.discovery_url(), Err(IssuerConfigError::Empty { .. })));
        let empty = TrustedIssuer { tenant_claim: Some(String::new()), ..good.clone() };
        assert!(matches!(empty.discovery_url(), Err(IssuerConfigError::Empty { .. })));
        let within_what = TrustedIssuer { emails_verified_in_tenant: true, ..good };
        assert!(matches!(
            within_what.discovery_url(),
            Err(IssuerConfigError::TenantClaimWanted { .. })
        ));
    }
}
