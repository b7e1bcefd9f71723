//! Runs: from the request to the one outcome.

use chancery_governance::command::{
    CancelRun, FailRun, PublishDataset, RequestRun, StartRun, SubmitRun, WithdrawConsent,
    WithdrawQuery,
};
use chancery_governance::consent::ConsentKind;
use chancery_governance::event::Event;
use chancery_governance::reason::Code;
use chancery_governance::run::{Attested, Evidence, Platform, RefusedAt};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{QueryId, RunId};

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    admit, admit_with, application, attested, campaigns_s, create, moved, query_id, query_s, room,
    run_id, run_s, submit, succeed, succeed_with, terms,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, key, kinds, uuid};

fn failed(code: &str, detail: &str) -> FailRun {
    FailRun { code: code.into(), detail: detail.into() }
}

#[test]
fn from_request_to_success() {
    let mut world = World::accepted();
    assert_eq!(kinds(&world.request(run_id())), ["RunRequested"]);
    let command = admit(&world, run_id(), &world.executor);
    assert_eq!(kinds(&world.report(run_id(), command)), ["RunAdmitted"]);
    assert_eq!(kinds(&world.report(run_id(), submit())), ["RunSubmitted"]);
    assert_eq!(kinds(&world.report(run_id(), StartRun {})), ["RunStarted"]);
    let command = succeed(&world, run_id(), &world.executor);
    assert_eq!(kinds(&world.report(run_id(), command)), ["RunSucceeded"]);
    world.check_replay();
}

#[test]
fn a_run_can_fail_at_each_step_after_admission() {
    for stage in [World::admitted, World::submitted, World::started] {
        let mut world = stage();
        let events = world.report(run_id(), failed("out_of_memory", "The driver was killed."));
        assert_eq!(kinds(&events), ["RunFailed"]);
        world.check_replay();
    }
}

#[test]
fn its_runner_and_each_approver_can_cancel_a_run() {
    for who in Who::MEMBERS {
        let mut world = World::started();
        let events = world.by(who).does(run_s(), CancelRun {});
        assert_eq!(kinds(&events), ["RunCancelled"]);
        world.check_replay();
    }
}

#[test]
fn another_attested_executor_can_take_a_run_over_and_the_first_is_out() {
    let mut world = World::started();
    let other = key(202);
    let command = admit(&world, run_id(), &other).into();
    let attempt = world.prepare_report(&other, run_id(), &command);
    assert_eq!(kinds(&world.submit(&attempt)), ["RunAdmitted"]);
    let tried = world.report(run_id(), submit());
    assert_eq!(codes(&tried), [Code::NotTheAdmittedExecutor]);
    world.check_replay();
}

#[test]
fn what_changed_between_request_and_admission_refuses_the_run() {
    let mut world = World::requested();
    world.set_policy(&[application(), Digest::of(b"application 2")]);
    let command = admit(&world, run_id(), &world.executor);
    let events = world.report(run_id(), command);
    assert_eq!(kinds(&events), ["RunRefused"]);
    assert_eq!(codes(&events), [Code::CleanRoomPolicyChanged]);
    let Some((_, Event::RunRefused(refused))) = events.unwrap().pop() else { unreachable!() };
    assert_eq!(refused.stage, RefusedAt::Admission);
    world.check_replay();
}

fn requested_on(stage: fn() -> World) -> Tried {
    stage().request(run_id())
}

pub fn cases() -> Vec<Case> {
    let mut cases = requests();
    cases.extend(admissions());
    cases.extend(reports());
    cases.extend(results());
    cases
}

