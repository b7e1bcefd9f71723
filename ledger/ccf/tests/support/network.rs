//! The network: what it writes to its ledger, and the receipts that it gives.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ccf::certificate::Certificate;
use chancery_ccf::chunk::{Name, Range};
use chancery_ccf::leaf::{Leaf, hash};
use chancery_ccf::ledger::{Options, Report, verify};
use chancery_ccf::tree::{Frontier, Side, Step};
use chancery_ccf::txid::TxId;
use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::{Digest, hex};
use serde_json::{Value as Json, json};

use super::Key;
use super::x509::{FROM_S, Template};

const ONLY_KEY: [u8; 8] = [0; 8];

/// What a transaction writes to a table: keys, and values where they are not removed.
pub type Table = (String, Vec<(Vec<u8>, Option<Vec<u8>>)>);

/// One value in a table of one value.
pub fn only(table: &str, value: impl Into<Vec<u8>>) -> Table {
    (table.to_owned(), vec![(ONLY_KEY.to_vec(), Some(value.into()))])
}

/// One value under a key.
pub fn one(table: &str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Table {
    (table.to_owned(), vec![(key.into(), Some(value.into()))])
}

#[derive(Clone)]
pub struct Identity {
    pub service: Key,
    pub node: Key,
    pub start: TxId,
}

impl Identity {
    pub fn certificate(&self) -> Certificate {
        Certificate::from_pem(&self.pem()).unwrap()
    }

    pub fn pem(&self) -> String {
        Template::service(&self.service).pem()
    }

    pub fn node_pem(&self) -> String {
        Template::node(&self.node, &self.service).pem()
    }
}

/// What a signature transaction signed.
#[derive(Clone)]
pub struct Signed {
    pub id: TxId,
    pub identity: usize,
    pub root: Digest,
    pub node: Vec<u8>,
    pub cose: Vec<u8>,
}

#[derive(Clone)]
pub struct Network {
    pub identities: Vec<Identity>,
    pub view: u64,
    pub entries: Vec<Vec<u8>>,
    pub leaves: Vec<Digest>,
    pub parts: Vec<Leaf>,
    pub signed: BTreeMap<u64, Signed>,
    pub endorsements: Vec<Vec<u8>>,
    flushed: u64,
    cuts: Vec<u64>,
    status: &'static str,
}

impl Network {
    /// Begun, signed, opened, signed: 4 transactions.
    pub fn genesis() -> Self {
        let mut network = Self {
            identities: Vec::new(),
            view: 2,
            entries: Vec::new(),
            leaves: vec![Digest::from_bytes([0; 32])],
            parts: Vec::new(),
            signed: BTreeMap::new(),
            endorsements: Vec::new(),
            flushed: 0,
            cuts: Vec::new(),
            status: "Opening",
        };
        network.begin(10);
        network.sign();
        network.open();
        network.sign();
        network
    }

    pub fn identity(&self) -> &Identity {
        self.identities.last().unwrap()
    }

    pub fn certificate(&self) -> Certificate {
        self.identity().certificate()
    }

    pub fn next(&self) -> TxId {
        TxId::new(self.view, self.entries.len() as u64 + 1)
    }

    pub fn last(&self) -> TxId {
        TxId::new(self.view, self.entries.len() as u64)
    }

    fn begin(&mut self, seed: u8) {
        let start = self.next();
        let identity = Identity { service: Key::new(seed), node: Key::new(seed + 1), start };
        let id = identity.node.id().to_hex();
        let node_pem = identity.node_pem();
        self.identities.push(identity);
        let info = json!({"status": "Trusted", "rpc_interfaces": {}}).to_string();
        let tables = vec![
            self.service_info(),
            one("public:ccf.gov.nodes.info", id.as_str(), info),
            one("public:ccf.gov.nodes.endorsed_certificates", id.as_str(), node_pem),
        ];
        self.write(&tables, None);
    }

    pub fn service_info(&self) -> Table {
        let identity = self.identity();
        let info = json!({
            "cert": identity.pem(),
            "current_service_create_txid": identity.start.to_string(),
            "recovery_count": self.identities.len() - 1,
            "status": self.status,
        });
        only("public:ccf.gov.service.info", info.to_string())
    }

    pub fn set_status(&mut self, status: &'static str) -> Table {
        self.status = status;
        self.service_info()
    }

    /// Opens the service, with the endorsement of the one before, or of itself.
    pub fn open(&mut self) {
        let info = self.set_status("Open");
        let endorsement = self.endorsement();
        self.write(&[info, endorsement], None);
    }

    /// The record of the endorsement by the present identity.
    pub fn endorsement(&mut self) -> Table {
        let current = self.identity().clone();
        let record = |bytes: &[u8], start: TxId, end: Option<TxId>| {
            let mut record = json!({
                "endorsement": STANDARD.encode(bytes),
                "endorsing_key": STANDARD.encode(current.service.spki()),
                "endorsement_epoch_begin": start.to_string(),
            });
            if let Some(end) = end {
                record["endorsement_epoch_end"] = json!(end.to_string());
                record["previous_version"] = json!(start.seqno);
            }
            only("public:ccf.internal.previous_service_identity_endorsement", record.to_string())
        };
        let Some(earlier) = self.identities.len().checked_sub(2) else {
            let bytes = endorse(&current.service, &current.service, current.start, None, None);
            return record(&bytes, current.start, None);
        };
        let earlier = self.identities[earlier].clone();
        let end = TxId::new(current.start.view - 2, current.start.seqno - 1);
        let root = self.signed.range(..=end.seqno).next_back().unwrap().1.root;
        let bytes =
            endorse(&current.service, &earlier.service, earlier.start, Some(end), Some(root));
        self.endorsements.insert(0, bytes.clone());
        record(&bytes, earlier.start, Some(end))
    }

    /// A disaster recovery: another service and node go on from what is signed.
    pub fn recover(&mut self) {
        self.view += 2;
        self.status = "Recovering";
        self.begin(10 * (u8::try_from(self.identities.len()).unwrap() + 1));
        self.sign();
        let info = self.set_status("WaitingForRecoveryShares");
        self.write(&[info], None);
        self.open();
        self.sign();
    }

    /// Writes a transaction.
    pub fn write(&mut self, tables: &[Table], claims: Option<Digest>) -> TxId {
        let id = self.next();
        let nonce = Digest::of(&id.seqno.to_be_bytes()).to_hex();
        let evidence = format!("ce:{id}:{nonce}");
        let claims = claims.unwrap_or(Digest::from_bytes([0; 32]));
        let raw = entry(id, 0, &claims, &Digest::of(evidence.as_bytes()), tables, b"opaque");
        self.push(raw, &evidence, claims);
        id
    }

    fn push(&mut self, raw: Vec<u8>, evidence: &str, claims: Digest) {
        let write_set = Digest::of(&raw);
        self.leaves.push(hash(&write_set, &Digest::of(evidence.as_bytes()), &claims));
        self.parts.push(Leaf { write_set, evidence: evidence.parse().unwrap(), claims });
        self.entries.push(raw);
    }

    /// So many records, one a transaction.
    pub fn records(&mut self, count: u64) {
        for _ in 0..count {
            let value = format!("{{\"value\":{}}}", self.entries.len());
            let claims = Digest::of(value.as_bytes());
            let key = format!("r{}", self.entries.len());
            self.write(&[one("public:records", key, value)], Some(claims));
        }
    }

    pub fn root(&self) -> Digest {
        let mut frontier = Frontier::default();
        for leaf in &self.leaves {
            frontier.append(*leaf);
        }
        *frontier.root().unwrap().digest()
    }

    /// Writes a signature transaction.
    pub fn sign(&mut self) {
        let tables = self.signature_tables();
        self.write(&tables, None);
    }

    /// The three tables of a signature transaction that would come next.
    pub fn signature_tables(&mut self) -> Vec<Table> {
        let (id, identity, root) = (self.next(), self.identity().clone(), self.root());
        let node = identity.node.sign_digest(&root);
        let cose = root_signature(&identity.service, id, &root);
        let record = json!({
            "cert": identity.node_pem(),
            "commit_seqno": 0,
            "commit_view": 0,
            "hashed_nonce": "0".repeat(64),
            "node": identity.node.id().to_hex(),
            "root": root.to_hex(),
            "seqno": id.seqno,
            "sig": STANDARD.encode(&node),
            "view": id.view,
        });
        let tree = self.compact_tree();
        let tables = vec![
            only("public:ccf.internal.signatures", record.to_string()),
            only("public:ccf.internal.cose_signatures", json!(STANDARD.encode(&cose)).to_string()),
            only("public:ccf.internal.tree", tree),
        ];
        let identity = self.identities.len() - 1;
        self.signed.insert(id.seqno, Signed { id, identity, root, node, cose });
        self.flushed = id.seqno;
        tables
    }

    fn compact_tree(&self) -> Vec<u8> {
        let flushed = usize::try_from(self.flushed).unwrap();
        let mut out = ((self.leaves.len() - flushed) as u64).to_be_bytes().to_vec();
        out.extend(self.flushed.to_be_bytes());
        out.extend(self.leaves[flushed..].iter().flat_map(|leaf| *leaf.as_bytes()));
        let (mut end, mut roots) = (flushed, Vec::new());
        for height in (0..64).filter(|height| self.flushed >> height & 1 == 1) {
            let begin = end - (1 << height);
            let mut frontier = Frontier::default();
            for leaf in &self.leaves[begin..end] {
                frontier.append(*leaf);
            }
            roots.extend(*frontier.root().unwrap().digest().as_bytes());
            end = begin;
        }
        out.extend(roots);
        out
    }

    /// Ends the file with the last transaction.
    pub fn cut(&mut self) {
        self.cuts.push(self.entries.len() as u64);
    }

    /// The ledger's files by their names. What comes after the last cut is in a file of its own.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut ends = self.cuts.clone();
        if ends.last() != Some(&(self.entries.len() as u64)) {
            ends.push(self.entries.len() as u64);
        }
        let mut first = 1;
        let mut files = BTreeMap::new();
        for last in ends {
            let entries =
                &self.entries[usize::try_from(first - 1).unwrap()..usize::try_from(last).unwrap()];
            files.insert(format!("ledger_{first}-{last}.committed"), file(entries));
            first = last + 1;
        }
        files
    }

    /// Takes back everything after so many transactions.
    pub fn rewind(&mut self, transactions: usize) {
        self.entries.truncate(transactions);
        self.leaves.truncate(transactions + 1);
        self.parts.truncate(transactions);
        self.signed.retain(|seqno, _| *seqno <= transactions as u64);
        self.flushed = self.signed.last_key_value().map_or(0, |(seqno, _)| *seqno);
    }

    fn path(&self, index: u64, size: u64) -> Vec<Step> {
        let mut level = self.leaves[..usize::try_from(size).unwrap()].to_vec();
        let (mut at, mut path) = (usize::try_from(index).unwrap(), Vec::new());
        while level.len() > 1 {
            if at % 2 == 1 {
                path.push((Side::Left, level[at - 1]));
            } else if let Some(right) = level.get(at + 1) {
                path.push((Side::Right, *right));
            }
            at /= 2;
            level = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => Digest::of_parts(&[left.as_bytes(), right.as_bytes()]),
                    _ => pair[0],
                })
                .collect();
        }
        path
    }

    /// The signature that covers a transaction.
    pub fn signature_of(&self, seqno: u64) -> &Signed {
        self.signed.range(seqno + 1..).next().unwrap().1
    }

    /// The JSON receipt of a transaction, for whoever trusts the present service.
    pub fn json_receipt(&self, seqno: u64) -> Json {
        let (signed, leaf) =
            (self.signature_of(seqno), &self.parts[usize::try_from(seqno - 1).unwrap()]);
        let path = self.path(seqno, signed.id.seqno);
        let step = |(side, hash): &Step| match side {
            Side::Left => json!({"left": hash.to_hex()}),
            Side::Right => json!({"right": hash.to_hex()}),
        };
        let mut receipt = self.node_receipt(signed);
        receipt["leaf_components"] = json!({
            "claims_digest": leaf.claims.to_hex(),
            "commit_evidence": leaf.evidence.as_str(),
            "write_set_digest": leaf.write_set.to_hex(),
        });
        receipt["proof"] = path.iter().map(step).collect();
        receipt
    }

    /// The JSON receipt of a signature transaction.
    pub fn json_signature_receipt(&self, seqno: u64) -> Json {
        let signed = &self.signed[&seqno];
        let mut receipt = self.node_receipt(signed);
        receipt["leaf"] = json!(signed.root.to_hex());
        receipt["proof"] = json!([]);
        receipt
    }

    fn node_receipt(&self, signed: &Signed) -> Json {
        let identity = &self.identities[signed.identity];
        let mut receipt = json!({
            "cert": identity.node_pem(),
            "node_id": identity.node.id().to_hex(),
            "signature": STANDARD.encode(&signed.node),
        });
        // Each earlier service's key, in a certificate by the service that came after it.
        let endorsed: Vec<_> = self.identities[signed.identity..]
            .windows(2)
            .map(|pair| {
                let template = Template::service(&pair[0].service);
                Template { signer: &pair[1].service, ..template }.pem()
            })
            .collect();
        if !endorsed.is_empty() {
            receipt["service_endorsements"] = json!(endorsed);
        }
        receipt
    }

    /// The COSE receipt of a transaction.
    pub fn cose_receipt(&self, seqno: u64) -> Vec<u8> {
        let signed = self.signature_of(seqno);
        let path = self.path(seqno, signed.id.seqno);
        let leaf = &self.parts[usize::try_from(seqno - 1).unwrap()];
        chancery_ccf::receipt::assemble(&signed.cose, leaf, &path).unwrap()
    }

    /// A snapshot at the last transaction, its evidence and a signature: name and bytes.
    pub fn snapshot(&mut self) -> (String, Vec<u8>) {
        let at = self.last();
        let mut public = vec![1];
        public.extend(at.seqno.to_le_bytes());
        public.extend(0_u64.to_le_bytes());
        public.extend(32_u64.to_le_bytes());
        public.extend(self.root().as_bytes());
        public.extend(8_u64.to_le_bytes());
        public.extend(1_u64.to_le_bytes());
        let raw = framed(TxId::new(at.view | 1 << 31, at.seqno), 0, &public, b"opaque");
        let evidence = json!({"hash": Digest::of(&raw).to_hex(), "version": at.seqno}).to_string();
        let table = only("public:ccf.internal.snapshot_evidence", evidence);
        let id = self.write(&[table], Some(Digest::of(&raw)));
        self.sign();
        let receipt = self.json_receipt(id.seqno).to_string();
        (
            format!("snapshot_{}_{}.committed", at.seqno, id.seqno),
            [raw, receipt.into_bytes()].concat(),
        )
    }
}

