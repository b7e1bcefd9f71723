//! What to do about a reason against a run, and who can do it.

use std::collections::BTreeMap;

use chancery_ledger::id::{DatasetId, MemberId, QueryId, RunId};

use crate::budget;
use crate::consent::{ConsentKind, Scope};
use crate::event::RunRefused;
use crate::member::Ability;
use crate::privacy;
use crate::readiness::{Asked, readiness_at};
use crate::reason::{Code, Reason};
use crate::run::RefusedAt;
use crate::state::Collaboration;
use crate::state::query::{Query, Stage};
use crate::subject::Subject;

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        /// What to do. The texts are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Step { $($(#[$doc])* $name,)* }

        impl Step {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

steps! {
    /// Enable the workload.
    EnableWorkload "enable_workload";
    /// Name applications, or let one run this query.
    SetCleanRoomPolicy "set_clean_room_policy";
    /// End the pause.
    ResumeCollaboration "resume_collaboration";
    /// Give the runner the ability.
    GrantAbility "grant_ability";
    /// Put the draft up for votes.
    ProposeQuery "propose_query";
    /// Change the query, then put it up for votes.
    ReviseQuery "revise_query";
    /// Take the query back, and put it up for votes again as it is.
    ProposeAgain "propose_again";
    /// Vote.
    Vote "vote";
    /// Take the mark back.
    RestoreConsent "restore_consent";
    /// Wait for the next period, or publish a version with a larger budget.
    AwaitBudget "await_budget";
    /// Publish a version with a larger budget.
    RaiseBudget "raise_budget";
    /// Publish a version that lets the output's owner receive.
    AllowReceiver "allow_receiver";
    /// Name the digest that was accepted.
    NameDigest "name_digest";
    /// Nothing helps.
    Nothing "nothing";
}

/// A step and who can take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What to do.
    pub step: Step,
    /// The members who can, sorted; any of them, but where all must.
    pub who: Vec<MemberId>,
    /// One sentence for people.
    pub detail: String,
    /// When it is over by itself, milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
}

/// A remedy for each of `reasons`, which [`crate::readiness::readiness_at`] gave, in their order.
pub fn of(state: &Collaboration, query: QueryId, asked: &Asked, reasons: &[Reason]) -> Vec<Remedy> {
    let found = state.queries.get(&query);
    // How many reasons with this code and subject came before: each mark and budget has its own.
    let mut seen: BTreeMap<(Code, Option<&str>), usize> = BTreeMap::new();
    let each = reasons.iter().map(|reason| {
        let nth = seen.entry((reason.code, reason.subject.as_deref())).or_default();
        *nth += 1;
        by_members(state, one(state, found, asked, reason, *nth - 1))
    });
    each.collect()
}

/// A remedy for each reason that a run was refused for, in their order: for what still stands against
/// it, word for word. What does not has none, as it takes none.
pub fn of_refused(
    state: &Collaboration,
    run: RunId,
    refused: &RunRefused,
    now_ms: u64,
) -> Vec<Option<Remedy>> {
    let runner = state.runs.get(&run).map(|run| run.runner);
    let requested = match refused.stage {
        RefusedAt::Request => None,
        RefusedAt::Admission => Some(run),
    };
    let asked = Asked { runner, now_ms, run: requested };
    let mut standing = readiness_at(state, refused.query, &asked);
    // What the request named stands against the request only, and for good.
    let named = refused.reasons.iter().filter(|it| it.code == Code::QueryDigestMismatch);
    standing.extend(named.filter(|it| it.subject.is_some()).cloned());
    let mut remedies = of(state, refused.query, &asked, &standing);
    let each = refused.reasons.iter().map(|reason| {
        let at = standing.iter().position(|it| it == reason)?;
        standing.remove(at);
        Some(remedies.remove(at))
    });
    each.collect()
}

/// Whoever left can do nothing any more.
fn by_members(state: &Collaboration, mut remedy: Remedy) -> Remedy {
    remedy.who.retain(|id| state.members.contains_key(id));
    if remedy.who.is_empty() && remedy.step != Step::Nothing {
        let detail = "whoever could change this is no member any more".to_owned();
        return Remedy { step: Step::Nothing, who: Vec::new(), detail, at_ms: None };
    }
    remedy
}

