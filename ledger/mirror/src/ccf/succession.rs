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