/// An entry.
pub fn entry(
    id: TxId,
    flags: u8,
    claims: &Digest,
    evidence: &Digest,
    tables: &[Table],
    private: &[u8],
) -> Vec<u8> {
    let mut public = vec![4];
    public.extend(id.seqno.to_le_bytes());
    public.extend(claims.as_bytes());
    public.extend(evidence.as_bytes());
    public.extend(0_u64.to_le_bytes());
    let text = |bytes: &[u8]| [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
    for (name, writes) in tables {
        public.extend(text(name.as_bytes()));
        public.extend([0; 16]);
        let set: Vec<_> = writes.iter().filter(|(_, value)| value.is_some()).collect();
        public.extend((set.len() as u64).to_le_bytes());
        for (key, value) in set {
            public.extend(text(key));
            public.extend(text(value.as_ref().unwrap()));
        }
        let removed: Vec<_> = writes.iter().filter(|(_, value)| value.is_none()).collect();
        public.extend((removed.len() as u64).to_le_bytes());
        for (key, _) in removed {
            public.extend(text(key));
        }
    }
    framed(id, flags, &public, private)
}

/// Header, tag, IV and length around a public domain.
pub fn framed(id: TxId, flags: u8, public: &[u8], private: &[u8]) -> Vec<u8> {
    let size = (16 + 12 + 8 + public.len() + private.len()) as u64;
    let mut out = vec![1, flags];
    out.extend(&size.to_le_bytes()[..6]);
    out.extend([0x11; 16]);
    out.extend(id.seqno.to_le_bytes());
    out.extend(u32::try_from(id.view).unwrap().to_le_bytes());
    out.extend((public.len() as u64).to_le_bytes());
    out.extend(public);
    out.extend(private);
    out
}

/// A closed file of these entries.
pub fn file(entries: &[Vec<u8>]) -> Vec<u8> {
    let (mut body, mut positions) = (vec![0; 8], Vec::new());
    for entry in entries {
        positions.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        body.extend(entry);
    }
    let table = body.len() as u64;
    body[..8].copy_from_slice(&table.to_le_bytes());
    body.extend(positions);
    body
}

/// A map of CBOR with its keys in this order.
fn unordered(pairs: &[(Value, Value)]) -> Vec<u8> {
    let mut out = vec![0xa0 + u8::try_from(pairs.len()).unwrap()];
    for (key, value) in pairs {
        out.extend(codec::encode(key));
        // A header of CCF is no map in the codec's order.
        match value {
            Value::Bytes(raw) if raw.first() == Some(&0xff) => out.extend(&raw[1..]),
            value => out.extend(codec::encode(value)),
        }
    }
    out
}

/// Bytes of CBOR that stand as they are.
fn raw(bytes: Vec<u8>) -> Value {
    Value::Bytes([vec![0xff], bytes].concat())
}

fn sign1(key: &Key, protected: &[u8], payload: &[u8], attached: bool) -> Vec<u8> {
    let signed = codec::encode(&Value::Array(vec![
        Value::text("Signature1"),
        Value::bytes(protected),
        Value::bytes([]),
        Value::bytes(payload),
    ]));
    let message = Value::Array(vec![
        Value::bytes(protected),
        Value::map::<i64>([]),
        if attached { Value::bytes(payload) } else { Value::Null },
        Value::bytes(key.sign_fixed(&signed)),
    ]);
    [vec![0xd2], codec::encode(&message)].concat()
}

/// When the made-up nodes sign: a year after 2026 began.
pub const ISSUED_AT_S: u64 = FROM_S + 31_536_000;

/// The service's signature over a root, its header in CCF's order.
pub fn root_signature(service: &Key, id: TxId, root: &Digest) -> Vec<u8> {
    root_signature_at(service, id, root, ISSUED_AT_S)
}

pub fn root_signature_at(service: &Key, id: TxId, root: &Digest, issued_at_s: u64) -> Vec<u8> {
    let int = |number: i128| Value::Int(number);
    let claims = unordered(&[
        (int(6), Value::from(issued_at_s)),
        (int(1), Value::text("service.example.com")),
        (int(2), Value::text("ledger.signature")),
    ]);
    let protected = unordered(&[
        (int(1), int(-35)),
        (int(4), Value::bytes(hex(service.id().as_bytes()).into_bytes())),
        (int(395), int(2)),
        (int(15), raw(claims)),
        (Value::text("ccf.v1"), Value::map([("txid", Value::text(id.to_string()))])),
    ]);
    sign1(service, &protected, root.as_bytes(), false)
}

/// The endorsement of `key` by `by`.
pub fn endorse(
    by: &Key,
    key: &Key,
    start: TxId,
    end: Option<TxId>,
    root: Option<Digest>,
) -> Vec<u8> {
    let mut ccf = vec![(Value::text("epoch.start.txid"), Value::text(start.to_string()))];
    ccf.extend(end.map(|end| (Value::text("epoch.end.txid"), Value::text(end.to_string()))));
    ccf.extend(
        root.map(|root| (Value::text("epoch.end.merkle.root"), Value::bytes(*root.as_bytes()))),
    );
    let protected = unordered(&[
        (Value::Int(1), Value::Int(-35)),
        (Value::Int(15), Value::map([(6_i64, Value::from(ISSUED_AT_S))])),
        (Value::text("ccf.v1"), raw(unordered(&ccf))),
    ]);
    sign1(by, &protected, &key.spki(), true)
}

/// Verifies files by their names.
pub fn audit(
    files: &BTreeMap<String, Vec<u8>>,
    service: &Certificate,
    options: &Options,
) -> Report {
    let mut chunks: Vec<(Range, &[u8])> = files
        .iter()
        .filter_map(|(name, bytes)| match Name::parse(name) {
            Name::Chunk(range) => Some((range, bytes.as_slice())),
            _ => None,
        })
        .collect();
    chunks.sort_by_key(|(range, _)| *range);
    let chunks = chunks.into_iter().map(|(range, bytes)| (range, Ok(bytes)));
    verify(chunks, service, options, |_| {})
}