fn one(
    state: &Collaboration,
    query: Option<&Query>,
    asked: &Asked,
    reason: &Reason,
    nth: usize,
) -> Remedy {
    let subject = reason.subject.as_deref().and_then(|text| text.parse::<Subject>().ok());
    let does = |step, who: Vec<MemberId>, what: &str| {
        let detail = match who.as_slice() {
            [] => what.to_owned(),
            _ => format!("{}: {what}", names(state, &who)),
        };
        Remedy { step, who, detail, at_ms: None }
    };
    let owners = || with_ability(state, Ability::Owner);
    let author = || query.map(|query| query.author).into_iter().collect::<Vec<_>>();
    let dataset = || match subject {
        Some(Subject::Dataset(id)) => Some(id),
        _ => None,
    };
    let owner = || dataset().and_then(|id| Some(state.datasets.get(&id)?.owner));
    let owner = || owner().into_iter().collect::<Vec<_>>();
    let retired = || {
        let dataset = dataset().and_then(|id| state.datasets.get(&id));
        dataset.is_some_and(|dataset| dataset.retired)
    };
    let revise = || {
        does(Step::ReviseQuery, author(), "revise the query for what stands now, and propose it")
    };
    match reason.code {
        Code::WorkloadNotEnabled => does(Step::EnableWorkload, owners(), "enable the workload"),
        Code::CleanRoomPolicyMissing => {
            does(Step::SetCleanRoomPolicy, owners(), "name the applications that may run queries")
        }
        Code::ApplicationNotForQuery => does(
            Step::SetCleanRoomPolicy,
            owners(),
            "let an application of the clean room policy run this query",
        ),
        Code::CollaborationPaused => {
            does(Step::ResumeCollaboration, owners(), "resume the collaboration")
        }
        Code::AbilityMissing => does(Step::GrantAbility, owners(), "give the runner the ability"),
        Code::QueryNotAccepted => not_accepted(query, does),
        Code::ApprovalMissing => match subject {
            Some(Subject::Member(member)) => does(Step::Vote, vec![member], "vote on the query"),
            // A group lacks votes: those of its members who have not voted.
            _ => does(Step::Vote, short_group(query, nth), "vote on the query, for your group"),
        },
        Code::RunnerNotApproved => does(
            Step::ProposeAgain,
            author(),
            "withdraw the query, revise it, and propose it again for the members' own votes",
        ),
        Code::ConsentWithdrawn => {
            let scope = match subject {
                Some(Subject::Collaboration(id)) => Some(Scope::Collaboration(id)),
                Some(Subject::Dataset(id)) => Some(Scope::Dataset(id)),
                Some(Subject::Query(id)) => Some(Scope::Query(id)),
                Some(
                    Subject::Invitation(_)
                    | Subject::Member(_)
                    | Subject::Run(_)
                    | Subject::Change(_)
                    | Subject::Rule(_),
                )
                | None => None,
            };
            let member =
                scope.and_then(|scope| state.marks_on(scope, ConsentKind::Execution).nth(nth));
            let who = member.into_iter().collect();
            does(Step::RestoreConsent, who, "restore your consent to execution")
        }
        // No version of it will follow.
        Code::RunBudgetSpent | Code::PrivacyBudgetSpent | Code::ReceiverNotAllowed if retired() => {
            revise()
        }
        Code::RunBudgetSpent => spent(state, asked, dataset(), nth, owner(), does),
        Code::PrivacyBudgetSpent => privacy_spent(state, asked, dataset(), owner(), does),
        Code::ReceiverNotAllowed => does(
            Step::AllowReceiver,
            owner(),
            "publish a version whose receivers include the output's owner",
        ),
        Code::DatasetRetired
        | Code::DatasetVersionChanged
        | Code::MemberRemoved
        | Code::TermsChanged => revise(),
        Code::CleanRoomPolicyChanged => does(
            Step::ProposeAgain,
            author(),
            "withdraw the query, revise it, and propose it again under the policy as it is now",
        ),
        Code::QueryDigestMismatch if subject.is_some() => {
            let who = asked.runner.into_iter().collect();
            does(Step::NameDigest, who, "ask for the digest that was accepted")
        }
        Code::QueryDigestMismatch | Code::AcceptanceExpired => does(
            Step::ProposeAgain,
            author(),
            "withdraw the query, revise it, and propose it again",
        ),
        _ => does(Step::Nothing, Vec::new(), "nothing that a member can do changes this"),
    }
}

