//! Secrets and tokens: given to an attested executor after everything was checked again, each
//! refusal an event. The tests are named after what other systems leave open.

use chancery_governance::clean_room::Demands;
use chancery_governance::command::{
    CancelRun, CloseCollaboration, PauseCollaboration, PublishDataset, RetireDataset,
    SetCleanRoomPolicy, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::decide::secret::standing;
use chancery_governance::event::{Event, SecretReleased, TokenMinted};
use chancery_governance::member::Ability;
use chancery_governance::reason::Code;
use chancery_governance::run::Platform;
use chancery_governance::secret::{
    AUDIENCE_LEN_MAX, SECRET_REQUESTS_MAX, SERVICE_ATTESTATIONS_MAX, TOKEN_LIFETIME_MS_MAX,
    TOKEN_LIFETIME_MS_MIN,
};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    admit, application, campaigns_id, campaigns_s, moved, orders, orders_id, orders_s, report_id,
    report_s, room, run_id, run_s, submit, succeed,
};
use crate::support::people::Who;
use crate::support::secrets::{
    AUDIENCE, Ask, ISSUER, LIFE_MS, attest_with, sealing_key, store, store_for, token_key,
};
use crate::support::{Tried, World, codes, key, kinds};

fn released(tried: &Tried) -> SecretReleased {
    match tried.as_deref() {
        Ok([(_, Event::SecretReleased(released)), (_, Event::AttestationRecorded(_))]) => {
            released.clone()
        }
        other => panic!("no release: {other:?}"),
    }
}

fn minted(tried: &Tried) -> TokenMinted {
    match tried.as_deref() {
        Ok([(_, Event::TokenMinted(minted)), (_, Event::AttestationRecorded(_))]) => minted.clone(),
        other => panic!("no token: {other:?}"),
    }
}

/// The codes of a refusal, which is an event about the run.
fn refused(tried: &Tried) -> Vec<Code> {
    match tried.as_deref() {
        Ok([(subject, Event::SecretRefused(_) | Event::TokenRefused(_))]) => {
            assert_eq!(*subject, run_s());
            codes(tried)
        }
        other => panic!("no refusal: {other:?}"),
    }
}

/// Asks for both; both must be refused for this reason first.
fn gets_nothing(mut world: World, first: Code) {
    assert_eq!(refused(&world.asks_secret()).first(), Some(&first), "secret");
    assert_eq!(refused(&world.asks_token()).first(), Some(&first), "token");
    world.check_replay();
}

#[test]
fn a_secret_is_stored_released_and_attested() {
    let mut world = World::entitled();
    let stored = world.room().datasets[&orders_id()].secret.unwrap();
    assert_eq!(stored.ciphertext, Digest::of(b"ciphertext"));
    let released = released(&world.asks_secret());
    assert_eq!(released.ciphertext, stored.ciphertext);
    assert_eq!(released.recipient, sealing_key(40));
    assert_eq!(released.dataset.dataset, orders_id());
    let given = &world.room().runs[&run_id()].secrets.as_ref().unwrap().given;
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].executor, key(201).public().id());
    let at = usize::try_from(given[0].position).unwrap();
    assert_eq!(given[0].leaf, world.log[at].leaf());
    assert_eq!(world.log[at].entry().actor, Actor::Executor(key(201).public().id()));
    let Event::AttestationRecorded(attested) = &world.events()[at + 1].1 else { panic!() };
    assert_eq!(attested.kind, "insecure-virtual");
    assert_eq!(attested.measurement, application());
    assert_eq!(attested.evidence, released.evidence);
    world.check_replay();
}

#[test]
fn a_secret_can_be_asked_for_until_the_run_ends() {
    for stage in [0, 1, 2] {
        let mut world = World::entitled();
        if stage > 0 {
            world.report(run_id(), submit()).unwrap();
        }
        if stage > 1 {
            world.report(run_id(), chancery_governance::command::StartRun {}).unwrap();
        }
        released(&world.asks_secret());
        world.check_replay();
    }
}

