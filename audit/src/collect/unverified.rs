//! What could not be verified, and why.

use std::collections::BTreeSet;

use super::Ending;
use crate::report::{NotChecked, PLACES_MAX, ServiceWord};

/// What it depends on.
pub struct Known<'a> {
    pub ending: &'a Ending<'a>,
    pub hardware: bool,
    pub unnamed_first_key: bool,
    pub service_word: &'a ServiceWord,
}

pub fn list(known: &Known<'_>) -> Vec<NotChecked> {
    let Known { ending, hardware, unnamed_first_key, service_word } = known;
    let mut not = Vec::new();
    let mut add = |what: &str, why: &str| not.push(NotChecked::new(what, why));
    if !hardware {
        add(
            "where anything ran",
            "insecure-virtual evidence can be made by anybody; no hardware stands behind it",
        );
    }
    if !ending.pinned {
        add(
            "whose key sealed the log",
            "no expected service key was given; compare the key id above with one from elsewhere, \
             or verify again with it",
        );
    }
    add("the CCF mirror", "no CCF receipts in this bundle");
    let cosigned = match cosignatures(ending.note) {
        0 => "witness cosignatures: none".to_owned(),
        1 => "1 cosignature, by a key not known here".to_owned(),
        count => format!("{count} cosignatures, by keys not known here"),
    };
    add("whether others are shown another log (a split view)", &cosigned);
    add("whether the log went on after this checkpoint", "nothing in a bundle can tell");
    add("the times of the entries", "they are the service's clock; nobody else signs them");
    add("when it was exported", "nobody signs that time");
    let invitations = ending.state.invitations.values();
    if invitations.clone().any(|invitation| invitation.erased_at.is_none()) {
        add("e-mail addresses", "personal data is sealed under keys outside the log");
    }
    if let Some(why) = erased(invitations.filter_map(|invitation| invitation.erased_at)) {
        add("erased e-mail addresses", &why);
    }
    if service_word.witnessed_entries() > 0 {
        add("identity tokens", "the log holds their digests only");
    }
    if *unnamed_first_key {
        add(
            "whose a member's first key is, where no invitation names it",
            "it came with a token; ask the member for its key id",
        );
    }
    if !ending.state.runs.is_empty() {
        add(
            "job specs and result files",
            "the log holds their digests; compare result files with: chancery audit result",
        );
        add(
            "what an executor did with the data that it could read",
            "the log shows who was admitted, by which evidence, and what was attested of the \
             result",
        );
    }
    not
}

/// How many addresses were erased, and where; `None` for none.
fn erased(positions: impl Iterator<Item = u64>) -> Option<String> {
    let positions: BTreeSet<u64> = positions.collect();
    let count = positions.len();
    let first: Vec<_> = positions.iter().take(PLACES_MAX).map(ToString::to_string).collect();
    let at = if count == 1 { "at position" } else { "at positions" };
    let more = match count - first.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let first = first.join(", ");
    (count > 0).then(|| {
        format!(
            "{count} erased, {at} {first}{more}: not readable without a key that the service says \
             it destroyed; no proof rests on it"
        )
    })
}

/// Signature lines beside the service's own.
fn cosignatures(note: &str) -> usize {
    let lines = note.rsplit("\n\n").next().unwrap_or_default().lines().count();
    lines.saturating_sub(1)
}
