//! Words that all forms of the report share: names, times, rights; and which characters show.
//!
//! Names and details come from the log, that is from strangers: no character of theirs reaches the
//! reader that could move a cursor or turn the reading direction.

use std::collections::BTreeMap;
use std::fmt;

use chancery_governance::budget;
use chancery_governance::dataset::{
    AccessPolicy, ColumnRule, ColumnType, GroupIdentity, LiteralComparisons,
};
use chancery_governance::member::Identity;
use chancery_governance::privacy::{
    Bounds, DeclaredValues, DifferentialPrivacy, Loss, LossBudget, Mechanism, Noised, decimal,
    loss_text, micro_text,
};
use chancery_governance::run::Platform;
use chancery_governance::sql::{Literal, OutputColumn};
use chancery_governance::state::lifecycle::Lifecycle;
use chancery_governance::subject::Subject;
use chancery_governance::usage::{Period, Receiver, Usage};
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{DatasetId, MemberId, QueryId};

use crate::partial::PartialContents;
use crate::report::{By, Contents, Places};

/// The names that ids go by in a report.
#[derive(Debug, Default)]
pub struct Names<'a> {
    members: BTreeMap<MemberId, &'a str>,
    datasets: BTreeMap<DatasetId, &'a str>,
    queries: BTreeMap<QueryId, &'a str>,
}

impl<'a> Names<'a> {
    pub fn of(contents: &'a Contents) -> Self {
        let members = contents.members.iter();
        let datasets = contents.datasets.iter();
        let queries = contents.queries.iter();
        Self {
            members: members.map(|one| (one.id, one.organisation.as_str())).collect(),
            datasets: datasets.map(|one| (one.id, one.name.as_str())).collect(),
            queries: queries.map(|one| (one.id, one.name.as_str())).collect(),
        }
    }

    /// Those that the entries of a part say.
    pub fn of_part(part: &'a PartialContents) -> Self {
        let mut names = Self::default();
        for (subject, name) in &part.names {
            match subject {
                Subject::Member(id) => drop(names.members.insert(*id, name)),
                Subject::Dataset(id) => drop(names.datasets.insert(*id, name)),
                Subject::Query(id) => drop(names.queries.insert(*id, name)),
                Subject::Collaboration(_)
                | Subject::Invitation(_)
                | Subject::Run(_)
                | Subject::Change(_)
                | Subject::Rule(_) => {}
            }
        }
        names
    }

    pub fn member(&self, id: MemberId) -> String {
        named(&self.members, &id)
    }

    pub fn dataset(&self, id: DatasetId) -> String {
        named(&self.datasets, &id)
    }

    pub fn query(&self, id: QueryId) -> String {
        named(&self.queries, &id)
    }

    pub fn actor(&self, actor: Actor) -> String {
        match actor {
            Actor::Member(member) => self.member(member),
            Actor::Executor(key) => format!("executor {}", short(&key)),
            Actor::Service(key) => format!("the service, by key {},", short(&key)),
        }
    }

    pub fn subject(&self, subject: Subject) -> String {
        match subject {
            Subject::Collaboration(_) => "the clean room".to_owned(),
            Subject::Invitation(id) => {
                let member = chancery_governance::subject::member_of(id);
                self.members.get(&member).map_or_else(
                    || subject.to_string(),
                    |organisation| format!("for {organisation}"),
                )
            }
            Subject::Member(id) => self.member(id),
            Subject::Dataset(id) => self.dataset(id),
            Subject::Query(id) => self.query(id),
            Subject::Run(id) => format!("run {id}"),
            Subject::Change(id) => format!("change request {id}"),
            Subject::Rule(id) => format!("rule {id}"),
        }
    }
}

