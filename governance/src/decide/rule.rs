//! Auto-approval rules: set by who votes, and the votes that they cast when a query is proposed.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, MemberId, RuleId};

use super::change::check_deadline;
use super::collaboration::TEXT_LEN_MAX;
use super::terms::ACCEPTANCE_LIFETIME_MS_MAX;
use super::{Events, check_text};
use crate::binding;
use crate::command::SetAutoApprovalRule;
use crate::dataset::COLUMNS_MAX;
use crate::event::{AutoApprovalRuleRemoved, AutoApprovalRuleSet, QueryApprovedByRule};
use crate::member::SignedAct;
use crate::query::{Binding, Definition};
use crate::reason::{Code, Reason, Rejection};
use crate::rule::{AllowedInput, ApprovalRule, RULE_INPUTS_MAX, Shape};
use crate::sql::Analysis;
use crate::state::{Collaboration, Rule};
use crate::subject::Subject;
use crate::wire::Wire;

/// Most rules that vote in a collaboration.
pub const RULES_MAX: usize = 1_000;

/// What [`Shape::Text`] names: SHA-256 of the canonical CBOR of `["chancery/v1/query-text",
/// segments, inputs, parameters]`, as the definition has them.
pub fn text_digest(definition: &Definition) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/query-text"),
        definition.segments.encode(),
        definition.inputs.encode(),
        definition.parameters.encode(),
    ])))
}

pub(super) fn set(
    state: &Collaboration,
    id: RuleId,
    (caller, member_signed): (MemberId, bool),
    command: &SetAutoApprovalRule,
    now_ms: u64,
) -> Result<Events, Rejection> {
    // A rule that was taken back keeps its id: votes that it cast name it.
    if state.versions.contains_key(&Subject::Rule(id)) {
        return Err(Rejection::new(Code::RuleExists, "the rule's id is in use"));
    }
    let owns = state.ties.owned_by(caller).next().is_some();
    let seat = state.terms.groups.iter().any(|group| group.members.contains(&caller));
    if !owns && !seat {
        return Err(Rejection::new(
            Code::NotAnApprover,
            "only who votes on queries approves them in advance: owners of datasets, and groups",
        ));
    }
    if state.rules.len() >= RULES_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a collaboration has at most {RULES_MAX} rules"),
        ));
    }
    let rule = &command.rule;
    check_text("the name", &rule.name, TEXT_LEN_MAX)?;
    check_deadline(rule.expires_ms, now_ms, ACCEPTANCE_LIFETIME_MS_MAX)?;
    if let Some(rejection) = Rejection::of(faults(state, rule)) {
        return Err(rejection);
    }
    let set = AutoApprovalRuleSet { rule: rule.clone(), member_signed };
    Ok(vec![(Subject::Rule(id), set.into())])
}

pub(super) fn remove(
    state: &Collaboration,
    id: RuleId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let rule = state
        .rules
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::RuleNotFound, "there is no such rule"))?;
    if rule.owner != caller {
        return Err(Rejection::new(
            Code::NotTheRuleOwner,
            "only the member who set a rule takes it back",
        ));
    }
    Ok(vec![(Subject::Rule(id), AutoApprovalRuleRemoved {}.into())])
}

fn faults(state: &Collaboration, rule: &ApprovalRule) -> Vec<Reason> {
    let mut faults = Vec::new();
    let mut fault = |detail: String| faults.push(Reason::new(Code::InvalidRule, detail));
    for (field, member) in [("author", rule.author), ("runner", rule.runner)] {
        if let Some(member) = member
            && !state.members.contains_key(&member)
        {
            fault(format!("{field}: {member} is no member"));
        }
    }
    if let Some(output) = rule.output
        && !state.datasets.contains_key(&output)
    {
        fault(format!("output: there is no dataset {output}"));
    }
    let Shape::Reads(inputs) = &rule.shape else { return faults };
    if inputs.is_empty() || inputs.len() > RULE_INPUTS_MAX {
        fault(format!("shape.inputs: 1 to {RULE_INPUTS_MAX}"));
    }
    let mut named = BTreeSet::new();
    for input in inputs {
        if !named.insert(input.dataset) {
            fault(format!("shape.inputs: {} stands twice", input.dataset));
        }
        faults_of_input(state, input, &mut fault);
    }
    faults
}

