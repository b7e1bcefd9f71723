//! Each stage against each status.

use chancery_governance::run::{Attested, Engine, Manifest, Platform, Statistics};
use chancery_ledger::key::SigningKey;

use super::*;
use crate::ending::Told;

pub const NOW_MS: u64 = 1_000_000;

pub fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed(&[seed; 32]).unwrap().public().clone()
}

pub fn application() -> Digest {
    Digest::of(b"application")
}

pub fn admission() -> Admission {
    Admission {
        executor: key(1),
        platform: Platform::InsecureVirtual,
        measurement: application(),
        claims: chancery_governance::clean_room::Claims::default(),
    }
}

fn submitted_job() -> Job {
    Job { tracking: "local/1".into(), job_spec: Digest::of(b"spec") }
}

pub fn facts() -> SpecFacts {
    SpecFacts { digest: Digest::of(b"spec"), expires_ms: NOW_MS + 1, application: application() }
}

pub fn told(job_spec: Digest) -> Ending {
    Ending::Succeeded(Box::new(Told {
        run: "1".into(),
        query_digest: Digest::of(b"query"),
        job_spec,
        manifest: Manifest { files: Vec::new(), rows: 0, columns: Vec::new() },
        statistics: Statistics { inputs: Vec::new(), segments: Vec::new(), rows_written: 0 },
        engine: Engine { name: "apache-spark".into(), version: "4".into() },
        privacy: None,
    }))
}

fn failed() -> Ending {
    Ending::Failed { code: "c".into(), detail: "d".into() }
}

pub fn succeeded() -> Outcome {
    Outcome::Succeeded {
        result: Box::new(Attested {
            query_digest: Digest::of(b"query"),
            votes: Vec::new(),
            inputs: Vec::new(),
            application: application(),
            engine: Engine { name: "apache-spark".into(), version: "4".into() },
            job_spec: Digest::of(b"spec"),
            manifest: Manifest { files: Vec::new(), rows: 0, columns: Vec::new() },
            statistics: Statistics { inputs: Vec::new(), segments: Vec::new(), rows_written: 0 },
            privacy: None,
        }),
        platform: Platform::InsecureVirtual,
    }
}

fn job(attempts: u32, phase: Phase) -> JobStatus {
    JobStatus { attempts, phase }
}