fn named<T: Ord + fmt::Display>(names: &BTreeMap<T, &str>, id: &T) -> String {
    names.get(id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
}

/// What happened, for a reader who doesn't know the event types; those stand for themselves.
pub fn deed(kind: &str) -> &str {
    match kind {
        "CollaborationCreated" => "founded",
        "WorkloadEnabled" => "enabled a workload in",
        "CleanRoomPolicySet" => "named the applications of",
        "CollaboratorInvited" => "wrote an invitation",
        "InvitationWithdrawn" => "withdrew the invitation",
        "InvitationAccepted" => "accepted the invitation",
        "CollaboratorActivated" => "became a member:",
        "SigningKeyRegistered" => "registered a key of",
        "SigningKeyRevoked" => "revoked a key of",
        "DatasetPublished" => "published dataset",
        "DatasetRetired" => "retired dataset",
        "QueryDrafted" => "drafted query",
        "QueryRevised" => "revised query",
        "QueryProposed" => "proposed query",
        "QueryApproved" => "voted yes on query",
        "QueryRejected" => "voted no on query",
        "QueryWithdrawn" => "took back query",
        "QueryAccepted" => "accepted, by the last vote, query",
        "QuerySuperseded" => "superseded, by this, query",
        "ConsentWithdrawn" => "withdrew consent to use",
        "ConsentRestored" => "restored consent to use",
        "CollaborationPaused" => "paused",
        "CollaborationResumed" => "resumed",
        "CollaborationClosed" => "closed for good",
        "ServiceKeyRotated" => "took over the seal of",
        "CollaboratorRemoved" => "ended the membership of",
        "AbilityGranted" => "gave an ability to",
        "AbilityRevoked" => "took an ability from",
        "ConsentLapsed" => "let a former member\u{2019}s mark fall on",
        "ChangeProposed" => "asked for the members\u{2019} vote on",
        "ChangeApproved" => "voted yes on",
        "ChangeRejected" => "voted no on",
        "ChangeWithdrawn" => "took back",
        "ChangeSuperseded" => "superseded, by this,",
        "ChangeCommitted" => "made, with the votes that it takes,",
        "AutoApprovalRuleSet" => "approved in advance, by",
        "AutoApprovalRuleRemoved" => "ended",
        "QueryApprovedByRule" => "had a rule of a member vote yes on query",
        "SubjectErased" => "erased the e-mail address of the invitation",
        "RunRequested" => "requested",
        "RunRefused" => "was refused",
        "RunAdmitted" => "was admitted to",
        "RunSubmitted" => "handed to the engine:",
        "RunStarted" => "started",
        "RunSucceeded" => "attested the result of",
        "RunFailed" => "reported the failure of",
        "RunCancelled" => "cancelled",
        "AttestationRecorded" => "showed evidence for",
        "DatasetSecretStored" => "stored a secret of dataset",
        "DatasetSecretErased" => "destroyed the secret of dataset",
        "SecretReleased" => "was given a secret for",
        "SecretRefused" => "was refused a secret for",
        "TokenMinted" => "was given a token for",
        "TokenRefused" => "was refused a token for",
        other => other,
    }
}

/// That a clean room is paused or closed, by whom and why; nothing while it is open.
pub fn stopped(lifecycle: &Lifecycle, names: &Names<'_>) -> Option<String> {
    let (how, standing) = match lifecycle {
        Lifecycle::Open => return None,
        Lifecycle::Paused(standing) => ("paused", standing),
        Lifecycle::Closed(standing) => ("closed for good", standing),
    };
    let (who, position) = (names.member(standing.by), standing.position);
    Some(format!("{how} by {who} at {position}: {}", standing.reason))
}

/// What a dataset's owner says of its use, one line each.
pub fn usage(usage: &Usage, names: &Names<'_>) -> Vec<String> {
    let budgets = usage.budgets.iter().map(|budget| format!("at most {}", budget::words(budget)));
    let receivers = usage.receivers.iter().map(|receiver| match receiver {
        Receiver::Member(id) => names.member(*id),
        Receiver::Organisation(name) => name.clone(),
        Receiver::Ability(ability) => format!("who has the ability {}", ability.as_str()),
    });
    let receivers: Vec<_> = receivers.collect();
    let receivers =
        (!receivers.is_empty()).then(|| format!("results may go to {} only", receivers.join(", ")));
    budgets.chain(receivers).collect()
}

/// Who somebody is to an issuer.
pub fn who(identity: &Identity) -> String {
    let tenant =
        identity.tenant.as_ref().map_or(String::new(), |tenant| format!(" of tenant {tenant}"));
    format!("{}{tenant} at {}", identity.subject, identity.issuer)
}

pub fn right(by: &By) -> String {
    match by {
        By::Key(key) => format!("signed by key {}", short(key)),
        By::ServiceWitnessed => "service-witnessed".to_owned(),
        By::Consequence(of) => format!("following from {of}"),
    }
}

pub const fn label(platform: Platform) -> &'static str {
    match platform {
        Platform::InsecureVirtual => "insecure-virtual: no hardware",
        Platform::SevSnp => "sev-snp",
    }
}

