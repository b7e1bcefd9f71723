//! A network's next service identity, after a disaster recovery.
//!
//! A recovered network has a new key and presents itself with that: the pinned one is not met any
//! more. The new certificate has to be handed over as the first one was: anybody can certify the old
//! key with a new one, so the network's word for itself is worth nothing. What is checked is that it
//! is a recovery of *that* network, with its ledger: its receipts of the time before must bring a
//! certificate of the old key under the new one, and the follower then compares its head and roots
//! with our own log. A service that does not lead back is refused, and nothing is sent to it.

use chancery_ccf::certificate::Certificate;
use chancery_ccf::key::EcKey;
use chancery_ccf::receipt::{Expected, Receipt};
use chancery_ccf::txid::TxId;
use serde::Deserialize;

/// How many views are looked at for one of the earlier service, the newest first.
pub const VIEWS_MAX: usize = 64;
/// The code of a service that does not lead back to the one that is pinned.
pub const NOT_ENDORSED: &str = "service-not-endorsed";

/// `GET /app/commit?view_history=true`.
#[derive(Deserialize)]
pub struct Views {
    /// The first transaction of each view.
    view_history: Vec<String>,
}

impl Views {
    /// The first transactions of the newest views, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = TxId> {
        // A view's begin is named even where it has no transaction: "1.1" of a service that began.
        let ids = self.view_history.iter().rev().filter_map(|text| text.parse::<TxId>().ok());
        ids.filter(|id| id.seqno > 0).take(VIEWS_MAX)
    }
}

/// Whether a receipt that `service` stands behind has a certificate of `earlier` under it.
pub fn leads_back(receipt: &[u8], service: &Certificate, earlier: &EcKey) -> bool {
    let Ok(receipt) = Receipt::parse(receipt) else { return false };
    let Receipt::Node(node) = &receipt else { return false };
    let named = node.earlier_services().iter().any(|it| it.key().id() == earlier.id());
    named && receipt.verify(service, &[], &Expected::default()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from a network that was recovered.
    fn recorded(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ccf/tests/vectors");
        std::fs::read(folder.join(name)).unwrap()
    }

    fn certificate(name: &str) -> Certificate {
        Certificate::from_pem(&String::from_utf8(recorded(name)).unwrap()).unwrap()
    }

    #[test]
    fn a_recovered_service_leads_back_to_the_one_before() {
        let before = certificate("mirror/service_cert_before.pem");
        let after = certificate("mirror/service_cert_after.pem");
        let other = certificate("service_cert.pem");
        let shown = recorded("mirror/first-after.json");
        assert!(leads_back(&shown, &after, before.key()));
        // Not to another one, nor from another one, nor without the endorsement.
        assert!(!leads_back(&shown, &after, other.key()));
        assert!(!leads_back(&shown, &other, before.key()));
        assert!(!leads_back(&shown, &before, before.key()));
        assert!(!leads_back(&recorded("mirror/first.json"), &after, before.key()));
        assert!(!leads_back(&recorded("mirror/second.json"), &after, before.key()));
        assert!(!leads_back(b"{}", &after, before.key()));
        // With a byte of the endorsement flipped.
        let mut json: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        let pem = json["service_endorsements"][0].as_str().unwrap();
        let at = pem.len() / 2;
        let flipped = if pem.as_bytes()[at] == b'A' { "B" } else { "A" };
        let pem = format!("{}{flipped}{}", &pem[..at], &pem[at + 1..]);
        json["service_endorsements"][0] = pem.into();
        assert!(!leads_back(json.to_string().as_bytes(), &after, before.key()));
    }

    #[test]
    fn views_are_tried_from_the_newest_on_up_to_the_bound() {
        let views = |texts: Vec<String>| Views { view_history: texts };
        let recorded = ["1.1", "2.1", "3.40", "4.40"].map(str::to_owned).to_vec();
        let ids = |views: Views| views.newest().map(|id| id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(views(recorded)), ["4.40", "3.40", "2.1", "1.1"]);
        let many = (1..=100).map(|view| format!("{view}.{view}")).collect();
        let tried = ids(views(many));
        assert_eq!((tried.len(), tried[0].as_str()), (VIEWS_MAX, "100.100"));
        assert_eq!(ids(views(vec!["1.0".into(), "no".into()])), Vec::<String>::new());
    }
}