#[test]
fn a_token_names_owner_dataset_and_run_and_lives_as_long_as_it_says() {
    let mut world = World::entitled();
    let now_ms = world.now_ms;
    let minted = minted(&world.asks_token());
    assert_eq!(minted.issuer, ISSUER);
    assert_eq!(minted.audience, AUDIENCE);
    assert_eq!(minted.expires_ms, now_ms + LIFE_MS);
    assert_eq!(minted.token_key, token_key(30).id());
    let owner = Who::Litware.member();
    let subject = format!("{}/{owner}/{}/{}", world.id, orders_id(), run_id());
    assert_eq!(minted.subject, subject);
    world.check_replay();
}

#[test]
fn withdrawn_consent_refuses_secrets_and_tokens_to_an_admitted_run() {
    for (who, on) in [
        (Who::Litware, orders_s()),
        (Who::Contosso, campaigns_s()),
        (Who::Fabrikam, report_s()),
        (Who::Litware, room()),
        (Who::Contosso, crate::support::fixtures::query_s()),
    ] {
        let mut world = World::entitled();
        let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
        world.by(who).does(on, withdraw).unwrap();
        let why = refused(&world.asks_secret());
        assert_eq!(why.first(), Some(&Code::RunAlreadyEnded), "its withdrawal cancelled the run");
        assert!(why.contains(&Code::ConsentWithdrawn), "{why:?}");
        assert!(refused(&world.asks_token()).contains(&Code::ConsentWithdrawn));
        world.check_replay();
    }
}

#[test]
fn what_was_released_is_not_handed_out_after_a_withdrawal() {
    let mut world = World::entitled();
    released(&world.asks_secret());
    assert_eq!(standing(world.room(), run_id(), world.now_ms), []);
    let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
    world.contosso().does(campaigns_s(), withdraw).unwrap();
    let why = standing(world.room(), run_id(), world.now_ms);
    assert!(why.iter().any(|reason| reason.code == Code::ConsentWithdrawn), "{why:?}");
}

#[test]
fn everything_that_admitted_a_run_is_checked_again() {
    type Change = (fn(&mut World), Code);
    let changes: [Change; 6] = [
        (
            |world| {
                let pause = PauseCollaboration { reason: "An incident.".into() };
                world.litware().does(room(), pause).unwrap();
            },
            Code::CollaborationPaused,
        ),
        (
            |world| {
                let close = CloseCollaboration { reason: "Over.".into() };
                world.litware().does(room(), close).unwrap();
            },
            Code::CollaborationClosed,
        ),
        (
            |world| drop(world.fabrikam().does(run_s(), CancelRun {}).unwrap()),
            Code::CancelledByMember,
        ),
        (
            |world| {
                let publish = PublishDataset { descriptor: moved(orders(), 2) };
                world.litware().does(orders_s(), publish).unwrap();
            },
            Code::DatasetVersionChanged,
        ),
        (
            |world| {
                let revoke =
                    chancery_governance::command::RevokeAbility { ability: Ability::Runner };
                world.litware().does(Who::Fabrikam.itself(), revoke).unwrap();
            },
            Code::AbilityMissing,
        ),
        (|world| world.set_policy(&[Digest::of(b"application 2")]), Code::MeasurementNotAllowed),
    ];
    for (change, code) in changes {
        let mut world = World::entitled();
        change(&mut world);
        for why in [refused(&world.asks_secret()), refused(&world.asks_token())] {
            assert!(why.contains(&code), "{code:?} is not among {why:?}");
        }
        world.check_replay();
    }
}

#[test]
fn a_policy_that_demands_more_refuses_secrets_at_once() {
    let mut world = World::entitled();
    let mut policy = SetCleanRoomPolicy::of(vec![application()]);
    policy.demands = Demands { host_data: vec![Digest::of(b"host")], ..Demands::default() };
    world.litware().does(room(), policy).unwrap();
    let why = refused(&world.asks_secret());
    assert!(why.contains(&Code::HostDataNotAllowed), "{why:?}");
    world.check_replay();
}

#[test]
fn one_report_binds_the_key_that_signs_and_the_key_that_decrypts() {
    // A report that was captured from another executor, or that names another recipient.
    for (signer, recipient) in [(key(202), sealing_key(40)), (key(201), sealing_key(41))] {
        let mut world = World::entitled();
        let mut command = Ask { recipient, ..Ask::of(&signer) }.secret(&world);
        command.recipient = sealing_key(40);
        assert_eq!(refused(&world.report(run_id(), command)), [Code::EvidenceNotBound]);
        world.check_replay();
    }
}