fn faults_of_input(state: &Collaboration, input: &AllowedInput, fault: &mut impl FnMut(String)) {
    let AllowedInput { dataset: id, columns, aggregates } = input;
    let Some((_, version)) = state.dataset_version(*id) else {
        return fault(format!("shape.inputs: there is no dataset {id}"));
    };
    let count = columns.len() + aggregates.len();
    if count == 0 || count > COLUMNS_MAX {
        return fault(format!("shape.inputs: 1 to {COLUMNS_MAX} columns of {id}"));
    }
    let mut told = BTreeSet::new();
    for name in columns.iter().chain(aggregates) {
        if !version.descriptor.columns.iter().any(|column| column.name == *name) {
            fault(format!("shape.inputs: {id} has no column {name}"));
        }
        if !told.insert(name) {
            fault(format!("shape.inputs: {name} of {id} stands twice"));
        }
    }
}

/// The votes that rules cast on a proposal the moment it is made, one for each member.
pub(super) fn votes(
    state: &Collaboration,
    author: MemberId,
    (binding, digest): (&Binding, Digest),
    has_vote: impl Fn(MemberId) -> bool,
    now_ms: u64,
) -> Vec<QueryApprovedByRule> {
    // What it costs in privacy is for its approvers themselves to see.
    if binding.definition.privacy.is_some() {
        return Vec::new();
    }
    let signed = state.terms.member_signed.contains(&SignedAct::Votes);
    let mut candidates = state
        .rules
        .iter()
        .filter(|(_, rule)| {
            let stands = rule.rule.expires_ms.is_none_or(|until_ms| now_ms <= until_ms)
                && (rule.member_signed || !signed);
            stands && has_vote(rule.owner) && names(rule, author, &binding.definition)
        })
        .peekable();
    if candidates.peek().is_none() {
        return Vec::new();
    }
    let Some(analysis) = analyse(state, binding) else { return Vec::new() };
    // A rule without a runner says more than one with; of equals the one that was set first votes.
    let mut chosen: BTreeMap<MemberId, (RuleId, &Rule)> = BTreeMap::new();
    let weight = |rule: &Rule| (rule.rule.runner.is_some(), rule.position);
    for (id, rule) in candidates.filter(|(_, rule)| fits(rule, &binding.definition, &analysis)) {
        let best = chosen.entry(rule.owner).or_insert((*id, rule));
        if weight(rule) < weight(best.1) {
            *best = (*id, rule);
        }
    }
    chosen
        .into_iter()
        .map(|(member, (id, rule))| QueryApprovedByRule {
            digest,
            member,
            rule: id,
            rule_position: rule.position,
            runner: rule.rule.runner,
        })
        .collect()
}

fn names(rule: &Rule, author: MemberId, definition: &Definition) -> bool {
    rule.rule.author.is_none_or(|named| named == author)
        && rule.rule.output.is_none_or(|named| named == definition.output)
}

fn analyse(state: &Collaboration, binding: &Binding) -> Option<Analysis> {
    let inputs = binding.inputs.iter().map(|version| state.dataset_at(version));
    binding::analyse(&binding.definition, &inputs.collect::<Option<Vec<_>>>()?).ok()
}

/// Whether the query says no more than the shape lets it.
fn fits(rule: &Rule, definition: &Definition, analysis: &Analysis) -> bool {
    match &rule.rule.shape {
        Shape::Text(digest) => *digest == text_digest(definition),
        Shape::Reads(allowed) => definition.inputs.iter().all(|input| {
            allowed
                .iter()
                .find(|allowed| allowed.dataset == input.dataset)
                .is_some_and(|allowed| reads_within(&input.alias, allowed, analysis))
        }),
    }
}

/// Whether what is read under `alias` is allowed, and what only aggregates may show is shown by
/// nothing else.
fn reads_within(alias: &str, allowed: &AllowedInput, analysis: &Analysis) -> bool {
    let is = |list: &[String], name: &str| list.iter().any(|one| one.eq_ignore_ascii_case(name));
    let read = analysis.segments.iter().filter_map(|segment| segment.reads.get(alias)).flatten();
    let mut read = read.chain(analysis.loads.get(alias).into_iter().flatten());
    if !read.all(|name| is(&allowed.columns, name) || is(&allowed.aggregates, name)) {
        return false;
    }
    let shown = analysis.segments.last().map(|segment| segment.output.as_slice());
    shown.unwrap_or_default().iter().all(|column| {
        column.aggregated
            || !column
                .sources
                .iter()
                .any(|(source, name)| source == alias && !is(&allowed.columns, name))
    })
}

/// The datasets that a rule's shape names.
pub fn datasets(rule: &ApprovalRule) -> impl Iterator<Item = DatasetId> {
    let inputs = match &rule.shape {
        Shape::Reads(inputs) => inputs.as_slice(),
        Shape::Text(_) => &[],
    };
    inputs.iter().map(|input| input.dataset).chain(rule.output)
}
