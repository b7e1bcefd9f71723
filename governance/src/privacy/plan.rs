//! What a query's stated loss buys: each noise with its share, its scale, and its place in the record.

use super::{
    DELTA_PICO_MAX, DISCRETE_LAPLACE, EPSILON_MICRO_MIN, Loss, Mechanism, Noised, micro_text,
    scale_milli,
};
use crate::binding;
use crate::dataset::Descriptor;
use crate::query::{Binding, Definition};
use crate::reason::{Code, Reason};
use crate::sql::{Analysis, PrivatePlan};
use crate::state::Collaboration;

/// The noise of a plan at a stated loss. Each gets the same share of epsilon: they add up to no more.
/// Which threshold a group's presence has is for the application to say.
pub fn mechanisms(plan: &PrivatePlan, loss: Loss) -> Vec<Mechanism> {
    let share = share(plan, loss);
    let of = |draw: &crate::sql::Draw| Mechanism {
        column: draw.column.clone(),
        of: draw.of,
        mechanism: DISCRETE_LAPLACE.to_owned(),
        epsilon_micro: share,
        sensitivity: draw.sensitivity,
        scale_milli: scale_milli(draw.sensitivity, share).unwrap_or(u64::MAX),
        threshold: None,
    };
    plan.draws.iter().map(of).collect()
}

fn share(plan: &PrivatePlan, loss: Loss) -> u64 {
    loss.epsilon_micro / (plan.draws.len() as u64).max(1)
}

/// Every fault of a query's stated loss, given its analysis over these inputs.
pub fn faults(definition: &Definition, inputs: &[&Descriptor], analysis: &Analysis) -> Vec<Reason> {
    let asked =
        inputs.iter().find_map(|input| Some((input, input.policy.differential_privacy.as_ref()?)));
    let mut faults = Vec::new();
    let mut fault = |code, detail: String| faults.push(Reason::new(code, detail));
    let mut wrong = |detail: String| fault(Code::InvalidPrivacyLoss, format!("privacy: {detail}"));
    let ((descriptor, policy), loss, plan) = match (asked, definition.privacy, &analysis.private) {
        (None, None, _) | (Some(_), Some(_), None) => return faults,
        (None, Some(_), _) => {
            wrong("no input asks for differential privacy".to_owned());
            return faults;
        }
        (Some((descriptor, _)), None, _) => {
            wrong(format!("{} asks for it: say what a run costs", descriptor.name));
            return faults;
        }
        (Some(asked), Some(loss), Some(plan)) => (asked, loss, plan),
    };
    let most = policy.query_epsilon_micro_max;
    if loss.epsilon_micro > most {
        let (asked, most) = (micro_text(loss.epsilon_micro), micro_text(most));
        wrong(format!("ε {asked}, and {} lets a query cost {most}", descriptor.name));
    }
    if share(plan, loss) < EPSILON_MICRO_MIN {
        let draws = plan.draws.len();
        let least = micro_text(EPSILON_MICRO_MIN);
        wrong(format!("{draws} noises share ε, and each takes {least} at least"));
    }
    match (plan.threshold, loss.delta_pico) {
        (Some(_), 0) => wrong("the data decides which groups there are: it takes a δ".to_owned()),
        (None, 1..) => wrong("no group depends on the data: it takes no δ".to_owned()),
        (Some(_), DELTA_PICO_TOO_MUCH..) => wrong("δ is 1e-3 at most".to_owned()),
        (Some(_), _) | (None, 0) => {}
    }
    for segment in &definition.segments {
        if segment.pre_conditions.iter().any(|condition| condition.view == plan.alias) {
            let detail = format!("pre_conditions of {}: they count {}", segment.view, plan.alias);
            fault(Code::PrivacyCondition, detail);
        }
    }
    let last = analysis.segments.last().map(|segment| &segment.view);
    let last = definition.segments.iter().find(|segment| Some(&segment.view) == last);
    if let Some(segment) = last.filter(|segment| !segment.post_filters.is_empty()) {
        let detail = format!("post_filters of {}: noise comes after them", segment.view);
        fault(Code::PrivacyCondition, detail);
    }
    faults
}

const DELTA_PICO_TOO_MUCH: u64 = DELTA_PICO_MAX + 1;

/// Whether a result of a bound query tells of the noise that it takes, and of none where it takes none.
pub fn told(state: &Collaboration, bound: &Binding, noised: Option<&Noised>) -> bool {
    let Some(loss) = bound.definition.privacy else { return noised.is_none() };
    let versions = bound.inputs.iter().map(|version| state.dataset_at(version));
    let versions: Option<Vec<_>> = versions.collect();
    let analysis = versions.and_then(|found| binding::analyse(&bound.definition, &found).ok());
    let plan = analysis.and_then(|analysis| analysis.private);
    plan.zip(noised).is_some_and(|(plan, noised)| agrees(noised, &plan, loss))
}

/// Whether a result's record is of these mechanisms at this loss, with the threshold that it takes.
fn agrees(noised: &Noised, plan: &PrivatePlan, loss: Loss) -> bool {
    let Noised { epsilon_micro, delta_pico, mechanisms: told } = noised;
    let expected = mechanisms(plan, loss);
    let same = told.len() == expected.len()
        && told.iter().zip(&expected).enumerate().all(|(place, (told, expected))| {
            let decides = plan.threshold == Some(place);
            told.threshold.is_some_and(|least| least > 0) == decides
                && Mechanism { threshold: None, ..told.clone() } == *expected
        });
    same && *epsilon_micro == loss.epsilon_micro && *delta_pico == loss.delta_pico
}
