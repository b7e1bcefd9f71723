//! What a job spec says of differential privacy; `executor/spark/chancery_app/privacy.py` reads it.

use chancery_ledger::codec::Value;

use super::plan::mechanisms;
use super::{Bounds, Loss, Mechanism};
use crate::sql::{Draw, PrivateKey, PrivatePlan, Shown, What};

/// The noise to draw, and what the result shows of it.
pub fn encode(plan: &PrivatePlan, loss: Loss) -> Value {
    let number = |number: usize| Value::from(number as u64);
    let keys = plan.keys.iter().map(|PrivateKey { source, declared }| {
        let values = declared
            .as_ref()
            .map_or(Value::Null, |values| Value::Array(values.iter().map(Value::text).collect()));
        Value::map([("source", Value::text(source)), ("values", values)])
    });
    let drawn = mechanisms(plan, loss);
    let draws = plan.draws.iter().zip(&drawn).map(|(draw, mechanism)| {
        let Draw { column, of, source, sensitivity } = draw;
        let Mechanism { epsilon_micro, scale_milli, .. } = mechanism;
        Value::map([
            ("column", Value::text(column)),
            ("of", Value::text(of.as_str())),
            ("source", Value::text(source)),
            ("sensitivity", Value::from(*sensitivity)),
            ("epsilon_micro", Value::from(*epsilon_micro)),
            ("scale_milli", Value::from(*scale_milli)),
        ])
    });
    let columns = plan.shown.iter().map(|Shown { name, what, kind }| {
        let none = Bounds { column: String::new(), lower: 0, upper: 0, decimals: 0 };
        let (shown, at, bounds) = match what {
            What::Key(at) => ("key", *at, &none),
            What::Count(at) => ("count", *at, &none),
            What::Sum(at, bounds) => ("sum", *at, bounds),
            What::Mean(at, bounds) => ("mean", *at, bounds),
        };
        Value::map([
            ("name", Value::text(name)),
            ("kind", Value::text(shown)),
            ("at", number(at)),
            ("type", Value::text(kind.to_string())),
            ("decimals", Value::from(bounds.decimals)),
            ("lower", Value::Int(bounds.lower.into())),
            ("upper", Value::Int(bounds.upper.into())),
        ])
    });
    Value::map([
        ("alias", Value::text(&plan.alias)),
        ("epsilon_micro", Value::from(loss.epsilon_micro)),
        ("delta_pico", Value::from(loss.delta_pico)),
        ("groups", Value::from(plan.groups)),
        ("threshold", plan.threshold.map_or(Value::Null, number)),
        ("keys", Value::Array(keys.collect())),
        ("draws", Value::Array(draws.collect())),
        ("columns", Value::Array(columns.collect())),
    ])
}

/// The columns that Spark must find that the text gives, in their order.
pub fn encode_output(plan: &PrivatePlan) -> Value {
    Value::Array(plan.output.iter().map(Value::text).collect())
}
