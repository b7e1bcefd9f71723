//! What could not be verified, and why.

use std::collections::BTreeSet;

use super::Ending;
use crate::report::{NotChecked, PLACES_MAX, ServiceWord};
use crate::standing::{Mirrored, Witnessed};

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
    for (what, why) in unmirrored(ending.mirrored, Some(ending.checkpoint.size)) {
        add(&what, &why);
    }
    split_view(&mut add, ending);
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

/// What no receipt of a mirror shows. `size`: of the log, where all of it is there.
pub fn unmirrored(mirrored: Option<&Mirrored>, size: Option<u64>) -> Vec<(String, String)> {
    let said = |what: &str, why: &str| (what.to_owned(), why.to_owned());
    let Some(mirrored) = mirrored else {
        return vec![said("the CCF mirror", "no CCF receipts in this bundle")];
    };
    let mut not = Vec::new();
    if size.is_some_and(|size| mirrored.size < size) {
        let what =
            format!("whether the mirror has what follows from position {} on", mirrored.size);
        not.push((what, "there was no receipt for it yet".to_owned()));
    }
    if mirrored.is_insecure_virtual() {
        not.push(said(
            "the mirror",
            "insecure-virtual: a stand-in in the service itself; anybody can make such receipts",
        ));
    }
    if !mirrored.is_expected() {
        not.push(said(
            "whose ledger the receipts are of",
            "not pinned: no certificate of the mirror's service was given; compare the one above \
             with one from its consortium, or verify again with --ccf-service-certificate",
        ));
    }
    not.push(said(
        "whether the mirror's own ledger was forked or lost its end",
        "a receipt can't tell; audit its files: chancery audit ccf-ledger",
    ));
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

/// What no witness that the auditor named vouches for.
fn split_view(add: &mut impl FnMut(&str, &str), ending: &Ending<'_>) {
    let size = ending.checkpoint.size;
    match ending.witnessed {
        Some(witnessed) if witnessed.size >= size => {}
        Some(Witnessed { size: seen, .. }) => add(
            &format!("whether others are shown another log from position {seen} on (a split view)"),
            "the named witnesses saw the entries before it only",
        ),
        None => {
            let why = match ending.cosignatures {
                0 => "no witness cosigned it".to_owned(),
                1 => "1 cosignature, by nobody whom the auditor named as a witness".to_owned(),
                count => {
                    format!("{count} cosignatures, by nobody whom the auditor named as a witness")
                }
            };
            add("whether others are shown another log (a split view)", &why);
        }
    }
}
