//! What the entries of a part say so far, and whether the next one agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use chancery_governance::binding;
use chancery_governance::command::Command;
use chancery_governance::decide::change::digest as change_digest;
use chancery_governance::decide::dataset::version_digest;
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::event::{Event, QueryAccepted, QueryProposed, RunSucceeded};
use chancery_governance::replay::Prepared;
use chancery_governance::run::{Evidence, Platform};
use chancery_governance::subject::Subject;
use chancery_governance::submission::Carried;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Actor, Authority, Entry, Sealed};
use chancery_ledger::id::{CommandId, MemberId, RuleId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};

use super::super::agreement::agrees;
use super::super::entry::begins;
use super::super::verdict::{causes, check_of_refusal, tampered};
use crate::bundle::Header;
use crate::check::{Check, Verdict};
use crate::partial::needs::{Index, Need, needs};

/// Most missing things that are kept; the others are counted.
const MISSING_KEPT_MAX: usize = 100;

/// A part of a log, as far as it was checked.
pub struct Part {
    /// The keys that seal, each with the first position that it seals.
    pub service_keys: Vec<(u64, PublicKey)>,
    key_id: KeyId,
    pub name: String,
    pub service: String,
    pub hardware: bool,
    /// What is named, by the entry at which position, and not there.
    pub missing: Vec<(Option<u64>, Need)>,
    missing_more: usize,
    index: Index,
    commands: BTreeMap<u64, (CommandId, Actor)>,
    used: BTreeSet<CommandId>,
    keys: BTreeMap<KeyId, MemberKey>,
    runs: BTreeMap<RunId, Run>,
    proposals: BTreeMap<Digest, QueryProposed>,
    votes: BTreeMap<u64, (MemberId, Digest)>,
    rules: BTreeMap<RuleId, (MemberId, u64, Option<MemberId>)>,
    last_time_ms: u64,
}

struct MemberKey {
    member: MemberId,
    key: PublicKey,
    revoked: bool,
}

#[derive(Default)]
struct Run {
    request: Option<(Digest, Digest)>,
    executor: Option<PublicKey>,
    job_spec: Option<Digest>,
}

/// Whether a member votes on a proposal: as an owner of a dataset, or in a group.
fn has_vote(proposal: &QueryProposed, member: MemberId) -> bool {
    proposal.approvers.contains(&member)
        || proposal.groups.iter().any(|group| group.members.contains(&member))
}

/// By what right an entry stands in the log, in a word.
pub const fn right(authority: &Authority) -> &'static str {
    match authority {
        Authority::MemberSigned(_) => "member-signed",
        Authority::ExecutorSigned(_) => "executor-signed",
        Authority::ServiceSigned(_) => "service-signed",
        Authority::ServiceWitnessed(_) => "service-witnessed",
        Authority::Consequence(_) => "consequence",
    }
}

impl Part {
    pub fn new(header: &Header) -> Self {
        Self {
            service_keys: vec![(0, header.service_key.clone())],
            key_id: header.service_key.id(),
            name: String::new(),
            service: String::new(),
            hardware: true,
            missing: Vec::new(),
            missing_more: 0,
            index: Index::default(),
            commands: BTreeMap::new(),
            used: BTreeSet::new(),
            keys: BTreeMap::new(),
            runs: BTreeMap::new(),
            proposals: BTreeMap::new(),
            votes: BTreeMap::new(),
            rules: BTreeMap::new(),
            last_time_ms: 0,
        }
    }

    /// The key that seals the next entry, and its id.
    pub fn sealing(&self) -> (&PublicKey, KeyId) {
        (self.key_at(u64::MAX), self.key_id)
    }

    /// The key that signs the checkpoint of that size.
    pub fn key_at(&self, size: u64) -> &PublicKey {
        let since = self.service_keys.iter().rev().find(|(from, _)| *from <= size);
        &since.unwrap_or(&self.service_keys[0]).1
    }

    /// Whether something that can be named is there.
    pub fn holds(&self, need: &Need) -> bool {
        self.index.find(need).is_some_and(|position| self.commands.contains_key(&position))
    }