/// What a log without any released secret says of that.
pub fn no_secret() -> String {
    "No secret was released by the ledger in this log: no such event stands in it. What executors \
     could read, they could read by their admission."
        .to_owned()
}

/// How many entries and where, as in `12 entries, first at 3, 4`.
pub fn places(places: &Places) -> String {
    let first: Vec<_> = places.first.iter().map(ToString::to_string).collect();
    let first = first.join(", ");
    match places.count {
        0 => "none".to_owned(),
        count if count == places.first.len() as u64 => format!("at {first}"),
        count => format!("{count} entries, the first at {first}"),
    }
}

/// The type of a parameter's value.
pub fn literal(value: &Literal) -> String {
    let kind = match value {
        Literal::String(_) => ColumnType::String,
        Literal::Long(_) => ColumnType::Long,
        Literal::Boolean(_) => ColumnType::Boolean,
        Literal::Date(_) => ColumnType::Date,
        Literal::Timestamp(_) => ColumnType::Timestamp,
        Literal::Double(_) => ColumnType::Double,
        Literal::Decimal(decimal, _) => ColumnType::Decimal(*decimal),
    };
    kind.to_string()
}

/// The text of a parameter's value.
pub fn value(value: &Literal) -> String {
    match value {
        Literal::Long(number) => number.to_string(),
        Literal::Boolean(truth) => truth.to_string(),
        Literal::String(text)
        | Literal::Date(text)
        | Literal::Timestamp(text)
        | Literal::Double(text)
        | Literal::Decimal(_, text) => text.clone(),
    }
}

/// The first 16 hex digits: enough to tell apart, not to compare by.
pub fn short(digest: &Digest) -> String {
    digest.to_hex().chars().take(16).chain(['\u{2026}']).collect()
}

/// `1 file`, `2 files`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = match (number, noun) {
        (1, _) => noun.to_owned(),
        (_, "entry") => "entries".to_owned(),
        (_, "query") => "queries".to_owned(),
        _ => format!("{noun}s"),
    };
    format!("{number} {plural}")
}