#[test]
fn evidence_for_one_purpose_serves_no_other() {
    let mut world = World::entitled();
    let executor = key(201);
    let admission = admit(&world, run_id(), &executor).evidence;
    let mut command = Ask::of(&executor).secret(&world);
    let mut token = Ask::of(&executor).token(&world);
    (token.evidence, command.evidence) = (command.evidence, admission);
    assert_eq!(refused(&world.report(run_id(), command)), [Code::EvidenceNotBound]);
    assert_eq!(refused(&world.report(run_id(), token)), [Code::EvidenceNotBound]);
    world.check_replay();
}

#[test]
fn evidence_of_another_dataset_lifetime_or_audience_serves_no_other() {
    let mut world = World::entitled();
    let executor = key(201);
    let mut other = Ask { dataset: campaigns_id(), ..Ask::of(&executor) }.secret(&world);
    other.dataset = orders_id();
    assert_eq!(refused(&world.report(run_id(), other)), [Code::EvidenceNotBound]);
    let mut token = Ask::of(&executor).token(&world);
    token.lifetime_ms += 1;
    assert_eq!(refused(&world.report(run_id(), token)), [Code::EvidenceNotBound]);
    let mut token = Ask::of(&executor).token(&world);
    token.audience.push('x');
    assert!(refused(&world.report(run_id(), token)).contains(&Code::EvidenceNotBound));
    world.check_replay();
}

#[test]
fn the_executor_before_gets_nothing_after_another_took_over() {
    let mut world = World::entitled();
    released(&world.asks_secret());
    let other = key(202);
    world.taken_over(&other);
    assert_eq!(codes(&world.asks_secret()), [Code::NotTheAdmittedExecutor]);
    // The new one is admitted on evidence of its own, and has a release of its own.
    let command = Ask { recipient: sealing_key(41), ..Ask::of(&other) }.secret(&world);
    assert_eq!(released(&world.report_by(&other, command)).recipient, sealing_key(41));
    world.check_replay();
}

#[test]
fn a_secret_is_released_once_and_never_to_two_keys() {
    let mut world = World::entitled();
    released(&world.asks_secret());
    assert_eq!(refused(&world.asks_secret()), [Code::SecretAlreadyReleased]);
    let executor = key(201);
    let other = Ask { recipient: sealing_key(41), ..Ask::of(&executor) }.secret(&world);
    assert_eq!(refused(&world.report(run_id(), other)), [Code::SecretAlreadyReleased]);
    world.check_replay();
}

#[test]
fn a_new_version_a_retirement_or_an_erasure_takes_the_secret_back() {
    let mut world = World::secretive();
    let publish = PublishDataset { descriptor: moved(orders(), 2) };
    world.litware().does(orders_s(), publish).unwrap();
    assert_eq!(world.room().datasets[&orders_id()].secret, None);
    let mut world = World::secretive();
    world.litware().does(orders_s(), RetireDataset {}).unwrap();
    assert_eq!(world.room().datasets[&orders_id()].secret, None);
    let mut world = World::entitled();
    assert_eq!(kinds(&world.erases(Who::Litware, orders_s())), ["DatasetSecretErased"]);
    assert_eq!(refused(&world.asks_secret()), [Code::SecretNotStored]);
    world.check_replay();
}

#[test]
fn what_the_dataset_is_not_part_of_the_run_refuses() {
    let mut world = World::entitled();
    let executor = key(201);
    let stray = chancery_ledger::id::DatasetId::new(crate::support::uuid(0xd, 99));
    let secret = Ask { dataset: stray, ..Ask::of(&executor) }.secret(&world);
    assert_eq!(refused(&world.report(run_id(), secret)), [Code::DatasetNotOfRun]);
    let token = Ask { dataset: stray, ..Ask::of(&executor) }.token(&world);
    assert_eq!(refused(&world.report(run_id(), token)), [Code::DatasetNotOfRun]);
    // The output is part of it, and nobody stored a secret or allowed tokens there.
    let secret = Ask { dataset: report_id(), ..Ask::of(&executor) }.secret(&world);
    assert_eq!(refused(&world.report(run_id(), secret)), [Code::SecretNotStored]);
    let token = Ask { dataset: report_id(), ..Ask::of(&executor) }.token(&world);
    assert_eq!(refused(&world.report(run_id(), token)), [Code::AudienceNotAllowed]);
    world.check_replay();
}