    pub const fn missing_count(&self) -> usize {
        self.missing.len() + self.missing_more
    }

    /// Takes the next entry, whose seal and place were checked.
    ///
    /// # Errors
    ///
    /// The failing check.
    pub fn take(
        &mut self,
        header: &Header,
        sealed: &Sealed,
        prepared: &Prepared,
    ) -> Result<(), Verdict> {
        let (entry, subject) = (sealed.entry(), prepared.recorded().subject);
        let event = prepared.event();
        let rules =
            |detail: &str| Err(tampered(Check::Rules, Some(entry.position), detail.to_owned()));
        if entry.time_ms < self.last_time_ms {
            return rules("its time is before that of an entry before");
        }
        if let Event::CollaborationCreated(created) = event {
            if entry.position != 0 {
                return rules("the log begins twice");
            }
            if created.rules != chancery_governance::RULES {
                let detail = format!("the log is under version {} of the rules", created.rules);
                return Err(Verdict::Unreadable { detail });
            }
            let verdict = begins(header, created)?;
            self.hardware &= verdict.platform != Platform::InsecureVirtual;
            (self.name, self.service) = (created.name.clone(), created.service.clone());
        } else if entry.position == 0 {
            return rules("the log does not begin with its creation");
        }
        for need in needs(entry, subject, event) {
            if self.holds(&need) {
            } else if self.missing.len() < MISSING_KEPT_MAX {
                self.missing.push((Some(entry.position), need));
            } else {
                self.missing_more += 1;
            }
        }
        self.authority(entry, prepared)?;
        self.event(header, sealed, subject, event)?;
        self.commands.insert(entry.position, (entry.command, entry.actor));
        self.last_time_ms = entry.time_ms;
        self.index.add(sealed, subject, event);
        Ok(())
    }

    /// The entry stands there by the right that it claims, as far as that shows.
    fn authority(&mut self, entry: &Entry, prepared: &Prepared) -> Result<(), Verdict> {
        let subject = prepared.recorded().subject;
        let fails =
            |check, detail: &str| Err(tampered(check, Some(entry.position), detail.to_owned()));
        if let Authority::Consequence(of) = entry.authority {
            let cause = self.commands.get(&of);
            return if cause.is_some_and(|cause| *cause != (entry.command, entry.actor)) {
                fails(Check::Rules, "it is of another command or actor than what it follows from")
            } else {
                Ok(())
            };
        }
        if !self.used.insert(entry.command) {
            return fails(Check::Rules, "the command id was used before");
        }
        let carried = prepared.carried(&entry.authority).map_err(|error| {
            tampered(check_of_refusal(&error), Some(entry.position), causes(&error))
        })?;
        if !agrees(entry, &carried.command, prepared.event()) {
            return fails(Check::Rules, "the event is not what its command asks for");
        }
        let Carried { command, signed, .. } = &*carried;
        let Some(signed) = signed else {
            // A witnessed token: the service's word.
            return match entry.actor {
                Actor::Member(_) => Ok(()),
                _ => fails(Check::Rules, "a token is a member's"),
            };
        };
        let said = &signed.command;
        if (said.audience, said.collaboration, said.command)
            != (self.key_id, entry.collaboration, entry.command)
            || said.subject != subject.to_string()
            || said.expires_ms < entry.time_ms
        {
            return fails(Check::Authority, "the signature is meant for something else");
        }
        let kid = signed.message.key_id();
        let key = match (&entry.authority, entry.actor, command, subject) {
            (Authority::MemberSigned(_), Actor::Member(actor), ..) => {
                // Where its registration is left out, that is what is missing.
                let Some(key) = self.keys.get(&kid) else { return Ok(()) };
                if key.revoked {
                    return fails(Check::Authority, "the key was revoked");
                }
                if key.member != actor {
                    return fails(Check::Rules, "the key is another member's");
                }
                key.key.clone()
            }
            (Authority::ExecutorSigned(_), Actor::Executor(actor), Command::AdmitRun(admit), _)
                if actor == kid =>
            {
                admit.executor.clone()
            }
            (Authority::ExecutorSigned(_), Actor::Executor(actor), _, Subject::Run(run))
                if actor == kid =>
            {
                let run = self.runs.get(&run);
                let Some(key) = run.and_then(|run| run.executor.clone()) else { return Ok(()) };
                key
            }
            (
                Authority::ServiceSigned(_),
                Actor::Service(actor),
                Command::RotateServiceKey(to),
                _,
            ) if actor == kid => to.key.clone(),
            _ => return fails(Check::Rules, "its actor is not who signed"),
        };
        let proven =
            prepared.verified().is_some_and(|proof| signed.message.is_verified_by(&proof, &key));
        if proven || signed.message.verify(&key).is_ok() {
            Ok(())
        } else {
            fails(Check::Authority, "the signature does not verify")
        }
    }

