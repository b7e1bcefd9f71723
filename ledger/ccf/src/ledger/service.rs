//! The service's identity and state, as the ledger writes them down, over disaster recoveries.
//!
//! Nothing of it is trusted by itself. At the end the last identity must be the one whose certificate
//! the auditor brought, and each one before it must be endorsed by the one after it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ledger::digest::Digest;
use serde::Deserialize;

use crate::certificate::Certificate;
use crate::endorsement::Endorsement;
use crate::txid::TxId;
use crate::verdict::{Check, Finding, causes, from_to};

/// Most identities that a ledger may have had.
pub const EPOCHS_MAX: usize = 1024;

/// A service's status, as in `public:ccf.gov.service.info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Status {
    /// It was just made.
    Opening,
    /// It serves its users.
    Open,
    /// It was recovered from a ledger and reads it.
    Recovering,
    /// It waits for the members' shares of the ledger secret.
    WaitingForRecoveryShares,
}

impl Status {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "Opening",
            Self::Open => "Open",
            Self::Recovering => "Recovering",
            Self::WaitingForRecoveryShares => "WaitingForRecoveryShares",
        }
    }

    /// Whether it may follow, under the same identity.
    const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Opening => {
                matches!(next, Self::Opening | Self::Open | Self::WaitingForRecoveryShares)
            }
            Self::Recovering => matches!(next, Self::Recovering | Self::WaitingForRecoveryShares),
            Self::WaitingForRecoveryShares => {
                matches!(next, Self::WaitingForRecoveryShares | Self::Open)
            }
            Self::Open => matches!(next, Self::Open),
        }
    }
}

/// A part of the ledger under one service key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The certificate of that key that stands there last.
    pub certificate: Certificate,
    /// Its first transaction.
    pub start: TxId,
    /// Its last transaction, so far as it was read.
    pub last: TxId,
    /// Its last signed root.
    pub root: Option<Digest>,
    /// Its status at the end.
    pub status: Status,
    /// Whether a later identity endorses it; the last one needs none.
    pub endorsed: bool,
}

#[derive(Deserialize)]
struct Info {
    cert: String,
    status: Status,
    current_service_create_txid: Option<String>,
}

#[derive(Deserialize)]
struct Endorsed {
    endorsement: String,
    endorsing_key: String,
    endorsement_epoch_begin: String,
    endorsement_epoch_end: Option<String>,
}

type Refused = (Check, String);

/// The identities so far.
#[derive(Debug, Default)]
pub struct Services(Vec<Epoch>);

impl Services {
    /// Takes up a transaction and what it writes of the service.
    pub fn take(
        &mut self,
        id: TxId,
        info: Option<&[u8]>,
        endorsement: Option<&[u8]>,
    ) -> Result<(), Refused> {
        if let Some(info) = info {
            self.change(id, info).map_err(|detail| (Check::Service, detail))?;
        }
        let current = self.0.last_mut().ok_or_else(|| {
            (Check::Service, "the ledger does not begin with a service".to_owned())
        })?;
        current.last = id;
        if let Some(endorsement) = endorsement {
            self.endorse(endorsement).map_err(|detail| (Check::Endorsement, detail))?;
        }
        Ok(())
    }

    fn change(&mut self, id: TxId, json: &[u8]) -> Result<(), String> {
        let info: Info = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let certificate = Certificate::from_pem(&info.cert).map_err(|error| error.to_string())?;
        certificate.check_self_signed().map_err(|error| causes(&error))?;
        let status = info.status;
        let start = match self.0.last_mut() {
            Some(current) if current.certificate.key() == certificate.key() => {
                if !current.status.may_become(status) {
                    return Err(format!("{} follows {}", status.as_str(), current.status.as_str()));
                }
                current.certificate = certificate;
                current.status = status;
                current.start
            }
            _ => {
                if !matches!(status, Status::Opening | Status::Recovering) {
                    return Err(format!("a service begins as {}", status.as_str()));
                }
                if self.0.len() == EPOCHS_MAX {
                    return Err(format!("more than {EPOCHS_MAX} services"));
                }
                let (start, last, root, endorsed) = (id, id, None, false);
                self.0.push(Epoch { certificate, start, last, root, status, endorsed });
                start
            }
        };
        match info.current_service_create_txid {
            Some(text) if text.parse() != Ok(start) => {
                Err(format!("it says that it began at {text}, and did at {start}"))
            }
            _ => Ok(()),
        }
    }

