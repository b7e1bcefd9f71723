//! The service goes over to another key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_governance::event::Event;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority};
use chancery_ledger::receipt;

use crate::support::commands;
use crate::support::fixtures;
use crate::support::room::{Room, Stage};

#[tokio::test]
async fn every_log_moves_to_the_newest_key_once_and_old_receipts_still_verify() {
    let room = Room::at(Stage::Joined).await;
    let other = Room::of(&room.service, Stage::Keyed, &[]).await;
    let old_key = room.service.key.public().clone();
    let publish = commands::publish(room.next(), room.id, fixtures::campaigns());
    let before = room.contosso.does(&publish).await;
    room.service.stop();

    let moved = room.service.with_keys(&[201, 200]).await;
    // Until it is moved, the key before still seals: a log never waits for the rotation.
    let litware = room.litware.at(&moved);
    assert_eq!(moved.app.writers.rotate_all(&moved.app).await.unwrap(), 2);
    assert_eq!(moved.app.writers.rotate_all(&moved.app).await.unwrap(), 0);

    let entries = moved.entries(room.id).await;
    let last = entries.last().unwrap();
    assert!(matches!(moved.events(room.id).await.last(), Some(Event::ServiceKeyRotated(_))));
    assert_eq!(last.key_id(), old_key.id());
    assert_eq!(last.entry().actor, Actor::Service(moved.key.public().id()));
    assert!(matches!(last.entry().authority, Authority::ServiceSigned(_)));

    // A signature that was meant for the key before is no good any more; one for the new key is.
    let draft = commands::consent(room.next(), room.id, room.subject(), "withdraw");
    let stale = room.litware.call(&draft);
    moved.refuses(stale, 403, "signature_other_audience").await;
    let after = litware.does(&draft).await;
    assert_eq!(moved.entries(room.id).await.last().unwrap().key_id(), moved.key.public().id());

    for (answer, key) in [(&before, &old_key), (&after, moved.key.public())] {
        let bytes = URL_SAFE_NO_PAD.decode(answer.text("/receipt")).unwrap();
        receipt::verify_inclusion(&bytes, &answer.parsed::<Digest>("/digest"), key).unwrap();
    }
    assert_eq!(moved.state(other.id).await.service_keys.len(), 2);
    moved.finish().await;
}

#[tokio::test]
async fn a_service_without_the_key_that_seals_a_log_stops_writing_to_it() {
    let room = Room::at(Stage::Keyed).await;
    room.service.stop();
    let foreign = room.service.with_keys(&[202]).await;
    let size = foreign.sizes().await[&room.id];
    let litware = room.litware.at(&foreign);
    let consent = commands::consent(room.next(), room.id, room.subject(), "withdraw");
    litware.tries(&consent).await.assert_problem(500, "corrupt");
    assert_eq!(foreign.sizes().await[&room.id], size);
    foreign.stop();
}
