//! The nodes of the network, as the ledger writes them down.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::signing::NodeRecord;
use crate::certificate::Certificate;
use crate::verdict::{Check, causes};

/// Most nodes that a ledger may have at one time.
pub const NODES_MAX: usize = 10_000;

/// Longest id of a node: 64 hex digits.
const ID_LEN: usize = 64;

#[derive(Debug, Default)]
pub struct Nodes(BTreeMap<String, Node>);

#[derive(Debug, Default)]
struct Node {
    status: Option<Status>,
    certificate: Option<Certificate>,
    /// The service's certificate that it was found to be issued by.
    issued_by: Option<Certificate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Status {
    Pending,
    Trusted,
    /// It may sign still: others must commit that it left.
    Retired,
}

/// What is read of a node's entry.
#[derive(Deserialize)]
struct Info {
    status: Status,
}

type Refused = (Check, String);

impl Nodes {
    /// A change of `nodes.info`.
    pub fn take_info(&mut self, id: &[u8], value: Option<&[u8]>) -> Result<(), Refused> {
        let status = match value {
            None => None,
            Some(json) => {
                let info: Info = serde_json::from_slice(json)
                    .map_err(|error| (Check::Node, format!("a node's entry: {error}")))?;
                Some(info.status)
            }
        };
        self.change(id, |node| node.status = status)
    }

    /// A change of `nodes.endorsed_certificates`.
    pub fn take_certificate(&mut self, id: &[u8], value: Option<&[u8]>) -> Result<(), Refused> {
        let certificate = match value {
            None => None,
            Some(pem) => {
                let text = std::str::from_utf8(pem)
                    .map_err(|_| (Check::Node, "a node's certificate is not text".to_owned()))?;
                let certificate = Certificate::from_pem(text)
                    .map_err(|error| (Check::Node, format!("a node's certificate: {error}")))?;
                Some(certificate)
            }
        };
        self.change(id, |node| {
            node.certificate = certificate;
            node.issued_by = None;
        })
    }

    fn change(&mut self, id: &[u8], change: impl FnOnce(&mut Node)) -> Result<(), Refused> {
        let id = std::str::from_utf8(id).ok().filter(|id| id.len() == ID_LEN);
        let id = id.ok_or((Check::Node, "a node's id is not 64 digits".to_owned()))?;
        if !self.0.contains_key(id) && self.0.len() == NODES_MAX {
            return Err((Check::Node, format!("more than {NODES_MAX} nodes")));
        }
        let node = self.0.entry(id.to_owned()).or_default();
        change(node);
        if node.status.is_none() && node.certificate.is_none() {
            self.0.remove(id);
        }
        Ok(())
    }

    /// The certificate of the node that signed, found to be one of the network and the service's.
    pub fn signer(
        &mut self,
        record: &NodeRecord,
        service: &Certificate,
    ) -> Result<Certificate, Refused> {
        let refused = |what: &str| (Check::Node, format!("node {}: {what}", record.node));
        let node = self.0.get_mut(&record.node).ok_or_else(|| refused("not of the network"))?;
        match node.status {
            Some(Status::Trusted | Status::Retired) => {}
            Some(Status::Pending) => return Err(refused("not trusted yet")),
            None => return Err(refused("not of the network")),
        }
        let certificate =
            node.certificate.as_ref().ok_or_else(|| refused("it has no certificate"))?;
        if certificate.key().id().to_hex() != record.node {
            return Err(refused("its certificate is another node's"));
        }
        if record.certificate.as_ref().is_some_and(|it| it.key() != certificate.key()) {
            return Err(refused("it signed with another key than its certificate's"));
        }
        if node.issued_by.as_ref() != Some(service) {
            certificate.check_issued_by(service).map_err(|error| refused(&causes(&error)))?;
            node.issued_by = Some(service.clone());
        }
        Ok(certificate.clone())
    }
}