    fn endorse(&mut self, json: &[u8]) -> Result<(), String> {
        let record: Endorsed = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let bytes = STANDARD.decode(&record.endorsement).map_err(|error| error.to_string())?;
        let endorsement = Endorsement::parse(&bytes).map_err(|error| causes(&error))?;
        let Some((current, earlier)) = self.0.split_last_mut() else {
            return Err("there is no service".to_owned());
        };
        let key = current.certificate.key();
        if STANDARD.decode(&record.endorsing_key).as_deref() != Ok(key.spki())
            || !endorsement.is_signed_by(key)
        {
            return Err("it is not by the service's key".to_owned());
        }
        let end = endorsement.end().map(|end| end.to_string());
        if record.endorsement_epoch_begin != endorsement.start().to_string()
            || record.endorsement_epoch_end != end
        {
            return Err("it says another range than is signed".to_owned());
        }
        let Some(end) = endorsement.end() else {
            // The first service endorses itself.
            let own = endorsement.key() == key && endorsement.start() == current.start;
            return if own { Ok(()) } else { Err("it has no end".to_owned()) };
        };
        // Before the service that endorses began: where its predecessors ended.
        let last = earlier.last().map(|epoch| (epoch.last, epoch.root));
        let Some(endorsed) =
            earlier.iter_mut().rev().find(|epoch| epoch.certificate.key() == endorsement.key())
        else {
            return Err("it is of a key that was no service's before".to_owned());
        };
        let Some((last, root)) = last else { return Err("there was no service".to_owned()) };
        if endorsement.start() != endorsed.start || end != last {
            return Err(format!(
                "it is for {} to {end}, and the service signed {} to {last}",
                endorsement.start(),
                endorsed.start
            ));
        }
        if endorsement.root().is_some() && endorsement.root() != root {
            return Err("it names another root than the last that was signed".to_owned());
        }
        endorsed.endorsed = true;
        Ok(())
    }

    /// The certificate of the service that signs now.
    pub fn certificate(&self) -> Result<&Certificate, String> {
        let current = self.0.last().ok_or("there is no service")?;
        Ok(&current.certificate)
    }

    /// A root was signed.
    pub fn signed(&mut self, root: Digest) {
        if let Some(current) = self.0.last_mut() {
            current.root = Some(root);
        }
    }

    /// Checks that the last identity is the one that was given. The key decides: a certificate may
    /// have been renewed.
    pub fn check_service(&self, service: &Certificate) -> Result<(), Finding> {
        let Some(last) = self.0.last() else { return Ok(()) };
        let found = last.certificate.key();
        if found == service.key() {
            return Ok(());
        }
        let earlier = self.0.iter().any(|epoch| epoch.certificate.key() == service.key());
        let mut detail = format!(
            "the ledger's service has the key {}, the certificate that was given {}",
            found.id(),
            service.key().id()
        );
        if earlier {
            detail += ", which is that of an earlier service: give the present one's";
        }
        Err(Finding::at(Check::ServiceKey, last.start.seqno, detail))
    }

    /// The first identity that no later one endorses.
    pub fn unendorsed(&self) -> Option<Finding> {
        let (_, earlier) = self.0.split_last()?;
        let epoch = earlier.iter().find(|epoch| !epoch.endorsed)?;
        let seqno = epoch.start.seqno;
        let detail = format!(
            "no later service endorses the key {} of {}",
            epoch.certificate.key().id(),
            from_to(seqno, epoch.last.seqno)
        );
        Some(Finding::at(Check::Endorsement, seqno, detail))
    }

    /// All of them.
    pub fn into_epochs(self) -> Vec<Epoch> {
        self.0
    }
}
