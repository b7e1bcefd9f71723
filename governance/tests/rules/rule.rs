//! Auto-approval rules, and the votes that they cast.

use chancery_governance::command::{
    DraftQuery, RejectQuery, RemoveAutoApprovalRule, SetAutoApprovalRule,
};
use chancery_governance::dataset::COLUMNS_MAX;
use chancery_governance::decide::collaboration::TEXT_LEN_MAX;
use chancery_governance::decide::rule::{RULES_MAX, text_digest};
use chancery_governance::event::Event;
use chancery_governance::member::SignedAct;
use chancery_governance::query::Definition;
use chancery_governance::readiness::{Asked, readiness_at};
use chancery_governance::reason::Code;
use chancery_governance::rule::{AllowedInput, ApprovalRule, RULE_INPUTS_MAX, Shape};
use chancery_governance::state::State;
use chancery_governance::state::query::Stage;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, RuleId};

use crate::case::{Case, case, check};
use crate::support::fixtures::{
    campaigns_id, definition, orders_id, propose, query_id, query_s, report_id, room, rule_id,
    rule_s, run_id, segment, terms, without_litware,
};
use crate::support::people::Who;
use crate::support::{Tried, World, codes, kinds, uuid};

fn allowed(dataset: DatasetId, columns: &[&str], aggregates: &[&str]) -> AllowedInput {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    AllowedInput { dataset, columns: names(columns), aggregates: names(aggregates) }
}

/// What lets the demo's query through, on Litware's and Contosso's datasets.
fn shape() -> Shape {
    Shape::Reads(vec![
        allowed(orders_id(), &["region", "amount"], &["customer"]),
        allowed(campaigns_id(), &["region", "spend"], &[]),
    ])
}

/// Of any author, runner and output.
pub fn rule() -> ApprovalRule {
    ApprovalRule {
        name: "Spend by region".into(),
        author: None,
        runner: None,
        output: None,
        shape: shape(),
        expires_ms: None,
    }
}

fn set_by(world: &mut World, who: Who, rule: ApprovalRule) -> Tried {
    let subject = if who == Who::Contosso { rule_s() } else { second() };
    world.by(who).does(subject, SetAutoApprovalRule { rule })
}

fn second() -> Subject {
    Subject::Rule(RuleId::new(uuid(0x7, 2)))
}

/// The events of a proposal of `definition`, where Contosso set `rule` before.
fn proposed_under(rule: ApprovalRule, definition: Definition) -> (World, Vec<&'static str>) {
    let mut world = World::stocked();
    set_by(&mut world, Who::Contosso, rule).unwrap();
    world.fabrikam().does(query_s(), DraftQuery { definition }).unwrap();
    let events = kinds(&world.fabrikam().does(query_s(), propose()));
    world.check_replay();
    (world, events)
}

fn votes_by_rule(rule: ApprovalRule, definition: Definition) -> bool {
    proposed_under(rule, definition).1 == ["QueryProposed", "QueryApprovedByRule"]
}

#[test]
fn a_rule_votes_in_an_event_of_its_own_that_names_it() {
    let mut world = World::drafted();
    let set = set_by(&mut world, Who::Contosso, rule());
    assert_eq!(kinds(&set), ["AutoApprovalRuleSet"]);
    let set_at = world.room().size - 1;
    let events = world.fabrikam().does(query_s(), propose()).unwrap();
    let [_, (_, Event::QueryApprovedByRule(vote))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (vote.member, vote.rule, vote.rule_position, vote.runner),
        (Who::Contosso.member(), rule_id(), set_at, None)
    );
    assert_eq!(vote.digest, world.digest());
    // It is Contosso's vote: the others' are missing, and Contosso's is final.
    let digest = world.digest();
    let no = RejectQuery { digest, comment: "No.".into() };
    assert_eq!(codes(&world.contosso().does(query_s(), no)), [Code::AlreadyVoted]);
    world.approve(Who::Litware).unwrap();
    assert_eq!(kinds(&world.approve(Who::Fabrikam)), ["QueryApproved", "QueryAccepted"]);
    world.check_replay();
}