/// What comes next with all as it should be, but for what `change` changes.
fn next_of(stage: &Stage, job: &JobStatus, change: impl FnOnce(&mut Sight<'_>)) -> Effect {
    let key = key(1);
    let mut sight = Sight {
        stage,
        key: &key,
        application: application(),
        orphan: false,
        spec: Some(facts()),
        remains: true,
        job,
        now_ms: NOW_MS,
    };
    change(&mut sight);
    next(&sight)
}

#[test]
fn each_stage_and_status_has_its_next_step() {
    let fail = |code: &str| Effect::Fail { code: code.into(), detail: "d".into() };
    let died = |effect: &Effect| matches!(effect, Effect::Fail { code, .. } if code == ENGINE_DIED);
    let idle = job(0, Phase::Idle);
    let running = job(1, Phase::Running(None));
    let well = job(1, Phase::Ended(told(Digest::of(b"spec"))));
    let badly = job(1, Phase::Ended(failed()));
    let submitted = Stage::Submitted(admission(), submitted_job());
    let started = Stage::Started(admission(), submitted_job());

    assert_eq!(next_of(&Stage::Requested, &idle, |_| {}), Effect::Admit);
    assert_eq!(next_of(&Stage::Admitted(admission()), &idle, |_| {}), Effect::Submit);
    // Whatever an earlier job spec came to, an admission begins anew.
    assert_eq!(next_of(&Stage::Admitted(admission()), &well, |_| {}), Effect::Submit);

    assert_eq!(next_of(&submitted, &idle, |_| {}), Effect::Launch);
    assert_eq!(next_of(&submitted, &running, |_| {}), Effect::ReportStarted);
    assert_eq!(next_of(&submitted, &well, |_| {}), Effect::ReportStarted);
    assert_eq!(next_of(&submitted, &badly, |_| {}), fail("c"));
    assert!(died(&next_of(&submitted, &job(ATTEMPTS_MAX, Phase::Idle), |_| {})));

    assert_eq!(next_of(&started, &running, |_| {}), Effect::Wait);
    assert_eq!(next_of(&started, &well, |_| {}), Effect::Succeed);
    assert_eq!(next_of(&started, &badly, |_| {}), fail("c"));
    assert_eq!(next_of(&started, &job(1, Phase::Idle), |_| {}), Effect::Launch);
    assert!(died(&next_of(&started, &job(ATTEMPTS_MAX, Phase::Idle), |_| {})));
    let other = job(1, Phase::Ended(told(Digest::of(b"other"))));
    let effect = next_of(&started, &other, |_| {});
    assert!(matches!(effect, Effect::Fail { ref code, .. } if code == "result_invalid"));
}

#[test]
fn the_engine_starts_from_the_submitted_spec_only() {
    let idle = job(0, Phase::Idle);
    let submitted = Stage::Submitted(admission(), submitted_job());
    let with = |spec: Option<SpecFacts>| next_of(&submitted, &idle, |sight| sight.spec = spec);
    assert_eq!(with(None), Effect::Admit);
    assert_eq!(with(Some(SpecFacts { digest: Digest::of(b"x"), ..facts() })), Effect::Admit);
    assert_eq!(with(Some(SpecFacts { expires_ms: NOW_MS, ..facts() })), Effect::Admit);
    assert_eq!(with(Some(SpecFacts { application: Digest::of(b"x"), ..facts() })), Effect::Admit);
    // Another release of the application is another admission, too.
    let upgraded = |sight: &mut Sight<'_>| sight.application = Digest::of(b"new");
    assert_eq!(next_of(&Stage::Admitted(admission()), &idle, upgraded), Effect::Admit);
    assert_eq!(next_of(&submitted, &idle, upgraded), Effect::Admit);
    // What lives was started rightly, whatever became of the file.
    let running = job(1, Phase::Running(None));
    assert_eq!(next_of(&submitted, &running, |sight| sight.spec = None), Effect::ReportStarted);
}

#[test]
fn a_run_that_outlives_its_job_spec_fails() {
    let running = job(1, Phase::Running(None));
    let started = Stage::Started(admission(), submitted_job());
    let at = |expires_ms| {
        let spec = Some(SpecFacts { expires_ms, ..facts() });
        next_of(&started, &running, |sight| sight.spec = spec)
    };
    assert_eq!(at(NOW_MS + 1), Effect::Wait);
    assert!(matches!(at(NOW_MS), Effect::Fail { code, .. } if code == TIMED_OUT));
    // What ended in time is reported, however late.
    let well = job(1, Phase::Ended(told(Digest::of(b"spec"))));
    let late = |sight: &mut Sight<'_>| sight.now_ms = u64::MAX;
    assert_eq!(next_of(&started, &well, late), Effect::Succeed);
}

#[test]
fn an_ended_run_leaves_nothing_behind_but_a_result_in_the_log() {
    let outcomes = [
        (succeeded(), false),
        (Outcome::Cancelled(Vec::new()), true),
        (Outcome::Refused(Vec::new()), true),
        (Outcome::Failed { code: "c".into(), detail: "d".into() }, true),
    ];
    for (outcome, result) in outcomes {
        let stage = Stage::Ended(outcome);
        for phase in [Phase::Idle, Phase::Running(None), Phase::Ended(failed())] {
            let effect = next_of(&stage, &job(1, phase), |_| {});
            assert_eq!(effect, Effect::Clear { result }, "{stage:?}");
        }
        let nothing = |sight: &mut Sight<'_>| sight.remains = false;
        assert_eq!(next_of(&stage, &job(0, Phase::Idle), nothing), Effect::Done);
        let lives = next_of(&stage, &job(1, Phase::Running(None)), nothing);
        assert_eq!(lives, Effect::Clear { result });
    }
}

#[test]
fn another_executors_run_is_taken_over_only_where_its_key_is_lost() {
    let other = |sight: &mut Sight<'_>| sight.remains = false;
    for stage in [
        Stage::Admitted(Admission { executor: key(2), ..admission() }),
        Stage::Submitted(Admission { executor: key(2), ..admission() }, submitted_job()),
        Stage::Started(Admission { executor: key(2), ..admission() }, submitted_job()),
    ] {
        assert_eq!(next_of(&stage, &job(0, Phase::Idle), other), Effect::Done);
        let running = job(1, Phase::Running(None));
        assert_eq!(next_of(&stage, &running, |_| {}), Effect::Clear { result: false });
        let effect = next_of(&stage, &job(0, Phase::Idle), |sight| sight.orphan = true);
        assert_eq!(effect, Effect::Admit);
    }
}
