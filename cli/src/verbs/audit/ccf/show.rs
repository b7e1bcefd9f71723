//! What is told of receipts and ledgers, as text and as JSON.

use chancery_ccf::certificate::{Certificate, Period};
use chancery_ccf::receipt::{Expected, Form, Proven, ReceiptError};
use chancery_ccf::verdict::{Check, Verdict, causes};
use chancery_ledger::digest::Digest;
use serde_json::{Value, json};

use super::ledger::Told;
use crate::output::WIDTH;
use crate::text::{facts, time, wrapped};

/// The form of [`receipt_json`].
pub const RECEIPT_FORMAT: &str = "chancery-ccf-receipt/1";
/// The form of [`ledger_json`].
pub const LEDGER_FORMAT: &str = "chancery-ccf-ledger/1";

fn seconds(time_s: u64) -> String {
    time(time_s.saturating_mul(1000))
}

fn period(period: &Period) -> String {
    format!("{} to {}", seconds(period.from_s), seconds(period.until_s))
}

/// Names and values below one another, for digests that are whole.
fn page(title: &str, detail: &str, pairs: Vec<(&str, String)>) -> String {
    // With its prefix a digest would not fit beside the title.
    let mut text = wrapped(&format!("{title}  "), &detail.replace("sha256:", ""), WIDTH);
    if !pairs.is_empty() {
        text.push('\n');
        text.push_str(&facts(2, pairs));
    }
    text
}

const fn form(form: Form) -> &'static str {
    match form {
        Form::Json => "JSON, signed by a node",
        Form::JsonSignature => "JSON, of a signature transaction, signed by a node",
        Form::Cose => "COSE, CCF profile draft 05, signed by the service",
    }
}

/// A receipt for people.
pub fn receipt_text(
    proven: &Result<Proven, ReceiptError>,
    service: &Certificate,
    expected: &Expected,
) -> String {
    let proven = match proven {
        Ok(proven) => proven,
        Err(error) => {
            let title = match error.exit_code() {
                2 => "INCOMPLETE",
                3 => "UNREADABLE",
                _ => "TAMPERED",
            };
            return page(title, &format!("{}: {}", error.code(), causes(error)), Vec::new());
        }
    };
    let what = match proven.transaction {
        Some(id) => format!("transaction {id} is in the ledger of this service"),
        None => "a signature of the ledger of this service".to_owned(),
    };
    let mut pairs = vec![("form", form(proven.form).to_owned())];
    pairs.extend(proven.claims.map(|claims| ("claims", claims.to_hex())));
    if proven.claims.is_some() {
        let held = if expected.claims.is_some() {
            "the digest that was asked for"
        } else {
            "not compared: --claims-digest"
        };
        pairs.push(("", held.to_owned()));
    }
    pairs.push(("root", proven.root.to_hex()));
    pairs.extend(proven.signed_at.map(|id| ("signed at", id.to_string())));
    pairs
        .extend(proven.issued_at_s.map(|at| ("", format!("{}, by the node's clock", seconds(at)))));
    pairs.push(("signed by", proven.signer.to_hex()));
    pairs.push(("service", service.key().id().to_hex()));
    if proven.endorsements > 0 {
        pairs.push(("", format!("over {} endorsements of earlier services", proven.endorsements)));
    }
    pairs.push(("valid", period(&proven.period)));
    if proven.issued_at_s.is_none() && expected.at_s.is_none() {
        pairs.push(("", "compared with no time, as JSON says none: --at".to_owned()));
    }
    page("VERIFIED", &what, pairs)
}

/// A receipt for programs.
pub fn receipt_json(proven: &Result<Proven, ReceiptError>, service: &Certificate) -> Value {
    let verdict = |exit_code| match exit_code {
        0 => "verified",
        1 => "tampered",
        2 => "incomplete",
        _ => "unreadable",
    };
    let exit_code = proven.as_ref().map_or_else(ReceiptError::exit_code, |_| 0);
    let mut object = json!({
        "format": RECEIPT_FORMAT,
        "verdict": verdict(exit_code),
        "exit_code": exit_code,
        "service": service.key().id().to_string(),
    });
    match proven {
        Ok(proven) => {
            object["receipt"] = json!({
                "form": proven.form.as_str(),
                "transaction": proven.transaction.map(|id| id.to_string()),
                "claims_digest": proven.claims.map(|it| it.to_hex()),
                "leaf": proven.leaf.map(|it| it.to_hex()),
                "root": proven.root.to_hex(),
                "signed_at": proven.signed_at.map(|id| id.to_string()),
                "issued_at_s": proven.issued_at_s,
                "signer": proven.signer.to_string(),
                "endorsements": proven.endorsements,
                "valid_from_s": proven.period.from_s,
                "valid_until_s": proven.period.until_s,
            });
        }
        Err(error) => {
            object["failure"] = json!({ "code": error.code(), "detail": causes(error) });
        }
    }
    object
}

