//! Erasing a person.

use chancery_governance::event::Event;
use chancery_governance::subject::Subject;

use crate::support::commands;
use crate::support::room::{PROVIDER, Room, Stage};

#[tokio::test]
async fn an_erased_address_is_gone_from_every_file_and_every_proof_still_verifies() {
    let room = Room::at(Stage::Keyed).await;
    let address = "carlos@contosso.example";
    let invitation = room.invites(address, None, PROVIDER).await;
    room.contosso.does(&commands::accept(room.next(), room.id, invitation)).await;
    let subject = Subject::Invitation(invitation).to_string();
    let key = room.service.store.personal_key(room.id, &subject).await.unwrap().unwrap();

    let erase = commands::erase(room.next(), room.id, invitation);
    let erased = room.contosso.does(&erase).await;
    assert_eq!(erased.kinds(), ["SubjectErased"]);
    assert_eq!(room.service.store.personal_key(room.id, &subject).await.unwrap(), None);
    for file in room.service.files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(key.len()).any(|it| it == key), "{} holds the key", file.display());
    }
    assert!(matches!(room.service.events(room.id).await.last(), Some(Event::SubjectErased(_))));
    // A repeat is told its first outcome, another attempt that it is done.
    assert_eq!(room.contosso.does(&erase).await.json["replayed"], true);
    let again = commands::erase(room.next(), room.id, invitation);
    room.litware.refused(&again, 409, "personal_erased").await;
    room.finish().await;
}

#[tokio::test]
async fn nobody_else_erases_an_address() {
    let room = Room::at(Stage::Joined).await;
    let invitation = room.invites("somebody@else.example", None, PROVIDER).await;
    let erase = commands::erase(room.next(), room.id, invitation);
    room.contosso.refused(&erase, 403, "not_the_invited").await;
    let unknown = commands::erase(room.next(), room.id, commands::no_invitation());
    room.litware.refused(&unknown, 404, "invitation_not_found").await;
    room.finish().await;
}
