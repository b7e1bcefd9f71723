//! Each stage against each status; then every step of a run left out, done, or done twice.

use chancery_governance::run::{Attested, Engine, Manifest, Platform, Statistics};
use chancery_ledger::key::SigningKey;

use super::*;
use crate::backend::contract::run;
use crate::backend::fake::Fake;
use crate::backend::{self, Backend as _};
use crate::ending::Told;

const NOW_MS: u64 = 1_000_000;

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed(&[seed; 32]).unwrap().public().clone()
}

fn application() -> Digest {
    Digest::of(b"application")
}

fn admission() -> Admission {
    Admission { executor: key(1), platform: Platform::InsecureVirtual, measurement: application() }
}

fn submitted_job() -> Job {
    Job { tracking: "local/1".into(), job_spec: Digest::of(b"spec") }
}

fn facts() -> SpecFacts {
    SpecFacts { digest: Digest::of(b"spec"), expires_ms: NOW_MS + 1, application: application() }
}

fn told(job_spec: Digest) -> Ending {
    Ending::Succeeded(Box::new(Told {
        run: "1".into(),
        query_digest: Digest::of(b"query"),
        job_spec,
        manifest: Manifest { files: Vec::new(), rows: 0, columns: Vec::new() },
        statistics: Statistics { inputs: Vec::new(), segments: Vec::new(), rows_written: 0 },
        engine: Engine { name: "apache-spark".into(), version: "4".into() },
    }))
}

fn failed() -> Ending {
    Ending::Failed { code: "c".into(), detail: "d".into() }
}

fn succeeded() -> Outcome {
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

/// The log, the disk and the engine of one run.
struct World {
    stage: Stage,
    spec: Option<SpecFacts>,
    remains: bool,
    engine: Fake,
    outcomes: u32,
    launches: u32,
    /// What the engine was started from.
    started_from: Option<Digest>,
    /// How many polls the engine takes from now.
    work: u32,
    now_ms: u64,
}

impl World {
    fn new() -> Self {
        Self {
            stage: Stage::Requested,
            spec: None,
            remains: false,
            engine: Fake::default(),
            outcomes: 0,
            launches: 0,
            started_from: None,
            work: 2,
            now_ms: NOW_MS,
        }
    }

    fn job() -> backend::Job {
        backend::Job { run: run(1), folder: "/".into(), executor: Digest::of(b"key") }
    }

    async fn next(&self) -> Effect {
        let key = key(1);
        next(&Sight {
            stage: &self.stage,
            key: &key,
            application: application(),
            orphan: false,
            spec: self.spec,
            remains: self.remains,
            job: &self.engine.status(&Self::job()).await.unwrap(),
            now_ms: self.now_ms,
        })
    }

    /// Does an effect as the driver does; the rules refuse what does not follow.
    async fn perform(&mut self, effect: &Effect) {
        let stage = self.stage.clone();
        match (effect, stage) {
            (Effect::Admit, Stage::Ended(_)) => {}
            (Effect::Admit, _) => self.stage = Stage::Admitted(admission()),
            (Effect::Submit, stage) => {
                self.engine.cancel(&Self::job()).await.unwrap();
                self.engine.forget(run(1));
                self.now_ms += 1;
                let digest = Digest::of(&self.now_ms.to_be_bytes());
                self.spec = Some(SpecFacts { digest, expires_ms: self.now_ms + 1000, ..facts() });
                self.remains = true;
                if let Stage::Admitted(admission) = stage {
                    let job = Job { tracking: "local/1".into(), job_spec: digest };
                    self.stage = Stage::Submitted(admission, job);
                }
            }
            (Effect::Launch, stage) => {
                let (Stage::Submitted(_, job) | Stage::Started(_, job)) = &stage else {
                    panic!("launched when {stage:?}")
                };
                assert_eq!(self.spec.map(|spec| spec.digest), Some(job.job_spec));
                let before = self.engine.living();
                self.engine.launch(&Self::job()).await.unwrap();
                self.launches += u32::from(before == 0 && self.engine.living() == 1);
                assert!(self.engine.living() <= 1);
                self.started_from = Some(job.job_spec);
                self.work = 2;
            }
            (Effect::ReportStarted, Stage::Submitted(admission, job)) => {
                self.stage = Stage::Started(admission, job);
            }
            (Effect::Succeed, Stage::Started(..)) => self.end(succeeded()),
            (
                Effect::Fail { code, detail },
                Stage::Admitted(_) | Stage::Submitted(..) | Stage::Started(..),
            ) => self.end(Outcome::Failed { code: code.clone(), detail: detail.clone() }),
            (Effect::Clear { .. }, _) => {
                self.engine.cancel(&Self::job()).await.unwrap();
                self.engine.forget(run(1));
                self.spec = None;
                self.remains = false;
            }
            (Effect::Wait, _) => {
                self.work = self.work.saturating_sub(1);
                if self.work == 0 {
                    self.engine.end(run(1), told(self.started_from.unwrap()));
                }
            }
            (Effect::ReportStarted | Effect::Succeed | Effect::Fail { .. } | Effect::Done, _) => {}
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.stage = Stage::Ended(outcome);
        self.outcomes += 1;
    }
}

/// What is done about a step.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is done once, as it should be.
    None,
    /// The process is killed before it.
    Skipped,
    /// The process is killed after it and does not know: it is done again as it was.
    Repeated,
    /// The engine dies after it.
    EngineDies,
    /// The job spec is lost after it.
    SpecLost,
    /// Somebody cancels the run after it.
    Cancelled,
}

const FAULTS: [Fault; 6] = [
    Fault::None,
    Fault::Skipped,
    Fault::Repeated,
    Fault::EngineDies,
    Fault::SpecLost,
    Fault::Cancelled,
];
const FAULTY_STEPS: u32 = 6;
const STEPS_MAX: u32 = 60;

#[tokio::test]
async fn whatever_happens_at_any_step_a_run_has_one_outcome_and_leaves_nothing() {
    let patterns = u32::try_from(FAULTS.len()).unwrap().pow(FAULTY_STEPS);
    for pattern in 0..patterns {
        let mut world = World::new();
        let mut left = pattern;
        let mut effect = world.next().await;
        for step in 0.. {
            assert!(step < STEPS_MAX, "pattern {pattern} does not end: {effect:?}");
            if effect == Effect::Done {
                break;
            }
            let fault = FAULTS[usize::try_from(left).unwrap() % FAULTS.len()];
            left /= u32::try_from(FAULTS.len()).unwrap();
            apply(&mut world, &effect, fault).await;
            effect = world.next().await;
        }
        assert!(world.stage.ended(), "pattern {pattern}");
        assert_eq!(world.outcomes, 1, "pattern {pattern}");
        assert_eq!(world.engine.living(), 0, "pattern {pattern}");
        assert!(!world.remains, "pattern {pattern}");
        assert!(world.launches <= ATTEMPTS_MAX, "pattern {pattern}");
    }
}

async fn apply(world: &mut World, effect: &Effect, fault: Fault) {
    if !matches!(fault, Fault::Skipped) {
        world.perform(effect).await;
    }
    match fault {
        // A kill between the look and the deed: only what the driver re-checks is done blindly.
        Fault::Repeated if *effect == world.next().await => world.perform(effect).await,
        Fault::EngineDies if world.engine.living() == 1 => world.engine.die(run(1)),
        Fault::SpecLost => world.spec = None,
        Fault::Cancelled if !world.stage.ended() => world.end(Outcome::Cancelled(Vec::new())),
        Fault::None | Fault::Skipped | Fault::Repeated | Fault::EngineDies | Fault::Cancelled => {}
    }
}
