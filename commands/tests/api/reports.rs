//! What executors report: by whom, on what evidence, in which order.

use chancery_governance::event::Event;
use chancery_governance::query::DatasetVersion;
use chancery_governance::run::Attested;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::DatasetId;
use serde_json::json;

use crate::support::commands;
use crate::support::executor::{Executor, evidence};
use crate::support::fixtures::application;
use crate::support::key;
use crate::support::person::Person;
use crate::support::room::{Room, Stage};

fn outcomes(events: &[Event]) -> usize {
    let ends = |event: &&Event| {
        matches!(
            event,
            Event::RunSucceeded(_)
                | Event::RunFailed(_)
                | Event::RunCancelled(_)
                | Event::RunRefused(_)
        )
    };
    events.iter().filter(ends).count()
}

#[tokio::test]
async fn a_run_goes_from_its_request_to_its_one_outcome() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    let admit = executor.admit(&room);
    assert_eq!(executor.does(&admit).await.kinds(), ["RunAdmitted"]);
    assert_eq!(executor.does(&admit).await.json["replayed"], true);
    assert_eq!(executor.does(&Executor::submit(&room)).await.kinds(), ["RunSubmitted"]);
    assert_eq!(executor.does(&Executor::start(&room)).await.kinds(), ["RunStarted"]);
    let result = Executor::result(&room).await;
    let succeed = executor.succeed(&room, &result);
    assert_eq!(executor.does(&succeed).await.kinds(), ["RunSucceeded"]);
    assert_eq!(executor.does(&succeed).await.json["replayed"], true);

    let view = room.contosso.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!(view.text("/stage"), "succeeded");
    assert_eq!(view.number("/result/manifest/rows"), 4);
    assert_eq!(view.list("/timeline").len(), 5);
    for late in [
        executor.admit(&room),
        Executor::submit(&room),
        Executor::start(&room),
        executor.succeed(&room, &result),
        Executor::fail(&room),
    ] {
        executor.refused(&late, 409, "run_already_ended").await;
    }
    let cancel = commands::cancel_run(room.next(), room.id, room.run);
    room.fabrikam.refused(&cancel, 409, "run_already_ended").await;
    assert_eq!(outcomes(&room.service.events(room.id).await), 1);
    room.finish().await;
}

#[tokio::test]
async fn a_failure_is_an_outcome_too() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    executor.does(&executor.admit(&room)).await;
    for (code, detail, refusal) in [
        ("Out of memory", "x", "invalid_content"),
        ("", "x", "invalid_content"),
        (&*"x".repeat(65), "x", "invalid_content"),
        ("oom", "", "invalid_name"),
        ("oom", "two\nlines", "invalid_name"),
    ] {
        let fail = Executor::fail(&room).with(json!({"code": code, "detail": detail}));
        executor.refused(&fail, 422, refusal).await;
    }
    assert_eq!(executor.does(&Executor::fail(&room)).await.kinds(), ["RunFailed"]);
    executor.refused(&Executor::fail(&room), 409, "run_already_ended").await;
    assert_eq!(outcomes(&room.service.events(room.id).await), 1);
    room.finish().await;
}

