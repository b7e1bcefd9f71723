//! Events, commands, subjects, evidence.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_governance::event::Event;
use chancery_governance::reason::Code;
use chancery_governance::run::Evidence;
use chancery_governance::subject::Subject;
use chancery_governance::submission::{carried, key_of};
use chancery_governance::wire::v1;
use chancery_ledger::codec;
use chancery_ledger::entry::Sealed;

/// How deep a change may go.
const DESCENT_MAX: u32 = 24;

fn entries() -> Vec<Sealed> {
    let entries = corpus::vectors("v1", "entry-").into_iter();
    entries.map(|bytes| Sealed::parse(bytes).unwrap()).collect()
}

#[test]
fn an_event_has_one_encoding() {
    let seeds: Vec<_> = entries().into_iter().map(|sealed| sealed.entry().clone()).collect();
    let kinds: std::collections::BTreeSet<_> = seeds.iter().map(|entry| &entry.kind).collect();
    assert!(kinds.iter().all(|kind| Event::area_of(kind).is_some()));
    assert_eq!(kinds.len(), Event::KINDS.len(), "a vector of every kind");
    fuzz(|u| {
        let seed = u.choose(&seeds)?;
        let mut payload = seed.payload.clone();
        for _ in 0..u.int_in_range(0..=3_u8)? {
            mutate::change_value(u, &mut payload, DESCENT_MAX)?;
        }
        let kind = if u.ratio(1, 8)? { &u.choose(&seeds)?.kind } else { &seed.kind };
        if let Ok(event) = v1::decode_event(kind, &payload) {
            assert_eq!(v1::encode_event(&event), payload);
            let _ = event.without_prose();
        }
        Ok(())
    });
}

#[test]
fn a_command_has_one_encoding() {
    let seeds: Vec<_> = corpus::named("v1", "content-").into_iter().collect();
    fuzz(|u| {
        let (action, content) = u.choose(&seeds)?;
        let mut content = codec::decode(content).unwrap();
        for _ in 0..u.int_in_range(0..=3_u8)? {
            mutate::change_value(u, &mut content, DESCENT_MAX)?;
        }
        let action = if u.ratio(1, 8)? { &u.choose(&seeds)?.0 } else { action };
        if let Ok(command) = v1::decode_command(action, &content) {
            assert_eq!(command.action(), action);
            // A null that is left out is the same command: what it is encoded to decodes to it.
            let encoded = v1::encode_command(&command);
            assert_eq!(v1::decode_command(action, &encoded).unwrap(), command);
        }
        Ok(())
    });
}

#[test]
fn what_an_entry_carries_is_read_or_refused() {
    let seeds: Vec<_> = entries().into_iter().map(Sealed::into_bytes).collect();
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        let Ok(sealed) = Sealed::parse(bytes) else { return Ok(()) };
        let _ = key_of(sealed.entry());
        if let Ok(carried) = carried(&sealed.entry().authority) {
            let encoded = v1::encode_command(&carried.command);
            assert_eq!(
                v1::decode_command(carried.command.action(), &encoded).unwrap(),
                carried.command
            );
        }
        Ok(())
    });
}

#[test]
fn subjects_and_codes_have_one_written_form() {
    let id = "01941f29-7c00-700c-8000-000000000001";
    let seeds = ["collaboration", "invitation", "member", "dataset", "query", "run"]
        .map(|kind| format!("{kind}/{id}"));
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &["/", "-", "{", "}", "query", "A", "no_consent"])?;
        if let Ok(subject) = text.parse::<Subject>() {
            assert_eq!(subject.to_string(), text);
        }
        if let Some(code) = Code::from_text(&text) {
            assert_eq!(code.as_str(), text);
        }
        Ok(())
    });
}

#[test]
fn evidence_has_one_encoding() {
    use chancery_attestation::insecure_virtual;
    use chancery_ledger::digest::Digest;
    let seed = insecure_virtual::evidence(Digest::of(b"code"), Digest::of(b"data"));
    let seeds = [seed.document];
    fuzz(|u| {
        let document = mutate::text(u, &seeds, &["=", "-", "_", "+", "AAAA"])?;
        let kind = u.choose(&["insecure-virtual", "sev-snp", ""])?;
        let evidence = Evidence { kind: (*kind).to_owned(), document };
        if let Ok(verdict) = chancery_attestation::verify(&evidence) {
            let again = insecure_virtual::evidence(verdict.measurement, verdict.report_data);
            assert_eq!(again, evidence);
        }
        Ok(())
    });
}
