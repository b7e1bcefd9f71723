//! Bundles of parts, and what a bundle carries beside the entries.

use chancery_audit::partial::Scope;
use chancery_audit::{Options, Report, Verdict};
use chancery_commands::export::{Export, ExportError, Wanted};
use chancery_ledger::key::SigningKey;
use chancery_ledger::note::{Note, Policy, Witness, cosign};

use crate::support::answer::Answer;
use crate::support::executor::Executor;
use crate::support::room::{Room, Stage};
use crate::support::{START_MS, key};

async fn asked(room: &Room, part: &str) -> Answer {
    room.service.send(room.contosso.get(&room.path(&format!("/bundle{part}")))).await
}

fn verified(answer: &Answer, options: &Options) -> Report {
    assert_eq!(answer.status, 200);
    let report = chancery_audit::verify(&answer.bytes[..], options);
    assert_eq!(report.verdict, Verdict::Verified);
    report
}

#[tokio::test]
async fn parts_verify_without_the_service() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    executor.starts(&room).await;
    let result = Executor::result(&room).await;
    executor.does(&executor.succeed(&room, &result)).await;
    let options =
        Options { service_key: Some(room.service.key.public().id()), ..Options::default() };
    for (part, scope) in [
        (format!("?query={}", room.query), Scope::Query(room.query)),
        (format!("?run={}", room.run), Scope::Run(room.run)),
        (format!("?member={}", room.fabrikam_id), Scope::Member(room.fabrikam_id)),
    ] {
        let answer = asked(&room, &part).await;
        let disposition = answer.header("content-disposition");
        assert!(disposition.contains(&scope.to_string().replace('/', "-")), "{disposition}");
        let report = verified(&answer, &options);
        let partial = report.partial.unwrap();
        assert_eq!((partial.scope, partial.collaboration), (scope, room.id));
        assert!(report.contents.is_none());
        // All of this room came to be for its one query.
        let rests = matches!(scope, Scope::Query(_) | Scope::Run(_));
        assert!(rests || partial.left_out() > 0, "{scope}");
        let last = partial.entries.last().unwrap();
        let ended = matches!(scope, Scope::Member(_)) || last.kind == "RunSucceeded";
        assert!(ended, "{scope}: {}", last.kind);
    }
    room.finish().await;
}

#[tokio::test]
async fn a_part_of_nothing_is_not_found_and_two_parts_are_unclear() {
    let room = Room::at(Stage::Drafted).await;
    let (query, strange) = (room.query, room.service.id());
    for (part, status, code) in [
        (format!("?query={strange}"), 404, "query_not_found"),
        (format!("?run={query}"), 404, "run_not_found"),
        (format!("?member={query}"), 404, "member_not_found"),
        ("?query=delays".to_owned(), 404, "not_found"),
        (format!("?query={query}&member={query}"), 400, "bundle_part_unclear"),
        (format!("?query={query}&query={query}"), 400, "query_malformed"),
        (format!("?dataset={query}"), 400, "query_malformed"),
    ] {
        asked(&room, &part).await.assert_problem(status, code);
    }
    room.finish().await;
}

#[tokio::test]
async fn the_newest_cosigned_note_is_in_every_bundle() {
    let room = Room::at(Stage::Proposed).await;
    let head = room.service.store.head(room.id).await.unwrap().unwrap();
    let witness: SigningKey = key(77);
    let text = Note::parse(&head.checkpoint).unwrap().text().to_owned();
    let note =
        format!("{}{}", head.checkpoint, cosign(&text, "witness.test", &witness, START_MS / 1_000));
    room.service.store.put_cosigned(room.id, head.size, &note).await.unwrap();
    // The log goes on after what the witness saw.
    room.accept().await;
    let named = Witness::new("witness.test", witness.public().clone()).unwrap();
    let policy = Policy::new(vec![named], 1).unwrap();
    let options = Options { witnesses: Some(policy), ..Options::default() };
    for part in [String::new(), format!("?query={}", room.query)] {
        let report = verified(&asked(&room, &part).await, &options);
        let witnessed = report.standing.unwrap().witnessed.unwrap();
        assert_eq!((witnessed.size, witnessed.cosigned.len()), (head.size, 1), "{part}");
    }
    room.finish().await;
}

#[tokio::test]
async fn a_part_is_chosen_of_a_log_that_is_no_longer_than_allowed() {
    let room = Room::at(Stage::Drafted).await;
    let store = &room.service.store;
    let size = store.head(room.id).await.unwrap().unwrap().size;
    let wanted = |chosen_of_max, scope| Wanted {
        collaboration: room.id,
        scope,
        chosen_of_max,
        exported_at_ms: START_MS,
    };
    let scope = Some(Scope::Query(room.query));
    assert!(Export::begin(store, &wanted(size, scope)).await.is_ok());
    let refused = Export::begin(store, &wanted(size - 1, scope)).await.err().unwrap();
    assert!(matches!(refused, ExportError::TooLong { max, .. } if max == size - 1), "{refused}");
    assert!(Export::begin(store, &wanted(0, None)).await.is_ok(), "the whole has no such bound");
    room.finish().await;
}
