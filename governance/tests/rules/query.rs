//! Drafting, proposing, voting, withdrawing.

use chancery_governance::command::{
    ApproveQuery, DraftQuery, PublishDataset, RejectQuery, ReviseQuery, WithdrawQuery,
};
use chancery_governance::event::Event;
use chancery_governance::query::{Definition, Input, Parameter, PostFilter, PreCondition};
use chancery_governance::reason::Code;
use chancery_governance::sql::{Literal, RefusalCode};
use chancery_governance::state::query::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, QueryId};

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    definition, moved, orders, orders_id, orders_s, propose, query_id, query_s, report_id, room,
    segment, without_litware,
};
use crate::support::people::Who;
use crate::support::{Tried, World, kinds, uuid};

fn draft(definition: Definition) -> DraftQuery {
    DraftQuery { definition }
}

fn draft_as(change: fn(&mut Definition)) -> Tried {
    let mut definition = definition();
    change(&mut definition);
    World::stocked().fabrikam().does(query_s(), draft(definition))
}

fn reject(world: &mut World, who: Who) -> Tried {
    let digest = world.digest();
    world.by(who).does(query_s(), RejectQuery { digest, comment: "No.".into() })
}

#[test]
fn from_draft_to_acceptance() {
    let mut world = World::stocked();
    let events = world.fabrikam().does(query_s(), draft(definition()));
    assert_eq!(kinds(&events), ["QueryDrafted"]);
    let revised = Definition { name: "Another name".into(), ..definition() };
    let events = world.fabrikam().does(query_s(), ReviseQuery { definition: revised });
    assert_eq!(kinds(&events), ["QueryRevised"]);
    let events = world.fabrikam().does(query_s(), propose()).unwrap();
    let [(_, Event::QueryProposed(proposed))] = &events[..] else { panic!("{events:?}") };
    let mut approvers = Who::MEMBERS.map(Who::member).to_vec();
    approvers.sort_unstable();
    assert_eq!(proposed.approvers, approvers);
    assert_eq!(kinds(&world.approve(Who::Contosso)), ["QueryApproved"]);
    assert_eq!(kinds(&world.approve(Who::Fabrikam)), ["QueryApproved"]);
    let first_vote = world.room().size - 2;
    let events = world.approve(Who::Litware);
    assert_eq!(kinds(&events), ["QueryApproved", "QueryAccepted"]);
    let Some((_, Event::QueryAccepted(accepted))) = events.unwrap().pop() else { unreachable!() };
    assert_eq!(accepted.votes, [first_vote, first_vote + 1, first_vote + 2]);
    world.check_replay();
}

#[test]
fn one_rejection_ends_it_and_a_revision_begins_anew() {
    let mut world = World::proposed();
    world.approve(Who::Litware).unwrap();
    assert_eq!(kinds(&reject(&mut world, Who::Contosso)), ["QueryRejected"]);
    let events = world.fabrikam().does(query_s(), ReviseQuery { definition: definition() });
    assert_eq!(kinds(&events), ["QueryRevised"]);
    let mut world = world.propose();
    let Stage::Proposed(proposal) = &world.room().queries[&query_id()].stage else { panic!() };
    assert!(proposal.votes.is_empty(), "no vote is carried over");
    assert_eq!(kinds(&world.approve(Who::Litware)), ["QueryApproved"]);
    world.check_replay();
}

#[test]
fn withdrawing_an_accepted_query_cancels_its_runs() {
    let mut world = World::started();
    let events = world.fabrikam().does(query_s(), WithdrawQuery {});
    assert_eq!(kinds(&events), ["QueryWithdrawn", "RunCancelled"]);
    world.check_replay();
}

#[test]
fn only_owners_of_what_is_used_have_a_vote() {
    let mut world = World::stocked();
    world.fabrikam().does(query_s(), draft(without_litware())).unwrap();
    let mut world = world.propose();
    let Stage::Proposed(proposal) = &world.room().queries[&query_id()].stage else { panic!() };
    let approvers = [Who::Contosso.member(), Who::Fabrikam.member()];
    assert!(proposal.approvers.iter().copied().eq(approvers));
    world.approve(Who::Contosso).unwrap();
    assert_eq!(kinds(&world.approve(Who::Fabrikam)), ["QueryApproved", "QueryAccepted"]);
}

pub fn cases() -> Vec<Case> {
    let mut cases = definitions();
    cases.extend(changes());
    cases.extend(votes());
    cases
}