    /// The event agrees with those before, and its evidence with it.
    fn event(
        &mut self,
        header: &Header,
        sealed: &Sealed,
        subject: Subject,
        event: &Event,
    ) -> Result<(), Verdict> {
        let entry = sealed.entry();
        let position = entry.position;
        let rules = |detail: &str| Err(tampered(Check::Rules, Some(position), detail.to_owned()));
        let audience = self.key_id;
        match (event, subject, entry.actor) {
            (Event::ServiceKeyRotated(rotated), ..) => {
                let verdict = chancery_attestation::service::verify(
                    &rotated.evidence,
                    &self.service,
                    &rotated.key,
                )
                .map_err(|error| {
                    tampered(Check::ServiceEvidence, Some(position), causes(&error))
                })?;
                self.hardware &= verdict.platform != Platform::InsecureVirtual;
                if !matches!(entry.authority, Authority::ServiceSigned(_)) {
                    return rules("the service's key is changed by the service only");
                }
                self.key_id = rotated.key.id();
                self.service_keys.push((position + 1, rotated.key.clone()));
            }
            (Event::SigningKeyRegistered(event), Subject::Member(member), _) => {
                let key = MemberKey { member, key: event.key.clone(), revoked: false };
                if self.keys.insert(event.key.id(), key).is_some() {
                    return rules("the key is registered");
                }
            }
            (Event::SigningKeyRevoked(event), ..) => {
                if let Some(key) = self.keys.get_mut(&event.key) {
                    key.revoked = true;
                }
            }
            (Event::DatasetPublished(event), ..)
                if version_digest(&event.descriptor) != event.digest =>
            {
                return rules("the digest is not that of the descriptor");
            }
            (Event::QueryProposed(event), ..) => {
                if binding::digest(&event.binding) != event.digest {
                    return rules("the digest is not that of the binding");
                }
                self.proposals.insert(event.digest, event.clone());
            }
            (Event::QueryApproved(event), _, Actor::Member(member)) => {
                let proposal = self.proposals.get(&event.digest);
                if proposal.is_some_and(|proposal| !has_vote(proposal, member)) {
                    return rules("the vote is by no approver");
                }
                self.votes.insert(position, (member, event.digest));
            }
            (Event::AutoApprovalRuleSet(event), Subject::Rule(rule), Actor::Member(owner)) => {
                self.rules.insert(rule, (owner, position, event.rule.runner));
            }
            (Event::QueryApprovedByRule(event), ..) => {
                let proposal = self.proposals.get(&event.digest);
                if proposal.is_some_and(|proposal| !has_vote(proposal, event.member)) {
                    return rules("the vote is by no approver");
                }
                let set = (event.member, event.rule_position, event.runner);
                if self.rules.get(&event.rule).is_some_and(|rule| *rule != set) {
                    return rules("the rule is another's, or another");
                }
                self.votes.insert(position, (event.member, event.digest));
            }
            (Event::ChangeProposed(event), Subject::Change(id), _) => {
                let digest = change_digest(
                    header.collaboration,
                    id,
                    &event.change,
                    event.expires_ms,
                    event.terms,
                );
                if digest != event.digest {
                    return rules("the digest is not that of the change");
                }
            }
            (Event::QueryAccepted(event), ..) => return self.accepted(position, event),
            (Event::RunRequested(event), Subject::Run(run), _) => {
                let request = Some((sealed.leaf(), event.digest));
                self.runs.insert(run, Run { request, ..Run::default() });
            }
            (Event::RunAdmitted(event), Subject::Run(id), _) => {
                let run = self.runs.entry(id).or_default();
                run.executor = Some(event.executor.clone());
                run.job_spec = None;
                if let Some((nonce, _)) = run.request {
                    let (room, key) = (header.collaboration, &event.executor);
                    let bound = admission_report_data(audience, room, id, nonce, key);
                    self.evidence(position, &event.evidence, bound)?;
                }
            }
            (Event::RunSubmitted(event), Subject::Run(run), _) => {
                self.runs.entry(run).or_default().job_spec = Some(event.job_spec);
            }
            (Event::RunSucceeded(event), Subject::Run(run), _) => {
                return self.succeeded(header, position, run, event);
            }
            _ => {}
        }
        Ok(())
    }