#[test]
fn where_every_approver_has_a_rule_the_proposal_is_accepted_at_once() {
    let mut world = World::drafted();
    for (number, who) in (1..).zip(Who::MEMBERS) {
        let subject = Subject::Rule(RuleId::new(uuid(0x7, number)));
        world.by(who).does(subject, SetAutoApprovalRule { rule: rule() }).unwrap();
    }
    let first = world.room().size;
    let events = world.fabrikam().does(query_s(), propose());
    let by_rule = "QueryApprovedByRule";
    assert_eq!(kinds(&events), ["QueryProposed", by_rule, by_rule, by_rule, "QueryAccepted"]);
    let Some((_, Event::QueryAccepted(accepted))) = events.unwrap().pop() else { panic!() };
    assert_eq!(accepted.votes, [first + 1, first + 2, first + 3]);
    assert_eq!(kinds(&world.request(run_id())), ["RunRequested"]);
    world.check_replay();
}

#[test]
fn a_rule_votes_only_on_what_it_names() {
    assert!(votes_by_rule(rule(), definition()));
    let by = |author| ApprovalRule { author: Some(author), ..rule() };
    assert!(votes_by_rule(by(Who::Fabrikam.member()), definition()));
    assert!(!votes_by_rule(by(Who::Litware.member()), definition()));
    let into = |output| ApprovalRule { output: Some(output), ..rule() };
    assert!(votes_by_rule(into(report_id()), definition()));
    assert!(!votes_by_rule(into(orders_id()), definition()));
}

#[test]
fn a_rule_lets_no_column_through_that_it_does_not_name() {
    let of = |orders: AllowedInput, campaigns: AllowedInput| ApprovalRule {
        shape: Shape::Reads(vec![orders, campaigns]),
        ..rule()
    };
    let orders = || allowed(orders_id(), &["region", "amount"], &["customer"]);
    // `spend` is shown as it is, so being allowed inside aggregates is not enough.
    let shown = of(orders(), allowed(campaigns_id(), &["region"], &["spend"]));
    assert!(!votes_by_rule(shown, definition()));
    // `customer` is read to count individuals, and stands nowhere in the result.
    let uncounted = allowed(orders_id(), &["region", "amount"], &[]);
    let uncounted = of(uncounted, allowed(campaigns_id(), &["region", "spend"], &[]));
    assert!(!votes_by_rule(uncounted, definition()));
    // A dataset that the shape does not name.
    let one = ApprovalRule {
        shape: Shape::Reads(vec![allowed(campaigns_id(), &["region", "spend"], &[])]),
        ..rule()
    };
    assert!(!votes_by_rule(one.clone(), definition()));
    assert!(votes_by_rule(one, without_litware()));
    // In aggregates it may be shown.
    let summed = ApprovalRule {
        shape: Shape::Reads(vec![allowed(campaigns_id(), &["region"], &["spend"])]),
        ..rule()
    };
    assert!(votes_by_rule(summed, without_litware()));
}

#[test]
fn a_rule_on_a_text_votes_on_that_text_only() {
    let of = |definition: &Definition| ApprovalRule {
        shape: Shape::Text(text_digest(definition)),
        ..rule()
    };
    assert!(votes_by_rule(of(&without_litware()), without_litware()));
    let renamed = Definition { name: "Another name".into(), ..without_litware() };
    assert!(votes_by_rule(of(&without_litware()), renamed));
    let mut other = without_litware();
    other.segments = vec![segment(
        1,
        "result",
        "SELECT region, COUNT(*) AS total, MAX(spend) AS spend FROM campaigns GROUP BY region",
    )];
    assert!(!votes_by_rule(of(&without_litware()), other));
    let mut parameters = definition();
    parameters.parameters[0].value = chancery_governance::sql::Literal::Long(0);
    assert!(!votes_by_rule(of(&definition()), parameters));
}

#[test]
fn a_rule_ends_at_its_time_and_when_it_is_taken_back() {
    let mut world = World::drafted();
    let end = world.now_ms + 2_000;
    set_by(&mut world, Who::Contosso, ApprovalRule { expires_ms: Some(end), ..rule() }).unwrap();
    world.now_ms = end + 1;
    assert_eq!(kinds(&world.fabrikam().does(query_s(), propose())), ["QueryProposed"]);
    let mut world = World::drafted();
    set_by(&mut world, Who::Contosso, rule()).unwrap();
    let removed = world.contosso().does(rule_s(), RemoveAutoApprovalRule {});
    assert_eq!(kinds(&removed), ["AutoApprovalRuleRemoved"]);
    assert_eq!(kinds(&world.fabrikam().does(query_s(), propose())), ["QueryProposed"]);
    world.check_replay();
}

