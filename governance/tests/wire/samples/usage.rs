//! What limits use, filled in everywhere: fields that are left out at their default.

use chancery_governance::clean_room::{Claims, Demands, Only, Tcb};
use chancery_governance::command::{Command, SetCleanRoomPolicy};
use chancery_governance::dataset::Descriptor;
use chancery_governance::event;
use chancery_governance::member::Ability;
use chancery_governance::query::Binding;
use chancery_governance::reason::{Code, Reason};
use chancery_governance::run::{Evidence, Platform, RefusedAt};
use chancery_governance::usage::{Period, Receiver, RunBudget, Usage};
use chancery_ledger::key::PublicKey;

use super::{descriptor, digest};
use crate::support::fixtures::{orders_s, query_id};
use crate::support::people::Who;

const TCB: Tcb = Tcb { bootloader: 4, tee: 0, snp: 22, microcode: 213 };

fn demands() -> Demands {
    Demands {
        host_data: vec![digest("host data")],
        engines: vec![digest("engine image")],
        minimum_tcb: Some(TCB),
    }
}

pub fn policy() -> SetCleanRoomPolicy {
    SetCleanRoomPolicy {
        applications: vec![digest("application 1")],
        demands: demands(),
        only: vec![Only { application: digest("application 1"), queries: vec![query_id()] }],
    }
}

pub fn policy_set() -> event::CleanRoomPolicySet {
    let SetCleanRoomPolicy { applications, demands, only } = policy();
    event::CleanRoomPolicySet { applications, demands, only }
}

pub fn limited() -> Descriptor {
    let budget = |period, runs, each_runner| RunBudget { period, runs, each_runner };
    let mut limited = descriptor();
    limited.usage = Usage {
        budgets: vec![
            budget(Period::Day, 3, true),
            budget(Period::Week, 10, false),
            budget(Period::Month, 30, false),
            budget(Period::Life, 1_000_000, false),
        ],
        receivers: vec![
            Receiver::Member(Who::Fabrikam.member()),
            Receiver::Organisation("Fabrikam".into()),
            Receiver::Ability(Ability::ResultReceiver),
        ],
    };
    limited
}

pub fn published() -> event::DatasetPublished {
    event::DatasetPublished { descriptor: limited(), digest: digest("orders 3") }
}

pub fn proposed(mut binding: Binding) -> event::QueryProposed {
    binding.demands = demands();
    let approvers = vec![Who::Contosso.member()];
    event::QueryProposed { binding, digest: digest("binding 2"), approvers, groups: Vec::new() }
}

pub fn admitted(executor: &PublicKey, evidence: Evidence) -> event::RunAdmitted {
    event::RunAdmitted {
        executor: executor.clone(),
        platform: Platform::SevSnp,
        measurement: digest("application 1"),
        claims: Claims {
            host_data: Some(digest("host data")),
            engine: Some(digest("engine image")),
            tcb: Some(TCB),
            debug: Some(false),
        },
        evidence,
    }
}

pub fn refused() -> event::RunRefused {
    let reason = Reason::about(Code::RunBudgetSpent, orders_s(), "3 runs a day");
    let (stage, reasons) = (RefusedAt::Request, vec![reason]);
    event::RunRefused { query: query_id(), stage, reasons }
}

/// Contents with the fields that [`super::commands`] has at their defaults.
pub fn contents() -> Vec<(&'static str, Command)> {
    let publish = chancery_governance::command::PublishDataset { descriptor: limited() };
    vec![("set-policy-demands", policy().into()), ("publish-usage", publish.into())]
}