fn requests() -> Vec<Case> {
    vec![
        case("a request on a draft", Code::QueryNotAccepted, || requested_on(World::drafted)),
        case("a request before the votes", Code::QueryNotAccepted, || {
            requested_on(World::proposed)
        }),
        case("a request on what was withdrawn", Code::QueryNotAccepted, || {
            let mut world = World::accepted();
            let digest = world.digest();
            world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
            world.fabrikam().does(run_s(), RequestRun { query: query_id(), digest })
        }),
        case("a request of another digest", Code::QueryDigestMismatch, || {
            let digest = Digest::of(b"another");
            World::accepted().fabrikam().does(run_s(), RequestRun { query: query_id(), digest })
        }),
        case("a request on no query", Code::QueryNotFound, || requested_on(World::stocked)),
        case("a request on another query", Code::QueryNotFound, || {
            let mut world = World::accepted();
            let (query, digest) = (QueryId::new(uuid(0xf, 9)), world.digest());
            world.fabrikam().does(run_s(), RequestRun { query, digest })
        }),
        case("a run's id is in use", Code::RunExists, || requested_on(World::requested)),
        case("a request by no runner", Code::AbilityMissing, || {
            let mut world = World::accepted();
            let digest = world.digest();
            world.litware().does(run_s(), RequestRun { query: query_id(), digest })
        }),
        case("a request by a stranger", Code::NotAMember, || {
            let mut world = World::accepted();
            let digest = world.digest();
            world.by(Who::Mallory).does(run_s(), RequestRun { query: query_id(), digest })
        }),
        case("a request about another subject", Code::WrongSubject, || {
            let mut world = World::accepted();
            let digest = world.digest();
            world.fabrikam().does(query_s(), RequestRun { query: query_id(), digest })
        }),
        case("a request under another policy", Code::CleanRoomPolicyChanged, || {
            let mut world = World::accepted();
            world.set_policy(&[Digest::of(b"application 2")]);
            world.request(run_id())
        }),
        case("a request before the workload is enabled", Code::WorkloadNotEnabled, || {
            let mut world = crate::readiness::without_workload();
            world.request(run_id())
        }),
        case("cancelling what is not there", Code::RunNotFound, || {
            World::accepted().fabrikam().does(run_s(), CancelRun {})
        }),
        case("cancelling what has ended", Code::RunAlreadyEnded, || {
            World::succeeded().fabrikam().does(run_s(), CancelRun {})
        }),
        case("cancelling without a say in it", Code::NotAnApprover, || {
            let mut world = World::stocked();
            let draft = chancery_governance::command::DraftQuery {
                definition: crate::support::fixtures::without_litware(),
            };
            world.fabrikam().does(query_s(), draft).unwrap();
            let mut world = world.propose();
            world.approve(Who::Contosso).unwrap();
            world.approve(Who::Fabrikam).unwrap();
            world.request(run_id()).unwrap();
            world.litware().does(run_s(), CancelRun {})
        }),
        case("the runner cancels", Code::CancelledByMember, || {
            World::requested().fabrikam().does(run_s(), CancelRun {})
        }),
    ]
}

fn admitted_with(world: &mut World, platform: Platform, measurement: Digest) -> Tried {
    let command = admit_with(world, run_id(), &world.executor, platform, measurement);
    world.report(run_id(), command)
}