#[test]
fn the_owner_and_not_the_executor_says_what_a_token_is_for() {
    let mut world = World::entitled();
    let mut token = Ask::of(&key(201)).token(&world);
    token.audience = "https://storage.evil.example".into();
    let why = refused(&world.report(run_id(), token));
    assert!(why.contains(&Code::AudienceNotAllowed), "{why:?}");
    world.check_replay();
}

#[test]
fn the_life_of_a_token_is_bounded_at_both_ends() {
    let lives = [
        (TOKEN_LIFETIME_MS_MIN - 1, false),
        (TOKEN_LIFETIME_MS_MIN, true),
        (TOKEN_LIFETIME_MS_MAX, true),
        (TOKEN_LIFETIME_MS_MAX + 1, false),
    ];
    for (lifetime_ms, fine) in lives {
        let mut world = World::entitled();
        let token = Ask::of(&key(201)).token_for(&world, AUDIENCE, lifetime_ms);
        let tried = world.report(run_id(), token);
        if fine {
            minted(&tried);
        } else {
            assert_eq!(refused(&tried), [Code::InvalidExpiry]);
        }
        world.check_replay();
    }
}

#[test]
fn the_service_announces_new_keys_and_old_secrets_stay_released() {
    let mut world = World::entitled();
    assert_eq!(kinds(&world.attest(31)), ["AttestationRecorded"]);
    assert_eq!(world.room().announced.len(), 2);
    released(&world.asks_secret());
    // What is stored from now on is sealed to the new key.
    let mut old = store(&world, b"another");
    old.release_key = sealing_key(30).id();
    assert_eq!(codes(&world.litware().does(orders_s(), old)), [Code::ReleaseKeyMismatch]);
    let new = store(&world, b"another");
    assert_eq!(kinds(&world.litware().does(orders_s(), new)), ["DatasetSecretStored"]);
    world.check_replay();
}

#[test]
fn requests_of_a_run_are_bounded() {
    let mut world = World::entitled();
    for _ in 0..SECRET_REQUESTS_MAX - 1 {
        world.erase_or_ask();
    }
    released(&world.asks_secret());
    assert_eq!(codes(&world.asks_secret()), [Code::LimitExceeded]);
    assert_eq!(codes(&world.asks_token()), [Code::LimitExceeded]);
}

impl World {
    /// A request that is refused: for a dataset that has no secret.
    fn erase_or_ask(&mut self) {
        let ask = Ask { dataset: campaigns_id(), ..Ask::of(&key(201)) }.secret(self);
        assert_eq!(refused(&self.report(run_id(), ask)), [Code::SecretNotStored]);
    }
}

#[test]
fn a_release_needs_the_terms_to_accept_what_stands_behind_the_service() {
    let mut world = World::stocked();
    let mut command = attest_with(&world, 30, Platform::InsecureVirtual);
    command.evidence.document = "AA".into();
    assert_eq!(codes(&world.attests(command)), [Code::EvidenceInvalid]);
    let mut command = attest_with(&world, 30, Platform::InsecureVirtual);
    command.evidence = attest_with(&world, 31, Platform::InsecureVirtual).evidence;
    assert_eq!(codes(&world.attests(command)), [Code::EvidenceNotBound]);
    let mut strict = World::begun_on(crate::support::fixtures::terms(&[], true));
    strict.attest(30).unwrap();
    strict.check_replay();
}