fn definitions() -> Vec<Case> {
    vec![
        case("a blank name", Code::InvalidName, || draft_as(|query| query.name = "\t".into())),
        case("no segment", Code::LimitExceeded, || draft_as(|query| query.segments.clear())),
        case("no input", Code::LimitExceeded, || draft_as(|query| query.inputs.clear())),
        case("65 parameters", Code::LimitExceeded, || {
            draft_as(|query| {
                let parameter = |n| Parameter { name: format!("p{n}"), value: Literal::Long(n) };
                query.parameters.extend((0..64).map(parameter));
            })
        }),
        case("an order of 1001", Code::LimitExceeded, || {
            draft_as(|query| query.segments[1].order = 1_001)
        }),
        case("an input that is not there", Code::DatasetNotFound, || {
            draft_as(|query| query.inputs[0].dataset = DatasetId::new(uuid(0xd, 9)))
        }),
        case("an output that is not there", Code::DatasetNotFound, || {
            draft_as(|query| query.output = DatasetId::new(uuid(0xd, 9)))
        }),
        case("an output as an input", Code::DatasetAccessMode, || {
            draft_as(|query| query.inputs[0].dataset = report_id())
        }),
        case("an input as the output", Code::DatasetAccessMode, || {
            draft_as(|query| query.output = orders_id())
        }),
        case("a pre-condition on a later view", Code::InvalidQuery, || {
            draft_as(|query| {
                let condition = PreCondition { view: "result".into(), min_rows: 1 };
                query.segments[0].pre_conditions.push(condition);
            })
        }),
        case(
            "a post-filter on a column that the segment does not give",
            Code::InvalidQuery,
            || {
                draft_as(|query| {
                    let filter = PostFilter { column: "totals".into(), minimum: 1 };
                    query.segments[0].post_filters.push(filter);
                })
            },
        ),
        case("a post-filter on a text", Code::InvalidQuery, || {
            draft_as(|query| {
                let filter = PostFilter { column: "region".into(), minimum: 1 };
                query.segments[0].post_filters.push(filter);
            })
        }),
        case("columns that the output has not", Code::InvalidQuery, || {
            draft_as(|query| {
                let sql = "SELECT region, total AS sum, total AS spend FROM totals";
                query.segments[1] = segment(2, "result", sql);
            })
        }),
        case("a column of another type than the output's", Code::InvalidQuery, || {
            draft_as(|query| {
                let sql = "SELECT region, region AS total, total AS spend FROM totals";
                query.segments[1] = segment(2, "result", sql);
            })
        }),
        case("a text that the analysis refuses", Code::Sql(RefusalCode::UnknownRelation), || {
            draft_as(|query| {
                let sql = "SELECT region, total, total AS spend FROM elsewhere";
                query.segments[1] = segment(2, "result", sql);
                query.parameters.clear();
                query.segments.remove(0);
            })
        }),
    ]
}

fn changes() -> Vec<Case> {
    vec![
        case("a draft by no analyst", Code::AbilityMissing, || {
            World::stocked().litware().does(query_s(), draft(definition()))
        }),
        case("a draft by a stranger", Code::NotAMember, || {
            World::stocked().by(Who::Mallory).does(query_s(), draft(definition()))
        }),
        case("a draft of another subject", Code::WrongSubject, || {
            World::stocked().fabrikam().does(orders_s(), draft(definition()))
        }),
        case("the query's id is in use", Code::QueryExists, || {
            World::drafted().fabrikam().does(query_s(), draft(definition()))
        }),
        case("revising what is not there", Code::QueryNotFound, || {
            World::stocked().fabrikam().does(query_s(), ReviseQuery { definition: definition() })
        }),
        case("revising while it is up for votes", Code::QueryNotEditable, || {
            World::proposed().fabrikam().does(query_s(), ReviseQuery { definition: definition() })
        }),
        case("revising what is accepted", Code::QueryNotEditable, || {
            World::accepted().fabrikam().does(query_s(), ReviseQuery { definition: definition() })
        }),
        case("revising another's query", Code::NotTheAuthor, || {
            two_analysts().contosso().does(query_s(), ReviseQuery { definition: definition() })
        }),
        case("proposing another's query", Code::NotTheAuthor, || {
            two_analysts().contosso().does(query_s(), propose())
        }),
        case("withdrawing another's query", Code::NotTheAuthor, || {
            two_analysts().contosso().does(query_s(), WithdrawQuery {})
        }),
        case("proposing twice", Code::QueryNotEditable, || {
            World::proposed().fabrikam().does(query_s(), propose())
        }),
        case("proposing before the policy is set", Code::CleanRoomPolicyMissing, || {
            let mut world = World::joined();
            for (who, subject, descriptor) in crate::readiness::datasets() {
                world.by(who).does(subject, PublishDataset { descriptor }).unwrap();
            }
            world.fabrikam().does(query_s(), draft(definition())).unwrap();
            world.fabrikam().does(query_s(), propose())
        }),
        case("proposing what no longer binds", Code::InvalidQuery, || {
            let mut world = World::drafted();
            let mut report = moved(crate::support::fixtures::report(), 2);
            report.columns.pop();
            report.policy.allowed_columns.pop();
            let publish = PublishDataset { descriptor: report };
            world.fabrikam().does(crate::support::fixtures::report_s(), publish).unwrap();
            world.fabrikam().does(query_s(), propose())
        }),
        case("withdrawing twice", Code::QueryNotEditable, || {
            let mut world = World::drafted();
            world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
            world.fabrikam().does(query_s(), WithdrawQuery {})
        }),
    ]
}