#[tokio::test]
async fn only_the_executors_token_with_its_keys_signature_reports() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    let admit = executor.admit(&room);
    let stranger = Person::stranger(&room.service);
    for person in [&room.litware, &room.contosso, &room.fabrikam, &stranger] {
        for report in [&admit, &Executor::submit(&room), &Executor::start(&room)] {
            person.refused(report, 403, "not_an_executor").await;
            // Not even with the executor's own signature.
            let stolen = executor.call(report).token(&person.token);
            room.service.refuses(stolen, 403, "not_an_executor").await;
        }
    }
    executor.person.refused(&admit, 403, "executor_signature_required").await;
    let signed = executor.person.to_sign(&admit);
    let by = |kind, key| executor.person.signed_with(&admit, &signed, kind, key);
    let as_member = by(ContentType::Command, &executor.key);
    room.service.refuses(as_member, 400, "signature_malformed").await;
    let other = by(ContentType::ExecutorReport, &key(55));
    room.service.refuses(other, 403, "not_the_admitted_executor").await;
    let mut ended = signed.clone();
    ended.expires_ms = room.service.now_ms() - 1;
    let ended =
        executor.person.signed_with(&admit, &ended, ContentType::ExecutorReport, &executor.key);
    room.service.refuses(ended, 403, "signature_expired").await;
    executor.does(&admit).await;
    // Another key reports nothing until it is admitted on evidence of its own; then the first is out.
    let mut rival = executor.clone();
    rival.key = std::sync::Arc::new(key(56));
    rival.refused(&Executor::submit(&room), 403, "not_the_admitted_executor").await;
    rival.refused(&Executor::fail(&room), 403, "not_the_admitted_executor").await;
    assert_eq!(rival.does(&rival.admit(&room)).await.kinds(), ["RunAdmitted"]);
    executor.refused(&Executor::submit(&room), 403, "not_the_admitted_executor").await;
    rival.does(&Executor::submit(&room)).await;
    room.finish().await;
}

#[tokio::test]
async fn admission_takes_evidence_of_this_run_key_and_an_allowed_measurement() {
    let mut room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    let admit = |evidence| executor.admit_with(&room, &evidence);
    let good = executor.bound(&room);
    let mut rival = executor.clone();
    rival.key = std::sync::Arc::new(key(56));
    let mut other_run = Room { ..room_like(&room) };
    other_run.run = chancery_ledger::id::RunId::new(room.next().uuid());
    let mut other_nonce = room_like(&room);
    other_nonce.nonce = Digest::of(b"another request");
    for (evidence, code) in [
        (evidence(application(), Digest::of(b"anything")), "evidence_not_bound"),
        (evidence(application(), rival.bound(&room)), "evidence_not_bound"),
        (evidence(application(), executor.bound(&other_run)), "evidence_not_bound"),
        (evidence(application(), executor.bound(&other_nonce)), "evidence_not_bound"),
        (evidence(Digest::of(b"application 2"), good), "measurement_not_allowed"),
        (json!({"kind": "sev-snp", "document": "AAAA"}), "evidence_invalid"),
        (json!({"kind": "insecure-virtual", "document": ""}), "evidence_invalid"),
        (json!({"kind": "insecure-virtual", "document": "!"}), "evidence_invalid"),
        (json!({"kind": "", "document": ""}), "evidence_invalid"),
    ] {
        executor.refused(&admit(evidence), 403, code).await;
    }
    let whole = executor.admit(&room);
    for body in [
        json!({"executor": executor.key.public().to_string()}),
        json!({"evidence": whole.body["evidence"]}),
        json!({}),
    ] {
        executor.refused(&whole.clone().with(body), 422, "invalid_content").await;
    }
    // What held at the request must hold now; else the refusal is the run's outcome.
    let policy = [application(), Digest::of(b"application 2")];
    room.litware.does(&commands::set_policy(room.next(), room.id, &policy)).await;
    let answer = executor.tries(&executor.admit(&room)).await;
    answer.assert_problem(409, "run_refused");
    assert_eq!(answer.reasons(), ["clean_room_policy_changed"]);
    assert_eq!(answer.number("/position") + 1, room.service.sizes().await[&room.id]);
    executor.refused(&executor.admit(&room), 409, "run_already_ended").await;
    let view = room.fabrikam.reads(&room.path(&format!("/runs/{}", room.run))).await;
    assert_eq!((view.text("/stage"), view.text("/refused_at")), ("refused", "admission"));
    room.run = chancery_ledger::id::RunId::new(room.next().uuid());
    executor.refused(&executor.admit(&room), 404, "run_not_found").await;
    assert_eq!(outcomes(&room.service.events(room.id).await), 1);
    room.finish().await;
}

fn room_like(room: &Room) -> Room {
    Room {
        service: room.service.clone(),
        litware: room.litware.clone(),
        contosso: room.contosso.clone(),
        fabrikam: room.fabrikam.clone(),
        digest: room.digest.clone(),
        ..*room
    }
}

