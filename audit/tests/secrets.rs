//! Who saw which secret when: every release is in the answer, and a forged one is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use chancery_attestation::insecure_virtual;
use chancery_audit::partial::Scope;
use chancery_audit::render::{render_html, render_json, render_text};
use chancery_audit::report::{Recipient, Released};
use chancery_audit::{Options, Report, Verdict, verify};
use chancery_governance::command::{
    AttestService, Command, ReleaseSecret, StoreDatasetSecret, WithdrawConsent,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::decide::secret::{Requested, service_keys_report_data};
use chancery_governance::event::{Event, SecretReleased};
use chancery_governance::query::DatasetVersion;
use chancery_governance::run::Evidence;
use chancery_governance::secret::SealingKey;
use chancery_governance::subject::Subject;
use chancery_governance::submission::Facts;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::key::{Algorithm, PublicKey};
use story::{Person, Right, Story, about_room, executor, flights, room, run};

fn recipient() -> SealingKey {
    SealingKey::new([40; 32])
}

fn facts(evidence: &Evidence) -> Facts {
    let verdict = chancery_attestation::verify(evidence).map_err(|error| error.to_string());
    Facts { verdict: Some(verdict), ..Facts::default() }
}

/// The first run is admitted, and a secret is stored for one of its inputs.
fn entitled() -> Story {
    let mut story = Story::requested();
    let mut point = [9; 65];
    point[0] = 4;
    let token_key = PublicKey::new(Algorithm::Es256, &point).unwrap();
    let release_key = SealingKey::new([30; 32]);
    let service = story::service_key();
    let name = story.collaboration().service.clone();
    let bound = service_keys_report_data(&name, service.public(), &release_key, &token_key);
    let evidence = insecure_virtual::evidence(Digest::of(b"service"), bound);
    let known = facts(&evidence);
    let attest = AttestService { release_key, token_key, evidence };
    story.send_with(Right::Service(&service), about_room(), attest, known);
    let store = StoreDatasetSecret {
        version: story.collaboration().dataset_version(flights()).unwrap().1.digest,
        ciphertext: Digest::of(b"ciphertext"),
        release_key: release_key.id(),
    };
    story.send(Right::Key(Person::Litware), Subject::Dataset(flights()), store);
    story.admit(0);
    story
}

fn ask(story: &Story) -> ReleaseSecret {
    let (executor, recipient) = (executor(), recipient());
    let request = Requested {
        audience: story.service.public().id(),
        collaboration: room(),
        run: run(0),
        nonce: story.collaboration().runs[&run(0)].request_leaf,
        executor: executor.public(),
        recipient: &recipient,
        dataset: flights(),
    };
    let bound = request.secret_report_data();
    let evidence = insecure_virtual::evidence(story::application(), bound);
    ReleaseSecret { dataset: flights(), recipient, evidence }
}

fn asks(story: &mut Story) {
    let ask = ask(story);
    let known = facts(&ask.evidence);
    story.send_with(Right::Executor(&executor()), Subject::Run(run(0)), ask, known);
}

fn report(story: &Story) -> Report {
    let service_key = Some(story::service_key().public().id());
    verify(&story.bundle()[..], &Options { service_key, ..Options::default() })
}

#[test]
fn the_answer_names_every_release_with_its_executor_and_key() {
    let mut story = entitled();
    asks(&mut story);
    let report = report(&story);
    assert_eq!(report.verdict, Verdict::Verified);
    let contents = report.contents.as_ref().unwrap();
    assert_eq!(contents.secrets, 1);
    let release = contents.releases.iter().find(|it| it.what.is_secret()).unwrap();
    let Recipient::Executor { key, measurement, .. } = release.to else { panic!() };
    assert_eq!((key, measurement), (executor().public().id(), story::application()));
    let version = story.collaboration().dataset_version(flights()).unwrap().1.digest;
    let expected = Released::Secret {
        dataset: DatasetVersion { dataset: flights(), digest: version },
        ciphertext: Digest::of(b"ciphertext"),
        recipient: recipient(),
    };
    assert_eq!(release.what, expected);
    let text = render_text(&report, 100);
    assert!(text.contains("a secret to executor key"), "{text}");
    assert!(text.contains("insecure-virtual: no hardware"));
    assert!(!text.contains("No secret was released"));
    let json: serde_json::Value = serde_json::from_str(&render_json(&report)).unwrap();
    assert!(json.to_string().contains(&format!("\"recipient\":\"{}\"", recipient())));
    assert!(render_html(&report).contains(&recipient().to_string()));
}

#[test]
fn a_part_about_the_run_holds_its_releases_and_verifies() {
    let mut story = entitled();
    asks(&mut story);
    let service_key = Some(story::service_key().public().id());
    let bundle = story.pieces(Scope::Run(run(0))).bundle();
    let report = verify(&bundle[..], &Options { service_key, ..Options::default() });
    assert_eq!(report.verdict, Verdict::Verified, "{}", render_text(&report, 100));
}

#[test]
fn a_release_that_the_rules_refuse_is_found_though_the_service_sealed_it() {
    let mut story = entitled();
    let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
    story.send(Right::Key(Person::Litware), Subject::Dataset(flights()), withdraw);
    let command = ask(&story);
    let released = Event::SecretReleased(SecretReleased {
        dataset: DatasetVersion {
            dataset: flights(),
            digest: story.collaboration().dataset_version(flights()).unwrap().1.digest,
        },
        ciphertext: Digest::of(b"ciphertext"),
        recipient: recipient(),
        evidence: Digest::of(command.evidence.document.as_bytes()),
    });
    let executor = executor();
    let actor = Actor::Executor(executor.public().id());
    let command = Command::from(command);
    story.forge(Right::Executor(&executor), actor, Subject::Run(run(0)), &command, &released);
    let report = report(&story);
    assert!(matches!(report.verdict, Verdict::Tampered { .. }), "{}", render_text(&report, 100));
}
