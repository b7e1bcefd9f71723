use chancery_governance::log::seal;
use chancery_governance::reason::Code;
use chancery_governance::run::Evidence;
use chancery_governance::state::State;
use chancery_governance::submission::{Facts, Service, Submission, handle};
use chancery_ledger::entry::{Authority, SignedContent, Witness};

use super::*;

const NOW_MS: u64 = 1_800_000_000_000;

fn witnessed(action: &str, body: &str) -> Authority {
    Authority::ServiceWitnessed(Witness {
        token: Digest::of(b"token"),
        issuer: "https://issuer.example".into(),
        tenant: None,
        subject: "olivia".into(),
        key_id: "k".into(),
        action: action.into(),
        expected_version: None,
        content: codec::encode(&content::parse(body.as_bytes()).unwrap()),
    })
}

fn service_key() -> SigningKey {
    SigningKey::from_seed(&[9; 32]).unwrap()
}

fn submission(
    collaboration: CollaborationId,
    command: u128,
    subject: Subject,
    authority: &Authority,
) -> Submission<'_> {
    Submission {
        collaboration,
        subject,
        command: CommandId::new(uuid::Uuid::from_u128(command)),
        authority,
        verified: None,
        now_ms: NOW_MS,
        facts: Facts {
            service: Some(Service {
                name: "ledger.example".into(),
                key: service_key().public().clone(),
                evidence: Evidence { kind: "insecure-virtual".into(), document: String::new() },
            }),
            ..Facts::default()
        },
    }
}

/// A collaboration whose owner has registered `key`, in the way that the client does it.
fn collaboration(id: CollaborationId, key: &SigningKey) -> State {
    let owner = chancery_governance::subject::owner_of(id);
    let mut state = State::default();
    let audience = service_key().public().id();
    let registration = crate::verbs::member_key::registration(audience, id, owner, key);
    let bodies = [
        (
            Subject::Collaboration(id),
            "collaboration.create",
            r#"{"name":"n","organisation":"Litware","terms":{"member_signed":["votes"],"insecure_virtual":true}}"#
                .to_owned(),
        ),
        (Subject::Member(owner), "member.register-key", registration.to_string()),
    ];
    for (number, (subject, action, body)) in bodies.into_iter().enumerate() {
        let authority = witnessed(action, &body);
        let command = if number == 0 { id.uuid().as_u128() } else { 77 };
        let submission = submission(id, command, subject, &authority);
        let decision = handle(&state, &submission).unwrap();
        state = seal(state, decision, &submission, &service_key()).unwrap().1;
    }
    state
}

fn signed(id: CollaborationId, key: &SigningKey, expected_version: Option<u64>) -> Authority {
    let body = br#"{ "workload": "spark-sql" }"#;
    let envelope = Envelope {
        audience: service_key().public().id(),
        collaboration: id,
        action: "collaboration.enable-workload",
        subject: Subject::Collaboration(id),
        expected_version,
        command: CommandId::new(uuid::Uuid::from_u128(78)),
        now_ms: NOW_MS,
    };
    let message = URL_SAFE_NO_PAD.decode(header(&envelope, body, key).unwrap()).unwrap();
    let content = codec::encode(&content::parse(body).unwrap());
    Authority::MemberSigned(SignedContent { message, content })
}

#[test]
fn the_rules_accept_what_the_client_signs() {
    let id = CollaborationId::new(uuid::Uuid::from_u128(1));
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let state = collaboration(id, &key);
    let authority = signed(id, &key, None);
    let decision = handle(&state, &submission(id, 78, Subject::Collaboration(id), &authority));
    assert_eq!(decision.unwrap().events.len(), 1);
}

#[test]
fn the_rules_refuse_another_key_command_or_version() {
    let id = CollaborationId::new(uuid::Uuid::from_u128(1));
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let state = collaboration(id, &key);
    let code = |authority: &Authority, command| {
        let submission = submission(id, command, Subject::Collaboration(id), authority);
        handle(&state, &submission).unwrap_err().first.code
    };
    let other = SigningKey::from_seed(&[4; 32]).unwrap();
    assert_eq!(code(&signed(id, &other, None), 78), Code::KeyUnknown);
    assert_eq!(code(&signed(id, &key, None), 79), Code::SignatureCommand);
    assert_eq!(code(&signed(id, &key, Some(99)), 78), Code::StaleVersion);
}

#[test]
fn a_body_without_a_canonical_form_is_refused_before_it_is_signed() {
    assert_eq!(content_digest(br#"{"a":1.5}"#).unwrap_err().code(), "json_not_canonical");
    assert_eq!(
        content_digest(br#"{"a":1,"b":2}"#).unwrap(),
        content_digest(br#"{"b":2,"a":1}"#).unwrap()
    );
}