fn admissions() -> Vec<Case> {
    vec![
        case("admission by a member's command", Code::NotAnExecutor, || {
            let mut world = World::requested();
            let command = admit(&world, run_id(), &Who::Fabrikam.key());
            world.fabrikam().does(run_s(), command)
        }),
        case("admission to no run", Code::RunNotFound, || {
            let mut world = World::accepted();
            let command = admit(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("admission to what has ended", Code::RunAlreadyEnded, || {
            let mut world = World::requested();
            world.fabrikam().does(run_s(), CancelRun {}).unwrap();
            let command = admit(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("admission signed by another key than it names", Code::NotTheAdmittedExecutor, || {
            let mut world = World::requested();
            let command = admit(&world, run_id(), &key(202));
            world.report(run_id(), command)
        }),
        case("another measurement", Code::MeasurementNotAllowed, || {
            let other = Digest::of(b"application 2");
            admitted_with(&mut World::requested(), Platform::InsecureVirtual, other)
        }),
        case("no hardware where the terms want it", Code::InsecureVirtualNotAllowed, || {
            let mut world = hardware_only();
            admitted_with(&mut world, Platform::InsecureVirtual, application())
        }),
        case("evidence of an unknown kind", Code::EvidenceInvalid, || {
            let mut world = World::requested();
            let mut command = admit(&world, run_id(), &world.executor);
            command.evidence = Evidence { kind: "sgx".into(), document: String::new() };
            world.report(run_id(), command)
        }),
        case("evidence that nobody looked at", Code::EvidenceInvalid, || {
            let mut world = World::requested();
            let command = admit(&world, run_id(), &world.executor).into();
            let mut attempt = world.prepare_report(&key(201), run_id(), &command);
            attempt.facts.verdict = None;
            world.submit(&attempt)
        }),
        case("evidence for another run", Code::EvidenceNotBound, || {
            let mut world = World::requested();
            let other = RunId::new(uuid(0x9, 2));
            world.request(other).unwrap();
            let command = admit(&world, other, &world.executor);
            world.report(run_id(), command)
        }),
        case("evidence that binds another key", Code::EvidenceNotBound, || {
            let mut world = World::requested();
            let mut command = admit(&world, run_id(), &key(202));
            command.executor = world.executor.public().clone();
            world.report(run_id(), command)
        }),
        case("admission after consent was withdrawn", Code::RunAlreadyEnded, || {
            let mut world = World::requested();
            let withdraw = WithdrawConsent { kind: ConsentKind::Execution };
            world.litware().does(room(), withdraw).unwrap();
            let command = admit(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("admission after a new version", Code::RunAlreadyEnded, || {
            let mut world = World::requested();
            let descriptor = moved(crate::support::fixtures::campaigns(), 2);
            world.contosso().does(campaigns_s(), PublishDataset { descriptor }).unwrap();
            let command = admit(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
    ]
}

/// A requested run under terms that want hardware.
pub fn hardware_only() -> World {
    let mut world = World::empty();
    let mut command = create(terms(&[], false));
    command.terms.insecure_virtual = false;
    let command = command.into();
    let mut attempt = world.prepare(Who::Litware, room(), &command);
    if let Some(service) = &mut attempt.facts.service {
        service.evidence.kind = "sev-snp".into();
    }
    world.submit(&attempt).unwrap();
    let mut world = world.join().stock().draft().propose().accept();
    world.request(run_id()).unwrap();
    world
}

#[test]
fn hardware_is_admitted_where_the_terms_want_it() {
    let mut world = hardware_only();
    let events = admitted_with(&mut world, Platform::SevSnp, application());
    assert_eq!(kinds(&events), ["RunAdmitted"]);
    world.check_replay();
}

fn reports() -> Vec<Case> {
    vec![
        case("submitted before admission", Code::RunWrongStep, || {
            World::requested().report(run_id(), submit())
        }),
        case("submitted twice", Code::RunWrongStep, || {
            World::submitted().report(run_id(), submit())
        }),
        case("started before submitted", Code::RunWrongStep, || {
            World::admitted().report(run_id(), StartRun {})
        }),
        case("started twice", Code::RunWrongStep, || {
            World::started().report(run_id(), StartRun {})
        }),
        case("succeeded before started", Code::RunWrongStep, || {
            let mut world = World::submitted();
            let command = succeed(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("failed before admission", Code::RunWrongStep, || {
            World::requested().report(run_id(), failed("x", "y"))
        }),
        case("failed after success", Code::RunAlreadyEnded, || {
            World::succeeded().report(run_id(), failed("x", "y"))
        }),
        case("succeeded twice", Code::RunAlreadyEnded, || {
            let mut world = World::started();
            let command = succeed(&world, run_id(), &world.executor);
            world.report(run_id(), command.clone()).unwrap();
            world.report(run_id(), command)
        }),
        case("a report by another executor", Code::NotTheAdmittedExecutor, || {
            let mut world = World::admitted();
            let attempt = world.prepare_report(&key(202), run_id(), &submit().into());
            world.submit(&attempt)
        }),
        case("a report by the runner", Code::NotAnExecutor, || {
            World::admitted().fabrikam().does(run_s(), submit())
        }),
        case("a blank tracking name", Code::InvalidName, || {
            let submit = SubmitRun { tracking: " ".into(), ..submit() };
            World::admitted().report(run_id(), submit)
        }),
        case("a failure code with capitals", Code::InvalidContent, || {
            World::admitted().report(run_id(), failed("OOM", "y"))
        }),
        case("a failure code of 65 characters", Code::InvalidContent, || {
            World::admitted().report(run_id(), failed(&"a".repeat(65), "y"))
        }),
        case("a detail of two lines", Code::InvalidName, || {
            World::admitted().report(run_id(), failed("x", "one\ntwo"))
        }),
        case("a report on another subject", Code::WrongSubject, || {
            let mut world = World::admitted();
            let mut attempt = world.prepare_report(&key(201), run_id(), &submit().into());
            attempt.subject = Subject::Query(query_id());
            world.submit(&attempt)
        }),
        case("an executor's report that is a member's command", Code::NotAMember, || {
            let mut world = World::admitted();
            let attempt = world.prepare_report(&key(201), run_id(), &CancelRun {}.into());
            world.submit(&attempt)
        }),
        case("an executor before the log began", Code::CollaborationNotFound, || {
            let mut world = World::empty();
            let attempt = world.prepare_report(&key(201), run_id(), &StartRun {}.into());
            world.submit(&attempt)
        }),
    ]
}

fn succeeded_as(change: fn(&mut Attested)) -> Tried {
    let mut world = World::started();
    let mut result = attested(&world, run_id());
    change(&mut result);
    let command = succeed_with(
        &world,
        run_id(),
        &world.executor,
        result,
        Platform::InsecureVirtual,
        application(),
    );
    world.report(run_id(), command)
}

fn results() -> Vec<Case> {
    let other = Digest::of(b"other");
    assert_ne!(other, application());
    vec![
        case("a result of another query", Code::ResultMismatch, || {
            succeeded_as(|result| result.query_digest = Digest::of(b"other"))
        }),
        case("a result on other votes", Code::ResultMismatch, || {
            succeeded_as(|result| result.votes.reverse())
        }),
        case("a result of other versions", Code::ResultMismatch, || {
            succeeded_as(|result| result.inputs[0].digest = Digest::of(b"other"))
        }),
        case("a result without an input", Code::ResultMismatch, || {
            succeeded_as(|result| result.inputs.truncate(1))
        }),
        case("a result of another application", Code::ResultMismatch, || {
            succeeded_as(|result| result.application = Digest::of(b"other"))
        }),
        case("a result of another job", Code::ResultMismatch, || {
            succeeded_as(|result| result.job_spec = Digest::of(b"other"))
        }),
        case("a result that the evidence does not bind", Code::EvidenceNotBound, || {
            let mut world = World::started();
            let mut command = succeed(&world, run_id(), &world.executor);
            command.result.manifest.rows += 1;
            world.report(run_id(), command)
        }),
        case("the evidence of the admission again", Code::EvidenceNotBound, || {
            let mut world = World::started();
            let mut command = succeed(&world, run_id(), &world.executor);
            command.evidence = admit(&world, run_id(), &world.executor).evidence;
            world.report(run_id(), command)
        }),
        case("a result measured elsewhere", Code::MeasurementNotAllowed, || {
            let mut world = World::started();
            let command = succeed_with(
                &world,
                run_id(),
                &world.executor,
                attested(&world, run_id()),
                Platform::InsecureVirtual,
                Digest::of(b"other"),
            );
            world.report(run_id(), command)
        }),
        case("a result from another platform than was admitted", Code::ResultMismatch, || {
            let mut world = World::started();
            let command = succeed_with(
                &world,
                run_id(),
                &world.executor,
                attested(&world, run_id()),
                Platform::SevSnp,
                application(),
            );
            world.report(run_id(), command)
        }),
        case("a result after the policy stopped the run", Code::RunAlreadyEnded, || {
            let mut world = World::started();
            world.set_policy(&[Digest::of(b"other")]);
            let command = succeed(&world, run_id(), &world.executor);
            world.report(run_id(), command)
        }),
        case("a file outside the run's folder", Code::ResultMismatch, || {
            with_manifest(|manifest| manifest.files[0].path = "../other".into())
        }),
        case("a file twice", Code::ResultMismatch, || {
            with_manifest(|manifest| manifest.files.push(manifest.files[0].clone()))
        }),
        case("other columns than the output's", Code::ResultMismatch, || {
            with_manifest(|manifest| drop(manifest.columns.pop()))
        }),
        case("other rows than were written", Code::ResultMismatch, || {
            with_manifest(|manifest| manifest.rows += 1)
        }),
    ]
}

/// A result whose manifest is changed before it is attested.
fn with_manifest(change: fn(&mut chancery_governance::run::Manifest)) -> Tried {
    let mut world = World::started();
    let mut result = attested(&world, run_id());
    change(&mut result.manifest);
    let command = succeed_with(
        &world,
        run_id(),
        &world.executor,
        result,
        Platform::InsecureVirtual,
        application(),
    );
    world.report(run_id(), command)
}

#[test]
fn rejections() {
    check(&cases());
}