/// Groups of three digits.
fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ledger for people.
pub fn ledger_text(told: &Told) -> String {
    let report = &told.report;
    let title = told.verdict.as_str().to_uppercase();
    let detail = match told.verdict.finding() {
        None => format!("{} transactions, every one signed", number(report.transactions)),
        Some(finding) => {
            let at =
                finding.seqno.map_or(String::new(), |seqno| format!(" at transaction {seqno}"));
            let fails = if matches!(told.verdict, Verdict::Tampered(_)) { " fails" } else { "" };
            format!("check \"{}\"{fails}{at}: {}", finding.check, finding.detail)
        }
    };
    if !matches!(told.verdict, Verdict::Verified | Verdict::Incomplete(_)) {
        return page(&title, &detail, Vec::new());
    }
    let mut pairs = vec![(
        "read",
        format!("{} transactions in {} files", number(report.transactions), number(report.chunks)),
    )];
    if told.uncommitted > 0 {
        pairs.push(("", format!("{} not committed, left out", number(told.uncommitted))));
    }
    if let Some((id, root)) = &report.signed {
        pairs.push(("signed", format!("up to {id}")));
        pairs.push(("root", root.to_hex()));
    }
    if report.unsigned() > 0 {
        pairs.push(("unsigned", format!("{} transactions at the end", number(report.unsigned()))));
    }
    if let Some((first_s, last_s)) = report.signed_s {
        pairs.push((
            "times",
            format!("{} to {}, by the nodes' clocks", seconds(first_s), seconds(last_s)),
        ));
    }
    let (nodes, service) = (number(report.node_signatures), number(report.service_signatures));
    pairs.push(("signatures", format!("{nodes} of nodes, {service} of the service")));
    for (index, epoch) in report.epochs.iter().enumerate() {
        let name = if index == 0 { "services" } else { "" };
        let key: Digest = epoch.certificate.key().id();
        pairs.push((name, key.to_hex()));
        let last = index + 1 == report.epochs.len();
        let why = match (last, epoch.endorsed) {
            (true, _) => "the given one",
            (false, true) => "endorsed by a later one",
            (false, false) => "not endorsed",
        };
        let status = epoch.status.as_str();
        pairs.push(("", format!("{} to {}, {status}, {why}", epoch.start, epoch.last)));
    }
    if told.snapshots > 0 {
        pairs.push(("snapshots", number(told.snapshots)));
    }
    if let Some(mirrored) = &told.mirrored {
        let (found, wanted) = (number(mirrored.found), number(mirrored.wanted));
        pairs.push(("bundle", format!("{found} of {wanted} entries, in order")));
        let (size, batches) = (number(mirrored.size), number(mirrored.batches));
        pairs.push(("", format!("the ledger has {size} of the log, in {batches} transactions")));
    }
    page(&title, &detail, pairs)
}

/// A ledger for programs.
pub fn ledger_json(told: &Told) -> Value {
    let report = &told.report;
    let mut object = json!({
        "format": LEDGER_FORMAT,
        "verdict": told.verdict.as_str(),
        "exit_code": told.verdict.exit_code(),
        "chunks": report.chunks,
        "transactions": report.transactions,
        "bytes": report.bytes,
        "uncommitted_files": told.uncommitted,
        "node_signatures": report.node_signatures,
        "service_signatures": report.service_signatures,
    });
    if let Some(finding) = told.verdict.finding() {
        object["failure"] = json!({
            "check": finding.check.as_str(),
            "transaction": finding.seqno,
            "detail": finding.detail,
        });
    } else {
        object["checks"] = Check::ALL.iter().map(|check| check.as_str()).collect();
    }
    // Nothing is told of a ledger that fails.
    if matches!(told.verdict, Verdict::Verified | Verdict::Incomplete(_)) {
        object["signed"] = report.signed.as_ref().map_or(
            Value::Null,
            |(id, root)| json!({ "transaction": id.to_string(), "root": root.to_hex() }),
        );
        object["unsigned"] = json!(report.unsigned());
        object["first_signed_s"] = json!(report.signed_s.map(|(first_s, _)| first_s));
        object["last_signed_s"] = json!(report.signed_s.map(|(_, last_s)| last_s));
        object["snapshots"] = json!(told.snapshots);
        let last = report.epochs.len().saturating_sub(1);
        let services = report.epochs.iter().enumerate().map(|(index, epoch)| {
            json!({
                "key": epoch.certificate.key().id().to_string(),
                "start": epoch.start.to_string(),
                "last": epoch.last.to_string(),
                "status": epoch.status.as_str(),
                "given": index == last,
                "endorsed": epoch.endorsed,
            })
        });
        object["services"] = services.collect();
        object["bundle"] = told.mirrored.as_ref().map_or(Value::Null, |mirrored| {
            json!({
                "wanted": mirrored.wanted,
                "found": mirrored.found,
                "missing": mirrored.missing,
                "size": mirrored.size,
                "batches": mirrored.batches,
            })
        });
    }
    object
}
