//! What a descriptor may say of the use of a dataset.

use std::collections::BTreeSet;

use super::collaboration::TEXT_LEN_MAX;
use super::run::RUNS_MAX;
use crate::dataset::{AccessMode, Descriptor};
use crate::reason::{Code, Reason};
use crate::usage::{BUDGETS_MAX, RECEIVERS_MAX, Receiver};

/// Every fault at once.
pub(super) fn faults(descriptor: &Descriptor) -> Vec<Reason> {
    let usage = &descriptor.usage;
    let mut faults = Vec::new();
    let mut fault = |code, detail: String| faults.push(Reason::new(code, detail));
    if usage.budgets.len() > BUDGETS_MAX {
        fault(Code::LimitExceeded, format!("usage.budgets: at most {BUDGETS_MAX}"));
    }
    let mut kinds = BTreeSet::new();
    for budget in &usage.budgets {
        if budget.runs == 0 || budget.runs > RUNS_MAX as u64 {
            fault(Code::InvalidDescriptor, format!("usage.budgets.runs: 1 to {RUNS_MAX}"));
        }
        if !kinds.insert((budget.period, budget.each_runner)) {
            let period = budget.period.as_str();
            fault(Code::InvalidDescriptor, format!("usage.budgets: {period} stands twice"));
        }
    }
    if usage.receivers.len() > RECEIVERS_MAX {
        fault(Code::LimitExceeded, format!("usage.receivers: at most {RECEIVERS_MAX}"));
    }
    if descriptor.access_mode == AccessMode::Write && !usage.receivers.is_empty() {
        fault(
            Code::InvalidDescriptor,
            "usage.receivers: an output's receiver is its owner".to_owned(),
        );
    }
    let mut named = BTreeSet::new();
    for receiver in &usage.receivers {
        if !named.insert(receiver) {
            fault(Code::InvalidDescriptor, "usage.receivers: one stands twice".to_owned());
        }
        if let Receiver::Organisation(name) = receiver
            && super::check_text("usage.receivers.organisation", name, TEXT_LEN_MAX).is_err()
        {
            fault(
                Code::InvalidName,
                format!("usage.receivers.organisation: 1 to {TEXT_LEN_MAX} characters"),
            );
        }
    }
    faults
}
