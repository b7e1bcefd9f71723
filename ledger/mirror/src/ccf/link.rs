//! How a service is reached: TLS that is pinned to it, and the certificates that go with it.

use std::sync::Arc;
use std::time::Duration;

use chancery_ccf::certificate::Certificate;
use reqwest::redirect;

use super::{Config, ConfigError, Credentials};

/// A client that talks to one service and no other.
pub struct Link {
    pub http: reqwest::Client,
    /// The service's certificate, and those of the services that it was shown to go on from, the
    /// newest first. Never empty.
    pub services: Vec<Arc<Certificate>>,
}

/// What a link is made with, whichever service it is for.
pub struct Maker {
    identity: Option<reqwest::Identity>,
    timeout: Duration,
}

impl Maker {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let identity = match &config.credentials {
            Credentials::Certificate(pem) => {
                Some(reqwest::Identity::from_pem(pem).map_err(ConfigError::Credentials)?)
            }
            Credentials::Token(_) => None,
        };
        Ok(Self { identity, timeout: config.timeout })
    }

    /// A link to that service.
    pub fn link(
        &self,
        service: Certificate,
        earlier: &[Arc<Certificate>],
    ) -> Result<Link, ConfigError> {
        let root = reqwest::Certificate::from_der(service.der()).map_err(ConfigError::Tls)?;
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([root])
            .https_only(true)
            .redirect(redirect::Policy::none())
            .timeout(self.timeout);
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        let services = [Arc::new(service)].into_iter().chain(earlier.iter().cloned()).collect();
        Ok(Link { http: builder.build().map_err(ConfigError::Tls)?, services })
    }
}
