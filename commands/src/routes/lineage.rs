//! What an approver signs, taken apart: where each column of a query's output comes from, and the
//! policies that its inputs had when it was proposed.

use axum::Json;
use axum::extract::State;
use chancery_governance::binding;
use chancery_governance::dataset::AccessPolicy;
use chancery_governance::query::{DatasetVersion, Input};
use chancery_governance::sql::OutputColumn;
use chancery_governance::wire::Wire;
use chancery_ledger::id::QueryId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::readable;
use crate::caller::Caller;
use crate::content::to_json;
use crate::extract::{Path, id};
use crate::problem::Problem;
use crate::{App, api, refusal};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(lineage))
}

/// What a proposal's texts and inputs come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lineage {
    /// The digest that votes on it name.
    pub digest: String,
    /// The columns of the output, in their order.
    pub columns: Vec<LineageColumn>,
    /// The policy of each input, as of the version that is bound.
    pub policies: Vec<InputPolicy>,
}

/// A column of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineageColumn {
    /// Its name.
    pub name: String,
    /// Its type, where the analysis can tell.
    pub r#type: Option<String>,
    /// Whether an aggregate lies between it and its sources.
    pub aggregated: bool,
    /// The columns of inputs that it is computed from; none for a constant and a count of rows.
    pub sources: Vec<LineageSource>,
}

/// A column of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineageSource {
    /// The input's name in the text.
    pub input: String,
    /// The column.
    pub column: String,
}

/// What an input's policy lets the query do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputPolicy {
    /// The input's name in the text.
    pub alias: String,
    /// The policy.
    pub policy: api::AccessPolicy,
}

/// Where each column of the output comes from, and under which policies: of the live proposal.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/queries/{query}/lineage",
    tag = "queries", params(("collaboration" = String, Path), ("query" = String, Path)),
    responses((status = 200, body = Lineage)))]
async fn lineage(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, query)): Path<(String, String)>,
) -> Result<Json<Lineage>, Problem> {
    let (collaboration, query) = (id(&collaboration)?, id::<QueryId>(&query)?);
    let held = readable(&app, &caller, collaboration).await?;
    let Some(state) = held.state().collaboration() else {
        return Err(refusal::collaboration_not_found());
    };
    let Some(query) = state.queries.get(&query) else {
        return Err(Problem::missing("query_not_found", "There is no such query."));
    };
    let none =
        || Problem::missing("proposal_not_found", "There is no live proposal of this query.");
    let proposal = query.live_proposal().ok_or_else(none)?;
    let bound = &proposal.binding;
    let columns = binding::lineage(state, bound).ok_or_else(none)?;
    let of = |(input, version): (&Input, &DatasetVersion)| {
        Some((input.alias.clone(), &state.dataset_at(version)?.descriptor.policy))
    };
    let inputs = bound.definition.inputs.iter().zip(&bound.inputs);
    let policies =
        inputs.filter_map(of).map(|(alias, it)| Ok(InputPolicy { alias, policy: policy(it)? }));
    Ok(Json(Lineage {
        digest: proposal.digest.to_string(),
        columns: columns.into_iter().map(column).collect(),
        policies: policies.collect::<Result<_, Problem>>()?,
    }))
}

fn column(column: OutputColumn) -> LineageColumn {
    let OutputColumn { name, kind, sources, aggregated } = column;
    let sources = sources.into_iter().map(|(input, column)| LineageSource { input, column });
    LineageColumn {
        name,
        r#type: kind.map(|kind| kind.to_string()),
        aggregated,
        sources: sources.collect(),
    }
}

/// A policy in the form that commands and views have it in.
fn policy(policy: &AccessPolicy) -> Result<api::AccessPolicy, Problem> {
    serde_json::from_value(to_json(&policy.encode())).map_err(|error| Problem::internal(&error))
}
