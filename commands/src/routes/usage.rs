//! Use: how budgets of runs stand, and who may receive a result.

use axum::Json;
use axum::extract::State;
use chancery_governance::budget::{Standing, standings};
use chancery_governance::privacy;
use chancery_governance::readiness::Asked;
use chancery_governance::receivers;
use chancery_governance::state::Collaboration;
use chancery_ledger::id::{CollaborationId, DatasetId, MemberId, RunId};
use chancery_projections::document::{Attested, Descriptor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{readable, views};
use crate::App;
use crate::caller::Caller;
use crate::extract::{Path, id};
use crate::problem::Problem;
use crate::refusal;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(budget)).routes(routes!(result))
}

/// How the budgets of a dataset's newest version stand for you.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budgets {
    /// One for each budget, in the descriptor's order.
    pub budgets: Vec<BudgetItem>,
    /// The budget of privacy; left out where the dataset has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyBudget>,
}

/// A budget of privacy and how much of it is spent. Epsilon in millionths, delta in 10⁻¹².
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyBudget {
    /// `day`, `week`, `month` or `life`, of the calendar in UTC.
    pub period: String,
    /// The epsilon of the period.
    pub epsilon_micro: u64,
    /// The delta of the period.
    pub delta_pico: u64,
    /// What runs took of epsilon.
    pub epsilon_micro_used: u64,
    /// What runs took of delta.
    pub delta_pico_used: u64,
    /// When the period ends, milliseconds since the Unix epoch; null for a life.
    pub renews_ms: Option<u64>,
}

impl PrivacyBudget {
    fn of(standing: &privacy::budget::Standing) -> Self {
        let privacy::budget::Standing { budget, used, renews_ms } = standing;
        Self {
            period: budget.period.as_str().to_owned(),
            epsilon_micro: budget.epsilon_micro,
            delta_pico: budget.delta_pico,
            epsilon_micro_used: used.epsilon_micro,
            delta_pico_used: used.delta_pico,
            renews_ms: *renews_ms,
        }
    }
}

/// A budget and how much of it is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetItem {
    /// `day`, `week`, `month` or `life`, of the calendar in UTC.
    pub period: String,
    /// The most runs in it.
    pub runs: u64,
    /// Whether that is for each runner; `used` is your own then.
    pub each_runner: bool,
    /// The runs that count.
    pub used: u64,
    /// When the period ends, milliseconds since the Unix epoch; null for a life.
    pub renews_ms: Option<u64>,
}

impl BudgetItem {
    fn of(standing: &Standing) -> Self {
        let budget = &standing.budget;
        Self {
            period: budget.period.as_str().to_owned(),
            runs: budget.runs,
            each_runner: budget.each_runner,
            used: standing.used,
            renews_ms: standing.renews_ms,
        }
    }
}

/// The caller as a member of a collaboration that it may read.
fn member(state: &Collaboration, caller: &Caller) -> Option<MemberId> {
    state.member_by_identity(&caller.governance_identity()).map(|(id, _)| id)
}

/// How the budgets of runs on a dataset, and of its privacy, stand now.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/datasets/{dataset}/budget",
    tag = "datasets", params(("collaboration" = String, Path), ("dataset" = String, Path)),
    responses((status = 200, body = Budgets)))]
async fn budget(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, dataset)): Path<(String, String)>,
) -> Result<Json<Budgets>, Problem> {
    let (collaboration, dataset) = (id(&collaboration)?, id::<DatasetId>(&dataset)?);
    let held = readable(&app, &caller, collaboration).await?;
    let Some(state) = held.state().collaboration() else {
        return Err(refusal::collaboration_not_found());
    };
    if !state.datasets.contains_key(&dataset) {
        return Err(Problem::missing("dataset_not_found", "There is no such dataset."));
    }
    let now_ms = (app.clock)().max(state.last_time_ms);
    let asked = Asked { runner: member(state, &caller), now_ms, run: None };
    let budgets = standings(state, dataset, &asked).iter().map(BudgetItem::of).collect();
    let privacy = privacy::budget::standing(state, dataset, now_ms);
    let privacy = privacy.as_ref().map(PrivacyBudget::of);
    Ok(Json(Budgets { budgets, privacy }))
}

/// Where a result lies, for its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultView {
    /// What is attested of it: its manifest among the rest.
    pub result: Attested,
    /// The id of the dataset that it was written to.
    pub dataset: String,
    /// The id of its owner, who receives.
    pub owner: String,
    /// The version of the dataset that the query was bound to: store and format.
    pub descriptor: Descriptor,
}

/// A run's result, for who may receive it: the owner of the output, if every input lets it.
#[utoipa::path(get, path = "/v1/collaborations/{collaboration}/runs/{run}/result", tag = "runs",
    params(("collaboration" = String, Path), ("run" = String, Path)),
    responses((status = 200, body = ResultView)))]
async fn result(
    State(app): State<App>,
    caller: Caller,
    Path((collaboration, run)): Path<(String, String)>,
) -> Result<Json<ResultView>, Problem> {
    let (collaboration, run) = (id::<CollaborationId>(&collaboration)?, id::<RunId>(&run)?);
    let held = readable(&app, &caller, collaboration).await?;
    let Some(state) = held.state().collaboration() else {
        return Err(refusal::collaboration_not_found());
    };
    let Some(member) = member(state, &caller) else {
        return Err(Problem::forbidden("not_a_member", "An executor receives no result."));
    };
    let received = receivers::receive(state, run, member);
    let received = received.map_err(|rejection| refusal::rejection(&rejection))?;
    let (owner, dataset) = (received.owner.to_string(), received.output);
    let digest = received.version.digest.to_string();
    views(&app, held).await?;
    let corrupt = || Problem::corrupt(&"the views do not show a result that the log has");
    let views = &app.views;
    let found = views.run(collaboration, run).await.map_err(|error| refusal::views(&error))?;
    let result = found.and_then(|run| run.result).ok_or_else(corrupt)?;
    let found = views.dataset(collaboration, dataset).await;
    let found = found.map_err(|error| refusal::views(&error))?.ok_or_else(corrupt)?;
    let version = found.versions.into_iter().find(|version| version.digest == digest);
    let descriptor = version.ok_or_else(corrupt)?.descriptor;
    Ok(Json(ResultView { result, dataset: dataset.to_string(), owner, descriptor }))
}
