//! Every step of a run left out, done, or done twice, with the engine, the disk and the members
//! doing their worst in between.

use super::tests::{NOW_MS, admission, application, facts, key, succeeded, told};
use super::*;
use crate::backend::contract::run;
use crate::backend::fake::Fake;
use crate::backend::{self, Backend as _};

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