#[test]
fn a_rule_that_its_member_did_not_sign_does_not_vote_where_votes_are_signed() {
    let mut world = World::drafted();
    set_by(&mut world, Who::Contosso, rule()).unwrap();
    set_by(&mut world, Who::Litware, rule()).unwrap();
    let mut world = world.key_contosso();
    let change = chancery_governance::change::Change::SetTerms(terms(&[SignedAct::Votes], true));
    world.asks(change).unwrap();
    world.carry().unwrap();
    let events = world.fabrikam().does(query_s(), propose()).unwrap();
    let [_, (_, Event::QueryApprovedByRule(vote))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(vote.member, Who::Litware.member());
    world.check_replay();
}

#[test]
fn an_approval_for_one_runner_is_for_no_other() {
    let for_litware = ApprovalRule { runner: Some(Who::Litware.member()), ..rule() };
    let (world, _) = proposed_under(for_litware, definition());
    let mut world = world;
    world.approve(Who::Litware).unwrap();
    world.approve(Who::Fabrikam).unwrap();
    let Stage::Accepted(proposal) = &world.room().queries[&query_id()].stage else { panic!() };
    let vote = proposal.votes[&Who::Contosso.member()];
    assert_eq!((vote.rule, vote.runner), (Some(rule_id()), Some(Who::Litware.member())));
    let told = |runner: Who| {
        let reasons = readiness_at(
            world.room(),
            query_id(),
            &Asked { runner: Some(runner.member()), now_ms: world.now_ms, run: None },
        );
        reasons.iter().map(|reason| reason.code).collect::<Vec<_>>()
    };
    assert_eq!(told(Who::Fabrikam), [Code::RunnerNotApproved]);
    assert_eq!(told(Who::Litware), [Code::AbilityMissing]);
    assert_eq!(codes(&world.request(run_id())), [Code::RunnerNotApproved]);
    world.check_replay();
}

#[test]
fn of_two_rules_the_one_that_says_more_votes() {
    let mut world = World::drafted();
    let narrow = ApprovalRule { runner: Some(Who::Fabrikam.member()), ..rule() };
    world.contosso().does(second(), SetAutoApprovalRule { rule: narrow }).unwrap();
    set_by(&mut world, Who::Contosso, rule()).unwrap();
    let events = world.fabrikam().does(query_s(), propose()).unwrap();
    let [_, (_, Event::QueryApprovedByRule(vote))] = &events[..] else { panic!("{events:?}") };
    assert_eq!((vote.rule, vote.runner), (rule_id(), None));
}

fn set_as(change: fn(&mut ApprovalRule)) -> Tried {
    let mut rule = rule();
    change(&mut rule);
    set_by(&mut World::stocked(), Who::Contosso, rule)
}

fn reads(inputs: Vec<AllowedInput>) -> Shape {
    Shape::Reads(inputs)
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub fn cases() -> Vec<Case> {
    vec![
        case("a rule of who votes on nothing", Code::NotAnApprover, || {
            World::joined().contosso().does(rule_s(), SetAutoApprovalRule { rule: rule() })
        }),
        case("a rule of a stranger", Code::NotAMember, || {
            World::stocked().by(Who::Mallory).does(rule_s(), SetAutoApprovalRule { rule: rule() })
        }),
        case("a rule that is not signed where votes are", Code::MemberSignatureRequired, || {
            let world = World::begun_on(terms(&[SignedAct::Votes], true)).join().stock();
            set_by(&mut { world }, Who::Contosso, rule())
        }),
        case("a rule's id is in use", Code::RuleExists, || {
            let mut world = World::stocked();
            set_by(&mut world, Who::Contosso, rule()).unwrap();
            set_by(&mut world, Who::Contosso, rule())
        }),
        case("a rule's id was in use", Code::RuleExists, || {
            let mut world = World::stocked();
            set_by(&mut world, Who::Contosso, rule()).unwrap();
            world.contosso().does(rule_s(), RemoveAutoApprovalRule {}).unwrap();
            set_by(&mut world, Who::Contosso, rule())
        }),
        case("one rule too many", Code::LimitExceeded, || {
            let mut world = World::stocked();
            set_by(&mut world, Who::Contosso, rule()).unwrap();
            let State::Present(room) = &mut world.state else { unreachable!() };
            let one = room.rules[&rule_id()].clone();
            for number in 2..=RULES_MAX as u64 {
                room.rules.insert(RuleId::new(uuid(0x7, number)), one.clone());
            }
            let next = Subject::Rule(RuleId::new(uuid(0x7, 9_999)));
            world.contosso().does(next, SetAutoApprovalRule { rule: rule() })
        }),
        case("a rule without a name", Code::InvalidName, || set_as(|rule| rule.name.clear())),
        case("a rule with a name too long", Code::InvalidName, || {
            set_as(|rule| rule.name = "x".repeat(TEXT_LEN_MAX + 1))
        }),
        case("a rule that ended before", Code::InvalidExpiry, || {
            set_as(|rule| rule.expires_ms = Some(1))
        }),
        case("a rule for an author who is none", Code::InvalidRule, || {
            set_as(|rule| rule.author = Some(Who::Mallory.member()))
        }),
        case("a rule for a runner who is none", Code::InvalidRule, || {
            set_as(|rule| rule.runner = Some(Who::Mallory.member()))
        }),
        case("a rule for an output that is not", Code::InvalidRule, || {
            set_as(|rule| rule.output = Some(DatasetId::new(uuid(0xd, 99))))
        }),
        case("a rule on no input", Code::InvalidRule, || {
            set_as(|rule| rule.shape = reads(Vec::new()))
        }),
        case("a rule on too many inputs", Code::InvalidRule, || {
            set_as(|rule| {
                let one = || allowed(campaigns_id(), &["spend"], &[]);
                rule.shape = reads((0..=RULE_INPUTS_MAX).map(|_| one()).collect());
            })
        }),
        case("a rule on an input twice", Code::InvalidRule, || {
            set_as(|rule| rule.shape = reads(vec![allowed(campaigns_id(), &["spend"], &[]); 2]))
        }),
        case("a rule on a dataset that is not", Code::InvalidRule, || {
            set_as(|rule| {
                rule.shape = reads(vec![allowed(DatasetId::new(uuid(0xd, 99)), &["x"], &[])]);
            })
        }),
        case("a rule on a column that is not", Code::InvalidRule, || {
            set_as(|rule| rule.shape = reads(vec![allowed(campaigns_id(), &["missing"], &[])]))
        }),
        case("a rule on a column twice", Code::InvalidRule, || {
            set_as(|rule| {
                rule.shape = reads(vec![allowed(campaigns_id(), &["spend"], &["spend"])]);
            })
        }),
        case("a rule on no column", Code::InvalidRule, || {
            set_as(|rule| rule.shape = reads(vec![allowed(campaigns_id(), &[], &[])]))
        }),
        case("a rule on too many columns", Code::InvalidRule, || {
            set_as(|rule| {
                let many = vec!["spend"; COLUMNS_MAX + 1];
                rule.shape = reads(vec![allowed(campaigns_id(), &many, &[])]);
            })
        }),
        case("no rule is taken back", Code::RuleNotFound, || {
            World::stocked().contosso().does(rule_s(), RemoveAutoApprovalRule {})
        }),
        case("another's rule is taken back", Code::NotTheRuleOwner, || {
            let mut world = World::stocked();
            set_by(&mut world, Who::Contosso, rule()).unwrap();
            world.litware().does(rule_s(), RemoveAutoApprovalRule {})
        }),
        case("the subject of a rule is another", Code::WrongSubject, || {
            World::stocked().contosso().does(room(), SetAutoApprovalRule { rule: rule() })
        }),
        case("a run by another than the rule's runner", Code::RunnerNotApproved, || {
            let runner = Some(Who::Litware.member());
            let (mut world, _) = proposed_under(ApprovalRule { runner, ..rule() }, definition());
            world.approve(Who::Litware).unwrap();
            world.approve(Who::Fabrikam).unwrap();
            world.request(run_id())
        }),
    ]
}

#[test]
fn rejections() {
    check(&cases());
}

#[test]
fn text_digests_differ_by_what_is_said() {
    assert_ne!(text_digest(&definition()), text_digest(&without_litware()));
    assert_ne!(text_digest(&definition()), Digest::of(b"none"));
}