fn not_accepted(
    query: Option<&Query>,
    does: impl Fn(Step, Vec<MemberId>, &str) -> Remedy,
) -> Remedy {
    let Some(query) = query else {
        return does(Step::Nothing, Vec::new(), "there is no such query");
    };
    let author = vec![query.author];
    match &query.stage {
        Stage::Draft => does(Step::ProposeQuery, author, "propose the query"),
        Stage::Proposed(proposal) => {
            does(Step::Vote, proposal.pending().collect(), "vote on the query, each of you")
        }
        Stage::Rejected { .. } | Stage::Withdrawn | Stage::Superseded { .. } => {
            does(Step::ReviseQuery, author, "revise the query, and propose it")
        }
        // Something else stands against it.
        Stage::Accepted(_) => does(Step::Nothing, Vec::new(), "look again"),
    }
}

/// Who may still vote for the `nth` group that lacks votes.
fn short_group(query: Option<&Query>, nth: usize) -> Vec<MemberId> {
    let Some(Stage::Proposed(proposal)) = query.map(|query| &query.stage) else {
        return Vec::new();
    };
    let group = proposal.short_groups(None).nth(nth).map(|(group, _)| group);
    let members = group.into_iter().flat_map(|group| &group.members);
    members.filter(|member| !proposal.votes.contains_key(member)).copied().collect()
}

/// The `nth` spent budget of a dataset.
fn spent(
    state: &Collaboration,
    asked: &Asked,
    dataset: Option<DatasetId>,
    nth: usize,
    owner: Vec<MemberId>,
    does: impl Fn(Step, Vec<MemberId>, &str) -> Remedy,
) -> Remedy {
    let standings = dataset.map(|id| budget::standings(state, id, asked)).unwrap_or_default();
    let standing = standings.into_iter().filter(budget::Standing::is_spent).nth(nth);
    match standing.and_then(|standing| standing.renews_ms) {
        Some(at_ms) => {
            let wait = format!(
                "wait until {}, or publish a version with a larger budget",
                crate::calendar::text(at_ms)
            );
            Remedy { at_ms: Some(at_ms), ..does(Step::AwaitBudget, owner, &wait) }
        }
        None => does(Step::RaiseBudget, owner, "publish a version with a larger budget"),
    }
}

/// A dataset of whose budget of privacy too little is left.
fn privacy_spent(
    state: &Collaboration,
    asked: &Asked,
    dataset: Option<DatasetId>,
    owner: Vec<MemberId>,
    does: impl Fn(Step, Vec<MemberId>, &str) -> Remedy,
) -> Remedy {
    let standing = dataset.and_then(|id| privacy::budget::standing(state, id, asked.now_ms));
    match standing.and_then(|standing| standing.renews_ms) {
        Some(at_ms) => {
            let wait = format!(
                "wait until {}, or publish a version with a larger budget of privacy",
                crate::calendar::text(at_ms)
            );
            Remedy { at_ms: Some(at_ms), ..does(Step::AwaitBudget, owner, &wait) }
        }
        None => does(Step::RaiseBudget, owner, "publish a version with a larger budget of privacy"),
    }
}

fn with_ability(state: &Collaboration, ability: Ability) -> Vec<MemberId> {
    let able = state.members.iter().filter(|(_, member)| member.abilities.contains(&ability));
    able.map(|(id, _)| *id).collect()
}

fn names(state: &Collaboration, who: &[MemberId]) -> String {
    let name = |id: &MemberId| {
        state.members.get(id).map_or_else(|| id.to_string(), |member| member.organisation.clone())
    };
    who.iter().map(name).collect::<Vec<_>>().join(", ")
}
