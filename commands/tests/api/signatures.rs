//! What a signature is good for: one command, once, here, now.

use std::sync::Arc;

use chancery_governance::subject::Subject;
use chancery_ledger::command::{LIFETIME_MS_MAX, SignedCommand};
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, QueryId};
use chancery_ledger::key::SigningKey;

use crate::support::commands;
use crate::support::person::LIFETIME_MS;
use crate::support::room::{Room, Stage};
use crate::support::{Service, fixtures, key};

type Change<'a> = &'a dyn Fn(&mut SignedCommand);

#[tokio::test]
async fn a_signature_over_anything_else_is_refused() {
    let room = Room::at(Stage::Proposed).await;
    let approve = commands::approve(room.next(), room.id, room.query, &room.digest);
    let now_ms = room.service.now_ms();
    let key = room.litware.key.clone().unwrap();
    let changes: [(Change<'_>, &str); 9] = [
        (
            &|it| it.collaboration = CollaborationId::new(room.next().uuid()),
            "signature_other_collaboration",
        ),
        (&|it| it.audience = Digest::of(b"another service"), "signature_other_audience"),
        (&|it| it.action = "query.reject".into(), "signature_other_subject"),
        (
            &|it| {
                it.subject = Subject::Query(QueryId::new(room.next().uuid())).to_string();
            },
            "signature_other_subject",
        ),
        (&|it| it.subject = String::new(), "signature_other_subject"),
        (&|it| it.content = Digest::of(b"another content"), "signature_other_content"),
        (&|it| it.command = room.next(), "signature_other_command"),
        (&|it| it.expires_ms = now_ms - 1, "signature_expired"),
        (&|it| it.expires_ms = now_ms + LIFETIME_MS_MAX + 1, "signature_lifetime_too_long"),
    ];
    for (change, code) in changes {
        let mut signed = room.litware.to_sign(&approve);
        change(&mut signed);
        let call = room.litware.signed_with(&approve, &signed, ContentType::Command, &key);
        room.service.refuses(call, 403, code).await;
    }
    let mut several = room.litware.to_sign(&approve);
    (several.command, several.expires_ms) = (room.next(), now_ms - 1);
    let call = room.litware.signed_with(&approve, &several, ContentType::Command, &key);
    let answer = room.service.refuses(call, 403, "signature_other_command").await;
    assert_eq!(answer.reasons(), ["signature_other_command", "signature_expired"]);
    // The edges hold.
    let mut longest = room.litware.to_sign(&approve);
    longest.expires_ms = now_ms + LIFETIME_MS_MAX;
    let call = room.litware.signed_with(&approve, &longest, ContentType::Command, &key);
    room.service.send(call).await.ok();
    room.finish().await;
}

#[tokio::test]
async fn a_signature_by_any_other_key_is_refused() {
    let mut room = Room::at(Stage::Proposed).await;
    let approve = commands::approve(room.next(), room.id, room.query, &room.digest);
    let signed = room.litware.to_sign(&approve);
    let by =
        |key: &SigningKey| room.litware.signed_with(&approve, &signed, ContentType::Command, key);
    room.service.refuses(by(&key(99)), 403, "key_unknown").await;
    room.service.refuses(by(&room.service.key), 403, "key_unknown").await;
    // Fabrikam's key with Litware's token, and the other way round.
    let fabrikam = room.fabrikam.key.clone().unwrap();
    room.service.refuses(by(&fabrikam), 403, "signature_other_member").await;
    let stolen = room.fabrikam.signed_with(
        &approve,
        &signed,
        ContentType::Command,
        &room.litware.key.clone().unwrap(),
    );
    room.service.refuses(stolen, 403, "signature_other_member").await;
    let report = room.litware.signed_with(&approve, &signed, ContentType::ExecutorReport, &key(1));
    room.service.refuses(report, 400, "signature_malformed").await;
    let entry = room.litware.signed_with(&approve, &signed, ContentType::Entry, &key(1));
    room.service.refuses(entry, 400, "signature_malformed").await;

    // A second key, and the first one gone.
    let first = room.litware.key.clone().unwrap();
    let member = room.litware_id();
    room.litware.takes_key(room.id, member, key(11)).await.kinds();
    let revoke = commands::revoke_key(room.next(), room.id, member, first.public().id());
    room.litware.does(&revoke).await;
    let call = room.litware.signed_with(&approve, &signed, ContentType::Command, &first);
    room.service.refuses(call, 403, "key_revoked").await;
    let again = commands::revoke_key(room.next(), room.id, member, first.public().id());
    room.litware.refused(&again, 409, "key_already_revoked").await;
    let last = commands::revoke_key(room.next(), room.id, member, key(11).public().id());
    room.litware.refused(&last, 409, "last_key").await;
    room.litware.does(&approve).await;
    room.finish().await;
}

#[tokio::test]
async fn a_signature_of_another_form_is_refused() {
    let room = Room::at(Stage::Proposed).await;
    let approve = commands::approve(room.next(), room.id, room.query, &room.digest);
    let call = room.litware.call(&approve);
    let good = call.headers["chancery-signature"].to_str().unwrap().to_owned();
    for bad in [
        String::new(),
        "!".into(),
        format!("{good}="),
        format!("{good}AAAA"),
        good[..good.len() - 4].to_owned(),
        "A".repeat(9 * 1024),
    ] {
        let call = call.clone().header("chancery-signature", bad);
        room.service.refuses(call, 400, "signature_malformed").await;
    }
    let twice = call.clone().also("chancery-signature", &good);
    room.service.refuses(twice, 400, "header_malformed").await;
    // One bit of the signature itself.
    let mut bytes = good.into_bytes();
    let last = bytes.len() - 10;
    bytes[last] = if bytes[last] == b'A' { b'B' } else { b'A' };
    let flipped = call.header("chancery-signature", bytes);
    room.service.refuses(flipped, 403, "signature_invalid").await;
    room.finish().await;
}

#[tokio::test]
async fn a_signed_command_that_is_sent_again_does_nothing_again() {
    let room = Room::at(Stage::Proposed).await;
    let approve = commands::approve(room.next(), room.id, room.query, &room.digest);
    let call = room.litware.call(&approve);
    let first = room.service.send(call.clone()).await.ok();
    let before = room.service.sizes().await;
    let again = room.service.send(call.clone()).await.ok();
    assert_eq!(again.json["replayed"], true);
    assert_eq!(again.number("/position"), first.number("/position"));
    assert_eq!(room.service.sizes().await, before);
    let renamed = call.header("idempotency-key", room.next().to_string());
    room.service.refuses(renamed, 403, "signature_other_command").await;
    // After its end, the first outcome is still told, and nothing else.
    room.service.advance(LIFETIME_MS + 1);
    assert_eq!(room.litware.does(&approve).await.json["replayed"], true);
    room.finish().await;
}

#[tokio::test]
async fn a_signature_is_good_in_one_collaboration_only() {
    let service = Service::start().await;
    let one = Room::of(&service, Stage::Keyed, &[]).await;
    let mut other = Room::of(&service, Stage::Created, &[]).await;
    other.litware.takes_key(other.id, other.litware_id(), key(1)).await;
    let policy = commands::set_policy(one.next(), one.id, &[fixtures::application()]);
    let call = one.litware.call(&policy);
    let mut there = call.clone();
    there.path = other.path("/clean-room-policy");
    let answer = service.refuses(there, 403, "signature_other_collaboration").await;
    assert_eq!(answer.reasons(), ["signature_other_collaboration", "signature_other_subject"]);
    service.send(call).await.ok();
    service.finish().await;
}

#[tokio::test]
async fn whoever_has_a_key_must_sign() {
    let room = Room::at(Stage::Proposed).await;
    let approve = commands::approve(room.next(), room.id, room.query, &room.digest);
    let witnessed = room.litware.witnessed(&approve);
    room.service.refuses(witnessed, 403, "member_signature_required").await;
    room.contosso.does(&approve).await;
    room.finish().await;
}

#[tokio::test]
async fn terms_can_demand_signatures_of_those_without_a_key() {
    let mut room = Room::on_terms(Stage::Proposed, &["votes", "consents", "runs"]).await;
    let vote = |verb: fn(_, _, _, &str) -> commands::Command| {
        verb(room.next(), room.id, room.query, &room.digest)
    };
    for command in [
        vote(commands::approve),
        vote(commands::reject),
        commands::consent(room.next(), room.id, Subject::Dataset(room.campaigns), "withdraw"),
        commands::consent(room.next(), room.id, Subject::Dataset(room.campaigns), "restore"),
        commands::cancel_run(room.next(), room.id, room.run),
    ] {
        room.contosso.refused(&command, 403, "member_signature_required").await;
    }
    // What the terms do not name stays witnessed.
    let moved = fixtures::moved(fixtures::campaigns());
    let other = commands::publish(room.next(), room.id, moved);
    room.contosso.refused(&other, 409, "dataset_name_taken").await;
    room.contosso.takes_key(room.id, room.contosso_id, key(2)).await;
    room.accept().await;
    room.finish().await;
}

#[tokio::test]
async fn a_key_is_registered_by_who_holds_it() {
    let mut room = Room::at(Stage::Joined).await;
    let (id, member) = (room.id, room.contosso_id);
    let good = room.contosso.registration(id, member, &key(2));
    let mut foreign = good.clone();
    foreign.body["key"] = key(5).public().to_string().into();
    room.contosso.refused(&foreign, 422, "key_proof_invalid").await;
    let mut garbled = good.clone();
    garbled.body["proof"] = "AAAA".into();
    room.contosso.refused(&garbled, 422, "key_proof_invalid").await;
    let mut form = good.clone();
    form.body["key"] = "RS256:AAAA".into();
    room.contosso.refused(&form, 422, "invalid_content").await;
    // A proof for another collaboration or member is none.
    let elsewhere = CollaborationId::new(room.next().uuid());
    for made in [
        room.contosso.registration(elsewhere, member, &key(2)),
        room.contosso.registration(id, room.fabrikam_id, &key(2)),
    ] {
        let mut replayed = good.clone();
        replayed.body["proof"] = made.body["proof"].clone();
        room.contosso.refused(&replayed, 422, "key_proof_invalid").await;
    }
    let taken = room.contosso.registration(id, member, &key(3));
    room.contosso.refused(&taken, 409, "key_already_registered").await;
    let services = room.contosso.registration(id, member, &key(200));
    room.contosso.refused(&services, 422, "invalid_key").await;
    room.contosso.does(&good).await;
    room.contosso.key = Some(Arc::new(key(2)));
    // Once there is a key, the next one takes its signature.
    let next = room.contosso.registration(id, member, &key(12));
    let unsigned = room.contosso.witnessed(&next);
    room.service.refuses(unsigned, 403, "member_signature_required").await;
    room.contosso.does(&next).await;
    room.finish().await;
}