fn votes() -> Vec<Case> {
    vec![
        case("a vote on a draft", Code::QueryNotProposed, || {
            World::drafted().approve(Who::Litware)
        }),
        case("a vote on what is not there", Code::QueryNotFound, || {
            World::stocked().approve(Who::Litware)
        }),
        case("a vote on another subject", Code::WrongSubject, || {
            let digest = Digest::of(b"any");
            World::proposed().litware().does(room(), ApproveQuery { digest })
        }),
        case("a vote by a stranger", Code::NotAMember, || World::proposed().approve(Who::Mallory)),
        case("a vote by a member without one", Code::NotAnApprover, || {
            let mut world = World::stocked();
            world.fabrikam().does(query_s(), draft(without_litware())).unwrap();
            world.propose().approve(Who::Litware)
        }),
        case("a yes twice", Code::AlreadyVoted, || {
            let mut world = World::proposed();
            world.approve(Who::Litware).unwrap();
            world.approve(Who::Litware)
        }),
        case("a no after a yes", Code::AlreadyVoted, || {
            let mut world = World::proposed();
            world.approve(Who::Litware).unwrap();
            reject(&mut world, Who::Litware)
        }),
        case("a no after acceptance", Code::AlreadyVoted, || {
            reject(&mut World::accepted(), Who::Contosso)
        }),
        case("a yes after a no", Code::QueryNotProposed, || {
            let mut world = World::proposed();
            reject(&mut world, Who::Litware).unwrap();
            world.approve(Who::Contosso)
        }),
        case("a yes to another digest", Code::QueryDigestMismatch, || {
            let digest = Digest::of(b"another");
            World::proposed().litware().does(query_s(), ApproveQuery { digest })
        }),
        case("a no to another digest", Code::QueryDigestMismatch, || {
            let reject = RejectQuery { digest: Digest::of(b"another"), comment: String::new() };
            World::proposed().litware().does(query_s(), reject)
        }),
        case("a yes to the proposal before", Code::QueryDigestMismatch, || {
            let mut world = World::proposed();
            let digest = world.digest();
            world.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
            let revised = Definition { name: "Another".into(), ..definition() };
            world.fabrikam().does(query_s(), ReviseQuery { definition: revised }).unwrap();
            world.propose().litware().does(query_s(), ApproveQuery { digest })
        }),
        case("a yes after a new version of an input", Code::QueryNotProposed, || {
            let mut world = World::proposed();
            let digest = world.digest();
            let publish = PublishDataset { descriptor: moved(orders(), 2) };
            world.litware().does(orders_s(), publish).unwrap();
            world.contosso().does(query_s(), ApproveQuery { digest })
        }),
        case("a comment of 2001 characters", Code::LimitExceeded, || {
            let mut world = World::proposed();
            let digest = world.digest();
            let reject = RejectQuery { digest, comment: "é".repeat(2_001) };
            world.litware().does(query_s(), reject)
        }),
    ]
}

/// Contosso is an analyst too; Fabrikam has a draft.
fn two_analysts() -> World {
    use chancery_governance::command::AcceptInvitation;
    use chancery_governance::member::Ability;
    let mut world = World::begun();
    world.register_key(Who::Litware);
    for who in [Who::Contosso, Who::Fabrikam] {
        let abilities = [Ability::Analyst, Ability::DataProvider, Ability::ResultReceiver];
        let subject = Subject::Invitation(who.invitation());
        let invite = crate::support::fixtures::invite(who, &abilities);
        world.litware().does(subject, invite).unwrap();
        world.by(who).does(subject, AcceptInvitation {}).unwrap();
    }
    world.stock().draft()
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn the_same_dataset_may_stand_under_two_names() {
    let mut world = World::stocked();
    let mut twice = definition();
    twice.segments[0] =
        segment(1, "totals", "SELECT region, COUNT(*) AS total FROM orders GROUP BY region");
    twice.segments[1] = segment(
        2,
        "result",
        "SELECT t.region AS region, t.total AS total, c.spend AS spend \
         FROM totals t JOIN campaigns c ON t.region = c.region \
         JOIN again a ON a.region = c.region",
    );
    twice.parameters.clear();
    let campaigns = crate::support::fixtures::campaigns_id();
    twice.inputs.push(Input { alias: "again".into(), dataset: campaigns });
    let query = Subject::Query(QueryId::new(uuid(0xf, 2)));
    let events = world.fabrikam().does(query, draft(twice));
    assert_eq!(kinds(&events), ["QueryDrafted"]);
}
