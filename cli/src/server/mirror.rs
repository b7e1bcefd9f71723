//! What a server mirrors its logs in, and the driver that does it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chancery_commands::clock::random;
use chancery_commands::mirror::Mirror;
use chancery_mirror::{
    Ccf, Config, Credentials, Driver, InsecureVirtual, MirrorLedger, Options, StoredLogs,
    forward_appends,
};
use chancery_store::Store;
use tokio::task::JoinSet;

use crate::failure::OrFail as _;
use crate::private_file;

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the stand-in derives its keys from.
const SEED_FILE: &str = "mirror-virtual.seed";
/// What the stand-in accepted.
const LEDGER_FILE: &str = "mirror-virtual.ledger";

/// What mirrors the logs, as it is typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Wanted {
    /// A node of the CCF network that mirrors the logs, as in `https://ccf.example:8080`; may be
    /// repeated.
    #[arg(long = "mirror-ccf-url", value_name = "URL", requires = "mirror_ccf_service")]
    mirror_ccf_urls: Vec<String>,
    /// The network's service certificate; nothing else is trusted. From its consortium.
    #[arg(long, value_name = "PEM", requires = "mirror_ccf_urls")]
    mirror_ccf_service: Option<PathBuf>,
    /// The certificate and key under which the consortium lets this service write, in one file.
    #[arg(long, value_name = "PEM", requires = "mirror_ccf_urls")]
    mirror_identity: Option<PathBuf>,
    /// Or a file with a bearer token, read anew for each request.
    #[arg(
        long,
        value_name = "FILE",
        requires = "mirror_ccf_urls",
        conflicts_with = "mirror_identity"
    )]
    mirror_token: Option<PathBuf>,
    /// Mirror the logs in a stand-in of this process: for trials, it proves nothing.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "mirror_ccf_urls")]
    mirror: Option<StandIn>,
}

/// A mirror without a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StandIn {
    /// In the data folder; one process only.
    InsecureVirtual,
}

impl Wanted {
    /// The same, with the stand-in where nothing is named.
    pub fn or_stand_in(mut self) -> Self {
        if self.mirror_ccf_urls.is_empty() {
            self.mirror = Some(StandIn::InsecureVirtual);
        }
        self
    }

    /// Starts to have the logs of the service `name` mirrored; nothing where no mirror is named.
    ///
    /// # Errors
    ///
    /// Where a file can't be read, or is not what it should be.
    pub fn follow(
        self,
        name: &str,
        data_dir: &Path,
        store: &Store,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Option<Mirror>> {
        if let Some(StandIn::InsecureVirtual) = self.mirror {
            let seed = private_file::read_or_draw(&data_dir.join(SEED_FILE), || {
                let seed = random::<32>().or_unreadable(|| "Can't draw a seed".to_owned())?;
                Ok(seed.to_vec())
            })?;
            let ledger = InsecureVirtual::open(name, &seed, &data_dir.join(LEDGER_FILE))
                .context("the stand-in for a mirror can't go on")?;
            tracing::warn!(
                service = %ledger.service().digest(),
                "the logs are mirrored in an insecure-virtual stand-in: it proves nothing"
            );
            return Ok(Some(start(ledger, store, tasks)));
        }
        if self.mirror_ccf_urls.is_empty() {
            return Ok(None);
        }
        // Where the network was recovered, its operators put the new certificate in the place of
        // the old one: it is taken if the new service leads back to the old.
        let certificate = self.mirror_ccf_service.clone();
        let ledger = Ccf::new(self.network()?)
            .context("the CCF network's options make no sense")?
            .with_successor(move || fs::read_to_string(certificate.as_ref()?).ok());
        for service in ledger.services().iter().take(1) {
            tracing::info!(service = %service.digest(), "the logs are mirrored in CCF");
        }
        Ok(Some(start(ledger, store, tasks)))
    }

    fn network(self) -> anyhow::Result<Config> {
        let service = self.mirror_ccf_service.context("--mirror-ccf-service is missing")?;
        let service = fs::read_to_string(&service)
            .with_context(|| format!("can't read {}", service.display()))?;
        let credentials = match (self.mirror_identity, self.mirror_token) {
            (Some(identity), None) => {
                let pem = private_file::read(&identity)?;
                Credentials::Certificate(
                    pem.with_context(|| format!("there is no {}", identity.display()))?,
                )
            }
            (None, Some(token)) => {
                private_file::read(&token)?
                    .with_context(|| format!("there is no {}", token.display()))?;
                // Whoever renews it replaces the file. Where it can't be read, CCF refuses.
                Credentials::Token(Arc::new(move || {
                    let token = fs::read_to_string(&token).unwrap_or_default();
                    token.trim().to_owned()
                }))
            }
            _ => anyhow::bail!("name --mirror-identity or --mirror-token"),
        };
        Ok(Config { nodes: self.mirror_ccf_urls, service, credentials, timeout: TIMEOUT })
    }
}

fn start(ledger: impl MirrorLedger, store: &Store, tasks: &mut JoinSet<()>) -> Mirror {
    let kind = ledger.kind();
    let logs = StoredLogs::new(store.clone(), kind);
    let driver = Driver::new(Arc::new(ledger), Arc::new(logs), Options::default());
    let (hint, status, appends) = (driver.hint(), driver.status(), store.clone());
    tasks.spawn(async move { forward_appends(&appends, hint).await });
    tasks.spawn(driver.run(std::future::pending()));
    Mirror { kind, status }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        mirror: Wanted,
    }

