//! What a vote or a run is about, shown and checked before anything is signed.

use std::collections::BTreeMap;

use chancery_commands::content;
use chancery_governance::binding;
use chancery_governance::query::Binding;
use chancery_governance::wire::Wire as _;
use serde_json::json;

use crate::client::names::Named as _;
use crate::client::room::Room;
use crate::client::views::{Dataset, Proposal, Query};
use crate::failure::{Failure, Result};
use crate::output;
use crate::text::{facts, plain, short};

/// Shows what is about to be signed and returns its digest, which must be that of the texts and
/// dataset versions which the service shows.
///
/// # Errors
///
/// Where nothing is proposed, or the digest is of something else.
pub async fn look(room: &Room, query: &Query, what: &str) -> Result<String> {
    let proposal = query.proposal.as_ref().ok_or_else(|| {
        let why = format!("{} is {}", query.name(), query.stage);
        Failure::refused("query_not_proposed", "There is nothing to vote on or to run", why)
    })?;
    check(query, proposal)?;
    let datasets = room.views::<Dataset>("/datasets").await?;
    let names: BTreeMap<_, _> = datasets.iter().map(|it| (it.id.as_str(), it)).collect();
    let named = |id: &str, digest: &str| {
        names.get(id).map_or_else(
            || id.to_owned(),
            |it| format!("{} of {}, version {}", it.name(), it.owner_organisation, short(digest)),
        )
    };
    let mut pairs = vec![("query", query.id.clone()), ("digest", proposal.digest.clone())];
    pairs.extend(proposal.inputs.iter().map(|it| ("reads", named(&it.dataset, &it.digest))));
    pairs.push(("writes", named(&proposal.output.dataset, &proposal.output.digest)));
    let text = format!("You {what} {}\n{}", plain(query.name()), facts(2, pairs));
    output::tell(&text)?;
    Ok(proposal.digest.clone())
}

/// Whether the digest is that of what is shown: a service that shows one query and has another
/// voted on is found out here, not only by the auditor.
fn check(query: &Query, proposal: &Proposal) -> Result<()> {
    let rewritten: Vec<_> = proposal
        .texts
        .iter()
        .map(|text| json!({"view": text.view, "sql": text.rewritten}))
        .collect();
    let shown = json!({
        "definition": query.definition,
        "rewritten": rewritten,
        "inputs": proposal.inputs,
        "output": proposal.output,
        "applications": proposal.applications,
        "votes_until_ms": proposal.votes_until_ms,
        "runs_until_ms": proposal.runs_until_ms,
    });
    let forged = |why: String| {
        Failure::refused("digest_of_another", "The digest is not that of the query shown", why)
            .with_hint("Sign nothing, and tell the operator.")
    };
    let value = content::parse(&shown.to_string().into_bytes())?;
    let shown = Binding::decode(&value).map_err(|error| forged(error.to_string()))?;
    let digest = binding::digest(&shown).to_string();
    if digest == proposal.digest {
        Ok(())
    } else {
        Err(forged(format!("what is shown has the digest {digest}, not {}", proposal.digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> Query {
        let digest = format!("sha256:{}", "0".repeat(64));
        let id = "01932b6c-7d3a-7c1e-8f00-0123456789ab";
        let version = json!({"dataset": id, "digest": digest});
        serde_json::from_value(json!({
            "id": id, "author_organisation": "Fabrikam", "stage": "proposed", "marks": [],
            "version": 7, "rejected": null, "superseded": null,
            "definition": {"name": "q", "output": id, "parameters": [],
                "inputs": [{"alias": "p", "dataset": id}],
                "segments": [{"order": 1, "view": "v", "sql": "SELECT 1", "pre_conditions": [],
                    "post_filters": []}]},
            "proposal": {"digest": digest, "approvers": [], "inputs": [version], "output": version,
                "applications": [digest],
                "texts": [{"order": 1, "view": "v", "original": "SELECT 1",
                    "rewritten": "SELECT 1 HAVING TRUE"}]},
        }))
        .unwrap()
    }

    #[test]
    fn only_the_digest_of_what_is_shown_is_signed() {
        let query = query();
        let mut proposal = query.proposal.clone().unwrap();
        let refused = check(&query, &proposal).unwrap_err();
        assert_eq!(refused.code(), "digest_of_another");
        let text = refused.text().split_whitespace().collect::<Vec<_>>().join(" ");
        let digest = text.split("has the digest ").nth(1).unwrap().split(',').next().unwrap();
        digest.clone_into(&mut proposal.digest);
        check(&query, &proposal).unwrap();
        proposal.texts[0].rewritten = "SELECT 2".to_owned();
        assert!(check(&query, &proposal).is_err());
    }
}