#[tokio::test]
async fn a_report_follows_the_step_before_it() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    let result = Executor::result(&room).await;
    let wrong = "run_wrong_step";
    let (submit, start) = (|| Executor::submit(&room), || Executor::start(&room));
    let succeed = || executor.succeed(&room, &result);
    for early in [submit(), start(), succeed(), Executor::fail(&room)] {
        executor.refused(&early, 409, wrong).await;
    }
    executor.does(&executor.admit(&room)).await;
    for early in [start(), succeed()] {
        executor.refused(&early, 409, wrong).await;
    }
    executor.does(&submit()).await;
    for early in [submit(), succeed()] {
        executor.refused(&early, 409, wrong).await;
    }
    executor.does(&start()).await;
    for early in [submit(), start()] {
        executor.refused(&early, 409, wrong).await;
    }
    executor.does(&succeed()).await;
    room.finish().await;
}

#[tokio::test]
async fn a_result_is_of_what_was_admitted_and_its_evidence_of_the_result() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    executor.starts(&room).await;
    let good = Executor::result(&room).await;
    let other = Digest::of(b"other");
    let dataset = DatasetId::new(room.next().uuid());
    let changes: [&dyn Fn(&mut Attested); 13] = [
        &|it| it.query_digest = other,
        &|it| it.votes.reverse(),
        &|it| it.votes.truncate(2),
        &|it| it.inputs.reverse(),
        &|it| it.inputs[0].digest = other,
        &|it| it.inputs.push(DatasetVersion { dataset, digest: other }),
        &|it| it.application = other,
        &|it| it.job_spec = other,
        &|it| it.manifest.rows += 1,
        &|it| it.manifest.columns.reverse(),
        &|it| it.manifest.columns.clear(),
        &|it| it.manifest.files[0].path = "../../part-00000.csv".into(),
        &|it| it.manifest.files.push(it.manifest.files[0].clone()),
    ];
    for change in changes {
        let mut result = good.clone();
        change(&mut result);
        executor.refused(&executor.succeed(&room, &result), 409, "result_mismatch").await;
    }
    // Evidence that binds another result, or the admission, or another measurement.
    let mut altered = good.clone();
    altered.manifest.rows += 1;
    let of_good = executor.succeed(&room, &good).body["evidence"].clone();
    let swapped = Executor::succeed_with(&room, &altered, &of_good);
    executor.refused(&swapped, 403, "evidence_not_bound").await;
    let of_admission = evidence(application(), executor.bound(&room));
    let reused = Executor::succeed_with(&room, &good, &of_admission);
    executor.refused(&reused, 403, "evidence_not_bound").await;
    let mut less = executor.succeed(&room, &good);
    less.body["result"].as_object_mut().unwrap().remove("statistics");
    executor.refused(&less, 422, "invalid_content").await;
    executor.does(&executor.succeed(&room, &good)).await;
    room.finish().await;
}

#[tokio::test]
async fn the_executor_follows_all_logs() {
    let room = Room::at(Stage::Requested).await;
    let executor = room.executor().await;
    let second = commands::create(room.next(), &[], true);
    room.contosso.does(&second).await;
    let heads = executor.person.reads("/v1/log/heads").await;
    let found: Vec<_> = heads
        .list("/heads")
        .iter()
        .map(|head| (head["collaboration"].as_str().unwrap(), head["size"].as_u64().unwrap()))
        .collect();
    let size = room.service.sizes().await[&room.id];
    let ids = [room.id.to_string(), second.collaboration.to_string()];
    assert_eq!(found, [(&*ids[0], size), (&*ids[1], 1)]);
    let after = executor.person.reads(&format!("/v1/log/heads?after={}", room.id)).await;
    assert_eq!(after.list("/heads").len(), 1);
    let bad = executor.person.get("/v1/log/heads?after=x");
    room.service.refuses(bad, 404, "not_found").await;
    executor.person.reads(&room.path("/entries")).await;
    executor.person.reads(&room.path(&format!("/runs/{}", room.run))).await;
    room.finish().await;
}
