//! The witnesses of a server, and the driver that asks them.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chancery_commands::identity::is_loopback_host;
use chancery_ledger::note::Witness;
use chancery_store::Store;
use chancery_witness::{Client, Driver, Options, forward_appends, system_clock};
use reqwest::Url;
use tokio::task::JoinSet;

use super::node::http_client;

/// How long a witness may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A witness and where it answers: `VKEY URL`.
#[derive(Debug, Clone)]
pub struct WitnessAt {
    witness: Witness,
    url: String,
}

impl FromStr for WitnessAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, url) = text
            .trim()
            .split_once(' ')
            .ok_or("a verifier key, a space and a URL: 'NAME+ID+KEY https://HOST/PATH'")?;
        let witness = key.parse().map_err(|error| format!("{key}: {error}"))?;
        let url = url.trim();
        let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
        let here = parsed.host_str().is_some_and(is_loopback_host);
        // Its answers are signed, but a log of who asks when is nobody's on the way.
        match parsed.scheme() {
            "https" => {}
            "http" if here => {}
            _ => return Err(format!("{url}: https is needed, or http on this machine")),
        }
        Ok(Self { witness, url: url.to_owned() })
    }
}

/// The witnesses of a server.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    /// Who they are.
    pub at: Vec<WitnessAt>,
    /// How many must cosign.
    pub quorum: usize,
}

impl Witnesses {
    /// Starts to have the logs cosigned; nothing where there are no witnesses.
    ///
    /// # Errors
    ///
    /// Where so many of these witnesses can't cosign.
    pub fn follow(self, store: &Store, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
        if self.at.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(self.quorum > 0, "--witness-quorum: 1 or more");
        let http = http_client()?;
        let client = |it: WitnessAt| Client::new(http.clone(), &it.url, it.witness, TIMEOUT);
        let clients: Vec<_> = self.at.into_iter().map(client).collect();
        let (known, quorum) = (clients.len(), self.quorum);
        let options = Options { threshold: quorum, ..Options::default() };
        let driver = Driver::new(Arc::new(store.clone()), clients, &system_clock(), options)
            .context("the witnesses make no sense")?;
        let (hint, appends) = (driver.hint(), store.clone());
        tasks.spawn(async move { forward_appends(&appends, hint).await });
        tasks.spawn(driver.run(std::future::pending()));
        tracing::info!(known, quorum, "the logs are shown to witnesses");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chancery_ledger::key::SigningKey;

    use super::*;

    #[test]
    fn a_witness_is_a_key_and_a_url() {
        let key = SigningKey::from_seed(&[2; 32]).unwrap();
        let witness = Witness::new("witness.example/w", key.public().clone()).unwrap();
        for good in ["https://witness.example/w", "http://127.0.0.1:9000", "http://localhost/w/"] {
            let at: WitnessAt = format!("{witness} {good}").parse().unwrap();
            assert_eq!((at.witness, at.url.as_str()), (witness.clone(), good));
        }
        for bad in [
            witness.to_string(),
            format!("{witness}x https://a.example"),
            format!("{witness} http://a.example"),
            format!("{witness} nowhere"),
            "https://a.example".to_owned(),
        ] {
            assert!(bad.parse::<WitnessAt>().is_err(), "{bad}");
        }
    }
}