    /// Every approver of the proposal voted for it, and nobody else is counted.
    fn accepted(&self, position: u64, event: &QueryAccepted) -> Result<(), Verdict> {
        let rules = |detail: &str| Err(tampered(Check::Rules, Some(position), detail.to_owned()));
        let mut voters = BTreeSet::new();
        for vote in &event.votes {
            match self.votes.get(vote) {
                Some((member, digest)) if *digest == event.digest => voters.insert(*member),
                Some(_) => return rules("a vote is on something else"),
                // Left out, which is what is missing, or no vote.
                None if self.commands.contains_key(vote) => return rules("a vote is none"),
                None => return Ok(()),
            };
        }
        let Some(proposal) = self.proposals.get(&event.digest) else { return Ok(()) };
        let owners = proposal.approvers.iter().all(|approver| voters.contains(approver));
        let groups = proposal.groups.iter().all(|group| {
            let votes = group.members.iter().filter(|member| voters.contains(member)).count();
            votes as u64 >= group.needed
        });
        if !owners || !groups || !voters.iter().all(|voter| has_vote(proposal, *voter)) {
            return rules("the votes are not those of every approver");
        }
        Ok(())
    }

    /// The result is of what was asked for, accepted and submitted, and its evidence binds it.
    fn succeeded(
        &mut self,
        header: &Header,
        position: u64,
        id: RunId,
        event: &RunSucceeded,
    ) -> Result<(), Verdict> {
        let rules = |detail: &str| Err(tampered(Check::Rules, Some(position), detail.to_owned()));
        let Some(Run { request, executor, job_spec }) = self.runs.get(&id) else { return Ok(()) };
        let result = &event.result;
        if request.is_some_and(|(_, digest)| digest != result.query_digest) {
            return rules("the result is of another query than the one asked for");
        }
        if job_spec.is_some_and(|job_spec| job_spec != result.job_spec) {
            return rules("the result is of another job spec than the one submitted");
        }
        if let Some(proposal) = self.proposals.get(&result.query_digest)
            && (proposal.binding.inputs != result.inputs
                || !proposal.binding.applications.contains(&result.application))
        {
            return rules("the result is of other inputs or another application than agreed");
        }
        if let (Some((nonce, _)), Some(executor)) = (request, executor) {
            let room = header.collaboration;
            let bound = result_report_data(self.key_id, room, id, *nonce, executor, result);
            self.evidence(position, &event.evidence, bound)?;
        }
        Ok(())
    }

    fn evidence(&mut self, at: u64, evidence: &Evidence, bound: Digest) -> Result<(), Verdict> {
        let fails = |detail| tampered(Check::ExecutorEvidence, Some(at), detail);
        let verdict =
            chancery_attestation::verify(evidence).map_err(|error| fails(causes(&error)))?;
        if verdict.report_data != bound {
            return Err(fails("the evidence binds something else".to_owned()));
        }
        self.hardware &= verdict.platform != Platform::InsecureVirtual;
        Ok(())
    }
}
