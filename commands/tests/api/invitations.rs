//! Invitations: whose they are, and that the log never shows for whom.

use chancery_governance::event::Event;
use chancery_governance::submission::email_commitment;
use chancery_ledger::id::InvitationId;
use serde_json::json;

use crate::support::person::Person;
use crate::support::room::{PROVIDER, Room, Stage};
use crate::support::{commands, tokens};

const CARLOS: &str = "carlos@contosso.example";
const TENANT: &str = "c2a9d0b4-3f1e-4c7b-8a65-9e0d41f3c002";

#[tokio::test]
async fn an_address_is_invited_once_at_a_time() {
    let room = Room::at(Stage::Keyed).await;
    let invitation = room.invites(CARLOS, None, PROVIDER).await;
    for again in [CARLOS, " Carlos@Contosso.EXAMPLE\n"] {
        let invite = commands::invite(room.next(), room.id, again, None, PROVIDER);
        room.litware.refused(&invite, 409, "duplicate_invitation").await;
    }
    room.litware.does(&commands::withdraw_invitation(room.next(), room.id, invitation)).await;
    let twice = commands::withdraw_invitation(room.next(), room.id, invitation);
    room.litware.refused(&twice, 409, "invitation_withdrawn").await;
    let second = room.invites(CARLOS, None, PROVIDER).await;
    room.contosso.does(&commands::accept(room.next(), room.id, second)).await;
    // A member's address stays taken.
    let invite = commands::invite(room.next(), room.id, CARLOS, None, PROVIDER);
    room.litware.refused(&invite, 409, "duplicate_invitation").await;
    let late = commands::withdraw_invitation(room.next(), room.id, second);
    room.litware.refused(&late, 409, "invitation_already_accepted").await;
    let nothing = InvitationId::new(room.next().uuid());
    let nothing = commands::withdraw_invitation(room.next(), room.id, nothing);
    room.litware.refused(&nothing, 404, "invitation_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn an_invitation_is_for_its_verified_address_and_tenant_only() {
    let room = Room::at(Stage::Keyed).await;
    let invitation = room.invites(CARLOS, Some(TENANT), PROVIDER).await;
    let accept = || commands::accept(room.next(), room.id, invitation);
    let mismatch = "invitation_email_mismatch";
    let claims = |email: serde_json::Value, verified: serde_json::Value, tenant: &str| {
        let mut claims = tokens::claims(&room.service, "somebody");
        claims["email"] = email;
        claims["email_verified"] = verified;
        claims["tid"] = tenant.into();
        Person::with_claims(&room.service, &claims)
    };
    room.fabrikam.refused(&accept(), 403, "invitation_tenant_mismatch").await;
    for (person, code) in [
        (claims(json!("other@contosso.example"), json!(true), TENANT), mismatch),
        (claims(json!(CARLOS), json!(false), TENANT), mismatch),
        (claims(json!(CARLOS), json!("true"), TENANT), mismatch),
        (claims(json!(CARLOS), json!(null), TENANT), mismatch),
        (claims(json!(null), json!(true), TENANT), mismatch),
        (claims(json!([CARLOS]), json!(true), TENANT), mismatch),
        (claims(json!(CARLOS), json!(true), "another-tenant"), "invitation_tenant_mismatch"),
    ] {
        person.refused(&accept(), 403, code).await;
    }
    let unverified = claims(json!(CARLOS), json!(false), TENANT);
    assert_eq!(unverified.reads("/v1/invitations").await.list("/invitations").len(), 0);
    let open = room.contosso.reads("/v1/invitations").await;
    assert_eq!(open.text("/invitations/0/invitation"), invitation.to_string());
    assert_eq!(open.text("/invitations/0/collaboration"), room.id.to_string());

    let mut other = accept();
    other.body = json!({"member": "me"});
    room.contosso.refused(&other, 422, "invalid_content").await;
    let first = room.contosso.does(&accept()).await;
    assert_eq!(first.kinds(), ["InvitationAccepted", "CollaboratorActivated"]);
    assert_eq!(room.contosso.reads("/v1/invitations").await.list("/invitations").len(), 0);
    room.contosso.refused(&accept(), 409, "invitation_already_accepted").await;
    room.fabrikam.refused(&accept(), 409, "invitation_already_accepted").await;
    // The owner is in already, whatever it is invited as.
    let own = room.invites("olivia@litware.example", None, PROVIDER).await;
    room.litware
        .refused(&commands::accept(room.next(), room.id, own), 409, "already_a_member")
        .await;
    room.finish().await;
}

#[tokio::test]
async fn a_withdrawn_invitation_lets_nobody_in() {
    let room = Room::at(Stage::Keyed).await;
    let invitation = room.invites(CARLOS, None, PROVIDER).await;
    room.litware.does(&commands::withdraw_invitation(room.next(), room.id, invitation)).await;
    let accept = commands::accept(room.next(), room.id, invitation);
    room.contosso.refused(&accept, 409, "invitation_withdrawn").await;
    assert_eq!(room.contosso.reads("/v1/invitations").await.list("/invitations").len(), 0);
    room.finish().await;
}

#[tokio::test]
async fn open_invitations_of_all_rooms_are_listed_but_not_an_erased_one() {
    let room = Room::at(Stage::Keyed).await;
    let other = Room::of(&room.service, Stage::Keyed, &[]).await;
    let mut expected = Vec::new();
    for it in [&room, &other] {
        expected.push((it.id.to_string(), it.invites(CARLOS, None, PROVIDER).await.to_string()));
    }
    expected.sort();
    let listed = || async {
        let answer = room.contosso.reads("/v1/invitations").await;
        let items = answer.list("/invitations").to_vec();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        items.iter().map(|it| (text(&it["collaboration"]), text(&it["invitation"]))).collect()
    };
    let found: Vec<(String, String)> = listed().await;
    assert_eq!(found, expected);
    let erased = other.invites("somebody@else.example", None, PROVIDER).await;
    other.litware.does(&commands::erase(other.next(), other.id, erased)).await;
    let (_, mine) = expected.iter().find(|(id, _)| *id == other.id.to_string()).unwrap();
    let mine = mine.parse().unwrap();
    other.litware.does(&commands::erase(other.next(), other.id, mine)).await;
    let found: Vec<(String, String)> = listed().await;
    expected.retain(|(id, _)| *id == room.id.to_string());
    assert_eq!(found, expected);
    room.finish().await;
}

#[tokio::test]
async fn an_invitation_is_whole_or_refused() {
    let room = Room::at(Stage::Created).await;
    let good = commands::invite(room.next(), room.id, CARLOS, None, PROVIDER);
    for name in ["organisation", "abilities", "email", "email_salt"] {
        let mut less = good.clone();
        less.body.as_object_mut().unwrap().remove(name);
        let answer = room.litware.refused(&less, 422, "invalid_content").await;
        assert!(answer.text("/detail").to_lowercase().contains(name), "{}", answer.json);
    }
    let mut cases = vec![
        ("extra", json!(1), "invalid_content"),
        // What the service computes can't be sent along.
        (
            "email_commitment",
            json!(email_commitment(&[7; 16], CARLOS).to_string()),
            "invalid_content",
        ),
        ("email_salt", json!("BwcHBwcHBwcHBwcHBwcH"), "invalid_content"),
        ("email_salt", json!("BwcHBwcHBwcHBwcHBwcHBw=="), "invalid_content"),
        ("email_salt", json!("B".repeat(88)), "invalid_content"),
        ("email", json!(7), "invalid_content"),
        ("tenant", json!(7), "invalid_content"),
        ("abilities", json!([]), "invalid_abilities"),
        ("abilities", json!(["auditor", "auditor"]), "invalid_abilities"),
        ("abilities", json!(["owner"]), "invalid_abilities"),
        ("abilities", json!(["king"]), "invalid_content"),
        ("organisation", json!(" "), "invalid_name"),
    ];
    for email in ["", "carlos", "@contosso.example", "carlos@", "a b@c", "a@b@c"] {
        cases.push(("email", json!(email), "invalid_email"));
    }
    for (name, value, code) in cases {
        let mut other = good.clone();
        other.body[name] = value;
        room.litware.refused(&other, 422, code).await;
    }
    room.litware.does(&good).await;
    // Another address under the same id is another command.
    let mut other = good.clone();
    other.body["email"] = json!("fatima@fabrikam.example");
    room.litware.refused(&other, 409, "command_id_reused").await;
    assert_eq!(room.litware.does(&good).await.json["replayed"], true);
    room.finish().await;
}

#[tokio::test]
async fn no_address_is_stored_in_clear() {
    let room = Room::at(Stage::Joined).await;
    let typed = "Dora.Demo+x@Example.ORG";
    room.invites(typed, None, PROVIDER).await;
    let refused = commands::invite(room.next(), room.id, typed, None, PROVIDER);
    room.litware.refused(&refused, 409, "duplicate_invitation").await;
    room.litware.reads(&room.path("/invitations")).await;
    room.finish().await;

    let mut invited = 0;
    for event in room.service.events(room.id).await {
        if let Event::CollaboratorInvited(event) = event {
            invited += 1;
            assert!(event.email.ciphertext.len() > 40);
            let commitments = [CARLOS, "fatima@fabrikam.example", typed]
                .map(|email| email_commitment(&[7; 16], email));
            assert!(commitments.contains(&event.email.commitment));
        }
    }
    assert_eq!(invited, 3);
    let files = room.service.files();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap().to_ascii_lowercase();
        for clear in [CARLOS, "fatima@fabrikam.example", &typed.to_lowercase(), "@litware.example"]
        {
            let found = bytes.windows(clear.len()).any(|window| window == clear.as_bytes());
            assert!(!found, "{clear} stands in {}", file.display());
        }
    }
}