#[test]
fn who_has_left_an_ended_run_gets_nothing() {
    let mut world = World::entitled();
    world.report(run_id(), submit()).unwrap();
    world.report(run_id(), chancery_governance::command::StartRun {}).unwrap();
    let result = succeed(&world, run_id(), &key(201));
    world.report(run_id(), result).unwrap();
    gets_nothing(world, Code::RunAlreadyEnded);
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub fn cases() -> Vec<Case> {
    vec![
        case("a secret by another than the dataset's owner", Code::NotTheDatasetOwner, || {
            let mut world = World::secretive();
            let command = store(&world, b"another");
            world.contosso().does(orders_s(), command)
        }),
        case("an erasure by another", Code::NotTheDatasetOwner, || {
            World::secretive().erases(Who::Contosso, orders_s())
        }),
        case("a secret by who publishes nothing", Code::AbilityMissing, || {
            let mut world = World::secretive();
            world
                .litware()
                .does(
                    Who::Contosso.itself(),
                    chancery_governance::command::RevokeAbility { ability: Ability::DataProvider },
                )
                .unwrap();
            let command = store_for(&world, campaigns_id(), b"another");
            world.contosso().does(campaigns_s(), command)
        }),
        case("a secret of no dataset", Code::DatasetNotFound, || {
            let mut world = World::secretive();
            let stray = chancery_ledger::id::DatasetId::new(crate::support::uuid(0xd, 99));
            let command = store(&world, b"another");
            world.litware().does(Subject::Dataset(stray), command)
        }),
        case("a secret of a run", Code::WrongSubject, || {
            let mut world = World::secretive();
            let command = store(&world, b"another");
            world.litware().does(run_s(), command)
        }),
        case("a secret of a retired dataset", Code::DatasetRetired, || {
            let mut world = World::secretive();
            world.litware().does(orders_s(), RetireDataset {}).unwrap();
            let command = store(&world, b"another");
            world.litware().does(orders_s(), command)
        }),
        case("a secret of an older version", Code::DatasetVersionChanged, || {
            let mut world = World::secretive();
            let command = store(&world, b"another");
            let publish = PublishDataset { descriptor: moved(orders(), 2) };
            world.litware().does(orders_s(), publish).unwrap();
            world.litware().does(orders_s(), command)
        }),
        case("the same secret again", Code::NothingToChange, || {
            let mut world = World::secretive();
            let command = store(&world, b"ciphertext");
            world.litware().does(orders_s(), command)
        }),
        case("a secret before the service announced keys", Code::ServiceNotAttested, || {
            let mut world = World::stocked();
            let command = store(&world, b"another");
            world.litware().does(orders_s(), command)
        }),
        case("a secret to another key", Code::ReleaseKeyMismatch, || {
            let mut world = World::secretive();
            let mut command = store(&world, b"another");
            command.release_key = Digest::of(b"another key");
            world.litware().does(orders_s(), command)
        }),
        case("an erasure of nothing", Code::SecretNotStored, || {
            World::stocked().erases(Who::Litware, orders_s())
        }),
        case("a request before any admission", Code::RunWrongStep, || {
            let mut world = World::secretive();
            world.request(run_id()).unwrap();
            world.asks_secret()
        }),
        case("a request on no run", Code::RunNotFound, || World::secretive().asks_secret()),
        case("a request on a run that was refused", Code::RunAlreadyEnded, || {
            let mut world = World::secretive();
            let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
            world.litware().does(orders_s(), withdraw).unwrap();
            world.request(run_id()).unwrap();
            world.asks_secret()
        }),
        case("a request by a member", Code::NotAnExecutor, || {
            let mut world = World::entitled();
            let command = Ask::of(&key(201)).secret(&world);
            world.fabrikam().does(run_s(), command)
        }),
        case("a request of no secret", Code::SecretNotStored, || {
            let mut world = World::entitled();
            let ask = Ask { dataset: campaigns_id(), ..Ask::of(&key(201)) }.secret(&world);
            world.report(run_id(), ask)
        }),
        case("a request on a dataset of no part", Code::DatasetNotOfRun, || {
            let mut world = World::entitled();
            let dataset = chancery_ledger::id::DatasetId::new(crate::support::uuid(0xd, 99));
            let ask = Ask { dataset, ..Ask::of(&key(201)) }.secret(&world);
            world.report(run_id(), ask)
        }),
        case("a second release", Code::SecretAlreadyReleased, || {
            let mut world = World::entitled();
            world.asks_secret().unwrap();
            world.asks_secret()
        }),
        case("evidence of other hardware", Code::EvidenceOtherPlatform, || {
            let mut world = World::entitled();
            let ask = Ask { platform: Platform::SevSnp, ..Ask::of(&key(201)) }.secret(&world);
            world.report(run_id(), ask)
        }),
        case("evidence of another application", Code::MeasurementNotAllowed, || {
            let mut world = World::entitled();
            let measurement = Digest::of(b"application 2");
            let ask = Ask { measurement, ..Ask::of(&key(201)) }.secret(&world);
            world.report(run_id(), ask)
        }),
        case("evidence that does not verify", Code::EvidenceInvalid, || {
            let mut world = World::entitled();
            let mut ask = Ask::of(&key(201)).secret(&world);
            ask.evidence.document = "AA".into();
            world.report(run_id(), ask)
        }),
        case("a token for another audience", Code::AudienceNotAllowed, || {
            let mut world = World::entitled();
            let ask = Ask::of(&key(201)).token_for(&world, "another", LIFE_MS);
            world.report(run_id(), ask)
        }),
        case("a token for a long audience", Code::LimitExceeded, || {
            let mut world = World::entitled();
            let long = "a".repeat(AUDIENCE_LEN_MAX + 1);
            let ask = Ask::of(&key(201)).token_for(&world, &long, LIFE_MS);
            world.report(run_id(), ask)
        }),
        case("a token by a service without an address", Code::TokenIssuerMissing, || {
            let mut world = World::entitled();
            let ask = Ask::of(&key(201)).token(&world).into();
            let mut attempt = world.prepare_report(&key(201), run_id(), &ask);
            attempt.facts.token_issuer = None;
            let tried = world.submit(&attempt);
            world.check_replay();
            tried
        }),
        case("a token by a service without keys", Code::ServiceNotAttested, || {
            let mut world = World::stocked();
            let mut descriptor = orders();
            descriptor.token_audience = Some(AUDIENCE.into());
            world.litware().does(orders_s(), PublishDataset { descriptor }).unwrap();
            let mut world = world.draft().propose().accept();
            world.request(run_id()).unwrap();
            let command = admit(&world, run_id(), &key(201));
            world.report(run_id(), command).unwrap();
            let tried = world.asks_token();
            world.check_replay();
            tried
        }),
        case("keys announced by a member", Code::NotTheService, || {
            let mut world = World::stocked();
            let command = attest_with(&world, 30, Platform::InsecureVirtual);
            world.litware().does(room(), command)
        }),
        case("the same keys announced again", Code::NothingToChange, || {
            let mut world = World::secretive();
            world.attest(30)
        }),
        case("a token key of another algorithm", Code::InvalidKey, || {
            let mut world = World::stocked();
            let mut command = attest_with(&world, 30, Platform::InsecureVirtual);
            command.token_key = key(99).public().clone();
            world.attests(command)
        }),
        case("no hardware behind the service's keys", Code::InsecureVirtualNotAllowed, || {
            let mut world = crate::support::secrets::strict();
            let command = attest_with(&world, 30, Platform::InsecureVirtual);
            world.attests(command)
        }),
        case("too many announcements", Code::LimitExceeded, || {
            let mut world = World::stocked();
            let room = world.state_mut();
            let keys = chancery_governance::secret::ServiceKeys {
                release_key: sealing_key(1),
                token_key: token_key(1),
                platform: Platform::InsecureVirtual,
                position: 0,
            };
            room.announced = vec![keys; SERVICE_ATTESTATIONS_MAX];
            let command = attest_with(&world, 30, Platform::InsecureVirtual);
            world.attests(command)
        }),
        case("an encrypted output", Code::InvalidDescriptor, || {
            let mut world = World::stocked();
            let mut descriptor = crate::support::fixtures::report();
            descriptor.encryption = chancery_governance::dataset::Encryption::ChunkedAes256Gcm;
            world.fabrikam().does(report_s(), PublishDataset { descriptor })
        }),
        case("an audience with a blank", Code::InvalidDescriptor, || {
            let mut world = World::stocked();
            let mut descriptor = orders();
            descriptor.token_audience = Some("two words".into());
            world.litware().does(orders_s(), PublishDataset { descriptor })
        }),
    ]
}

#[test]
fn each_refusal_has_its_code() {
    check(&cases());
}