/// A time as RFC 3339 writes it, to the second, by Hinnant's algorithm for the civil calendar.
pub fn utc(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `text` with every character that does more than show replaced by U+FFFD; line ends too.
pub fn plain(text: &str) -> String {
    text.chars().map(|char| if is_plain(char) { char } else { '\u{fffd}' }).collect()
}

/// Whether a character shows as itself and does nothing else.
pub fn is_plain(char: char) -> bool {
    !char.is_control()
        && !matches!(
            char,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// What a policy lets queries do with its dataset, one thing a line.
pub fn policy(policy: &AccessPolicy) -> Vec<String> {
    let AccessPolicy { allowed_columns, minimum_group, column_rules, differential_privacy } =
        policy;
    let mut lines = vec![format!("columns {}", allowed_columns.join(", "))];
    lines.extend(minimum_group.as_ref().map(|group| match &group.identity {
        GroupIdentity::Row => format!("{} rows behind every group", group.count),
        GroupIdentity::Column(column) => {
            format!("{} distinct {column} behind every group", group.count)
        }
    }));
    lines.extend(column_rules.iter().map(column_rule));
    lines.extend(differential_privacy.iter().flat_map(privacy));
    lines
}

fn privacy(policy: &DifferentialPrivacy) -> Vec<String> {
    let DifferentialPrivacy {
        unit,
        budget: LossBudget { period, epsilon_micro, delta_pico },
        query_epsilon_micro_max,
        groups_max,
        rows_max,
        columns,
        declared,
    } = policy;
    let loss = loss_text(Loss { epsilon_micro: *epsilon_micro, delta_pico: *delta_pico });
    let each = match period {
        Period::Day => "a day",
        Period::Week => "a week",
        Period::Month => "a month",
        Period::Life => "in all",
    };
    let most = micro_text(*query_epsilon_micro_max);
    let mut lines = vec![
        format!("differential privacy of each {unit}: {loss} {each}, ε {most} a query at most"),
        format!("each {unit} counts in {groups_max} groups at most, for {rows_max} rows in each"),
    ];
    lines.extend(columns.iter().map(|Bounds { column, lower, upper, decimals }| {
        let unit = if *decimals == 0 { String::new() } else { format!(" units of 1e-{decimals}") };
        format!("{column} counts from {lower} to {upper}{unit}")
    }));
    lines.extend(declared.iter().map(|DeclaredValues { column, values }| {
        format!("{column} has these values and no other: {}", values.join(", "))
    }));
    lines
}

/// The noise in a result, one a line.
pub fn noise(noised: &Noised) -> Vec<String> {
    let Noised { epsilon_micro, delta_pico, mechanisms } = noised;
    let loss = Loss { epsilon_micro: *epsilon_micro, delta_pico: *delta_pico };
    let mut lines = vec![format!("differential privacy: it cost {}", loss_text(loss))];
    lines.extend(mechanisms.iter().map(|one| {
        let Mechanism { column, of, mechanism, epsilon_micro, sensitivity, scale_milli, threshold } =
            one;
        let shown = threshold.map_or(String::new(), |least| format!(", shown from {least} on"));
        format!(
            "{column}, {}: {mechanism} of scale {} for a sensitivity of {sensitivity}, ε {}{shown}",
            of.as_str().replace('_', " "),
            decimal(*scale_milli, 3),
            micro_text(*epsilon_micro)
        )
    }));
    lines
}

fn column_rule(rule: &ColumnRule) -> String {
    let ColumnRule { column, minimum, aggregate_only, output_forbidden, join_only, literals } =
        rule;
    let literals = match literals {
        LiteralComparisons::Any => None,
        LiteralComparisons::Equality => Some("compared with whole literals only"),
        LiteralComparisons::None => Some("compared with no literal"),
    };
    let flags = [
        aggregate_only.then_some("in aggregates only"),
        output_forbidden.then_some("not for the output"),
        join_only.then_some("for joins only"),
        literals,
    ];
    let minimum = minimum.map(|minimum| format!("minimum {minimum}"));
    let words: Vec<_> =
        minimum.into_iter().chain(flags.into_iter().flatten().map(str::to_owned)).collect();
    format!("{column}: {}", words.join(", "))
}

/// Where an output column comes from.
pub fn lineage(column: &OutputColumn) -> String {
    let sources: Vec<_> =
        column.sources.iter().map(|(input, name)| format!("{input}.{name}")).collect();
    match (sources.is_empty(), column.aggregated) {
        (true, true) => "a count of rows".to_owned(),
        (true, false) => "a constant".to_owned(),
        (false, true) => format!("an aggregate of {}", sources.join(", ")),
        (false, false) => format!("from {}", sources.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_governance::event::Event;

    #[test]
    fn times_read_as_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert!(!utc(u64::MAX).is_empty());
    }

    #[test]
    fn every_event_type_has_its_words() {
        for kind in Event::KINDS {
            assert_ne!(deed(kind), *kind);
        }
    }

    #[test]
    fn places_say_how_many_and_where() {
        let mut some = Places::default();
        assert_eq!(places(&some), "none");
        (1..=2).for_each(|position| some.add(position));
        assert_eq!(places(&some), "at 1, 2");
        (3..=9).for_each(|position| some.add(position));
        assert_eq!(places(&some), "9 entries, the first at 1, 2, 3, 4, 5, 6, 7, 8");
    }
}