    fn parse(line: &str) -> Option<Wanted> {
        let line = std::iter::once("serve").chain(line.split_whitespace());
        Line::try_parse_from(line).ok().map(|line| line.mirror)
    }

    #[test]
    fn a_network_comes_with_its_certificate_and_is_no_stand_in() {
        let network = "--mirror-ccf-url https://a:1 --mirror-ccf-service s.pem";
        for good in [
            String::new(),
            "--mirror insecure-virtual".to_owned(),
            format!("{network} --mirror-identity i.pem"),
            format!("{network} --mirror-ccf-url https://b:2 --mirror-token token"),
        ] {
            assert!(parse(&good).is_some(), "{good}");
        }
        for bad in [
            "--mirror nothing".to_owned(),
            "--mirror-ccf-url https://a:1".to_owned(),
            "--mirror-ccf-service s.pem".to_owned(),
            "--mirror-identity i.pem".to_owned(),
            format!("{network} --mirror insecure-virtual"),
            format!("{network} --mirror-identity i.pem --mirror-token token"),
        ] {
            assert!(parse(&bad).is_none(), "{bad}");
        }
        let both = parse(&format!("{network} --mirror-identity i.pem")).unwrap().or_stand_in();
        assert_eq!(both.mirror, None, "a network that is named is taken");
        assert!(parse("").unwrap().or_stand_in().mirror.is_some());
    }

    #[test]
    fn files_that_are_not_there_or_open_to_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let options = |credentials: &str| {
            let service = path("service.pem");
            let line = format!(
                "--mirror-ccf-url https://a:1 --mirror-ccf-service {} {credentials}",
                service.display()
            );
            parse(&line).unwrap().network().map(|_| ()).map_err(|error| format!("{error:#}"))
        };
        let said = options("").unwrap_err();
        assert!(said.contains("service.pem"), "{said}");
        fs::write(path("service.pem"), "a certificate").unwrap();
        let said = options("").unwrap_err();
        assert!(said.contains("--mirror-identity"), "{said}");
        for flag in ["--mirror-identity", "--mirror-token"] {
            let file = path(flag);
            let named = format!("{flag} {}", file.display());
            let said = options(&named).unwrap_err();
            assert!(said.contains(flag), "{said}");
            fs::write(&file, "secret").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            let said = options(&named).unwrap_err();
            assert!(said.contains("open to others"), "{said}");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            options(&named).unwrap();
        }
    }
}
