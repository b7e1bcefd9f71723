//! The OpenAPI document against the service, and the bodies' types against the wire form.

use std::collections::BTreeSet;

use chancery_commands::api;
use chancery_governance::command::Command;
use chancery_governance::wire::v1::decode_command;
use chancery_ledger::digest::Digest;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::support::answer::Call;
use crate::support::room::{PROVIDER, Room, Stage};
use crate::support::{Service, commands, key};

const ID: &str = "01941f29-7c00-7000-8000-000000000001";

async fn document(service: &Service) -> Json {
    let served = service.send(Call::get("/openapi.json")).await.ok().json;
    assert_eq!(served, serde_json::to_value(chancery_commands::openapi()).unwrap());
    served
}

/// Every operation: (path, method, operation).
fn operations(document: &Json) -> Vec<(String, Method, Map<String, Json>)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((path.clone(), method, operation.as_object().unwrap().clone()));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_is_answered_and_described_in_full() {
    let service = Service::start().await;
    let document = document(&service).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(&document);
    assert!(operations.len() > 45, "{}", operations.len());
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} stands twice");
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{name}");
        assert!(!operation["tags"].as_array().unwrap().is_empty(), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");

        let parameters = operation.get("parameters").and_then(Json::as_array);
        let parameters = parameters.map_or(&[][..], Vec::as_slice);
        let of = |place: &str| -> BTreeSet<&str> {
            let of_place = parameters.iter().filter(|it| it["in"] == place);
            of_place.map(|it| it["name"].as_str().unwrap()).collect()
        };
        let in_path: BTreeSet<_> =
            path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(of("path"), in_path, "{name}");
        let is_command = method != Method::GET;
        assert_eq!(of("header").contains("idempotency-key"), is_command, "{name}");
        assert_eq!(operation.contains_key("requestBody"), is_command, "{name}");

        let open = operation["security"] == json!([{}]) || operation["security"] == json!([]);
        let at = in_path.iter().fold(path.clone(), |at, it| at.replace(&format!("{{{it}}}"), ID));
        let answer = service.send(Call::new(method, &at)).await;
        if open {
            assert_eq!(answer.status, 200, "{path}");
        } else {
            answer.assert_problem(401, "token_missing");
        }
    }
    service.finish().await;
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Json, found: &mut BTreeSet<&'a str>) {
        match value {
            Json::Object(map) => {
                if let Some(Json::String(reference)) = map.get("$ref") {
                    found.insert(reference);
                }
                map.values().for_each(|it| references(it, found));
            }
            Json::Array(items) => items.iter().for_each(|it| references(it, found)),
            _ => {}
        }
    }
    let service = Service::start().await;
    let document = document(&service).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 40);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    service.finish().await;
}

/// A body's type: its name, its action and an example.
struct Example {
    action: &'static str,
    schema: &'static str,
    body: Json,
}

fn example<T>(action: &'static str, body: &T) -> Example
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_value(body).unwrap();
    assert_eq!(serde_json::from_value::<T>(json.clone()).unwrap(), *body);
    let schema = std::any::type_name::<T>().rsplit("::").next().unwrap();
    Example { action, schema, body: json }
}

fn recipient() -> String {
    chancery_governance::secret::SealingKey::new([7; 32]).to_string()
}

fn digest() -> String {
    Digest::of(b"something").to_string()
}

fn evidence() -> api::Evidence {
    api::Evidence { kind: "insecure-virtual".into(), document: "AAAA".into() }
}

fn descriptor(format: api::Format, identity: Option<api::GroupIdentity>) -> api::PublishDataset {
    api::PublishDataset {
        descriptor: api::Descriptor {
            name: "orders".into(),
            usage: usage(),
            encryption: Some("chunked-aes-256-gcm".into()),
            token_audience: Some("api://AzureADTokenExchange".into()),
            format,
            columns: vec![api::Column { name: "region".into(), r#type: "string".into() }],
            store: api::Store::Local { path: "orders".into() },
            access_mode: "read".into(),
            policy: api::AccessPolicy {
                allowed_columns: vec!["region".into()],
                minimum_group: identity.map(|identity| api::MinimumGroup { identity, count: 10 }),
                column_rules: vec![api::ColumnRule {
                    column: "region".into(),
                    minimum: Some(25),
                    aggregate_only: true,
                    output_forbidden: true,
                    join_only: true,
                    literals: Some("equality".into()),
                }],
                differential_privacy: Some(privacy()),
            },
        },
    }
}

/// Every part of a demand for differential privacy.
fn privacy() -> api::DifferentialPrivacy {
    api::DifferentialPrivacy {
        unit: "region".into(),
        budget: api::LossBudget { period: "life".into(), epsilon_micro: 5, delta_pico: 7 },
        query_epsilon_micro_max: 5,
        groups_max: 1,
        rows_max: 1,
        columns: vec![api::Bounds { column: "region".into(), lower: -1, upper: 1, decimals: 2 }],
        declared: vec![api::DeclaredValues { column: "region".into(), values: vec!["x".into()] }],
    }
}

/// Every kind of limit.
fn usage() -> api::Usage {
    let budget =
        |period: &str, each_runner| api::RunBudget { period: period.into(), runs: 3, each_runner };
    api::Usage {
        budgets: vec![budget("day", true), budget("week", false), budget("life", false)],
        receivers: vec![
            api::Receiver::Member { member: ID.into() },
            api::Receiver::Organisation { organisation: "Fabrikam".into() },
            api::Receiver::Ability { ability: "auditor".into() },
        ],
    }
}

fn demands() -> api::Demands {
    let tcb = api::Tcb { bootloader: 4, tee: 0, snp: 22, microcode: 213 };
    api::Demands { host_data: vec![digest()], engines: vec![digest()], minimum_tcb: Some(tcb) }
}

/// Fields that may be left out: that is their default, and the same command in other bytes.
const OMITTED: [&str; 11] = [
    "encryption",
    "token_audience",
    "usage",
    "budgets",
    "receivers",
    "each_runner",
    "demands",
    "only",
    "host_data",
    "engines",
    "minimum_tcb",
];

/// Fields of a column's rule and the list of them may be left out: the same command in other bytes.
fn is_rule(at: &str, name: &str) -> bool {
    name == "column_rules" || (at.contains("/column_rules/") && name != "column")
}

/// Fields of differential privacy that may be left out: that is their default.
fn is_privacy(at: &str, name: &str) -> bool {
    let names =
        ["differential_privacy", "privacy", "declared", "delta_pico", "decimals", "threshold"];
    names.contains(&name) || (name == "columns" && at.contains("differential_privacy"))
}

fn definition() -> api::DraftQuery {
    let literals = [
        api::Literal::String { value: "x".into() },
        api::Literal::Long { value: -3 },
        api::Literal::Boolean { value: true },
        api::Literal::Date { value: "2026-01-01".into() },
        api::Literal::Timestamp { value: "2026-01-01T00:00:00Z".into() },
        api::Literal::Double { value: "1.5".into() },
        api::Literal::Decimal { r#type: "decimal(15,2)".into(), value: "1.50".into() },
    ];
    let parameters =
        literals.into_iter().map(|value| api::Parameter { name: "p".into(), value }).collect();
    api::DraftQuery {
        definition: api::Definition {
            name: "Spend".into(),
            segments: vec![api::Segment {
                order: 1,
                view: "result".into(),
                sql: "SELECT 1".into(),
                pre_conditions: vec![api::PreCondition { view: "orders".into(), min_rows: 1 }],
                post_filters: vec![api::PostFilter { column: "total".into(), minimum: 1 }],
            }],
            inputs: vec![api::Input { alias: "orders".into(), dataset: ID.into() }],
            output: ID.into(),
            parameters,
            privacy: Some(api::Loss { epsilon_micro: 5, delta_pico: 7 }),
        },
    }
}

fn attested() -> api::Attested {
    api::Attested {
        query_digest: digest(),
        votes: vec![digest()],
        inputs: vec![api::DatasetVersion { dataset: ID.into(), digest: digest() }],
        application: digest(),
        engine: api::Engine { name: "apache-spark".into(), version: "4.0.1".into() },
        job_spec: digest(),
        manifest: api::Manifest {
            files: vec![api::File { path: "a".into(), digest: digest(), bytes: 1 }],
            rows: 1,
            columns: vec![api::Column { name: "region".into(), r#type: "date".into() }],
        },
        statistics: api::Statistics {
            inputs: vec![api::InputRows { alias: "orders".into(), rows: 1 }],
            segments: vec![api::SegmentRows { view: "v".into(), rows: 1, duration_ms: 1 }],
            rows_written: 1,
        },
        privacy: Some(api::Noised {
            epsilon_micro: 5,
            delta_pico: 7,
            mechanisms: vec![api::Mechanism {
                column: "n".into(),
                of: "mean_sum".into(),
                mechanism: "discrete_laplace".into(),
                epsilon_micro: 5,
                sensitivity: 1,
                scale_milli: 9,
                threshold: Some(3),
            }],
        }),
    }
}

fn terms() -> api::Terms {
    api::Terms {
        member_signed: vec!["votes".into()],
        insecure_virtual: true,
        change_threshold: Some(2),
        admission_by_vote: true,
        groups: vec![api::ApprovalGroup {
            name: "stewards".into(),
            members: vec![ID.into()],
            needed: 1,
        }],
        acceptance_lifetime_ms: Some(1),
    }
}

/// What members agree on.
fn agreed() -> Vec<Example> {
    let member = || ID.to_owned();
    let changes = [
        api::Change::SetTerms { terms: terms() },
        api::Change::RemoveMember { member: member() },
        api::Change::GrantOwner { member: member() },
        api::Change::RevokeOwner { member: member() },
        api::Change::ReplaceKey { member: member(), key: digest() },
        api::Change::AdmitMember { invitation: ID.into() },
    ];
    let changes = changes.map(|change| {
        example("change.propose", &api::ProposeChange { change, expires_ms: Some(1) })
    });
    let input = api::AllowedInput {
        dataset: ID.into(),
        columns: vec!["region".into()],
        aggregates: vec!["amount".into()],
    };
    let shapes =
        [api::RuleShape::Text { digest: digest() }, api::RuleShape::Reads { inputs: vec![input] }];
    let rules = shapes.map(|shape| {
        let rule = api::ApprovalRule {
            name: "a".into(),
            author: Some(member()),
            runner: Some(member()),
            output: Some(ID.into()),
            shape,
            expires_ms: Some(1),
        };
        example("rule.set", &api::SetAutoApprovalRule { rule })
    });
    let ability = || api::Ability { ability: "runner".into() };
    let others = [
        example(
            "query.propose",
            &api::ProposeQuery { votes_until_ms: Some(1), runs_until_ms: Some(2) },
        ),
        example("member.grant-ability", &ability()),
        example("member.revoke-ability", &ability()),
        example("change.approve", &api::ApproveChange { digest: digest() }),
        example("change.reject", &api::RejectChange { digest: digest(), comment: "x".into() }),
        example("change.commit", &api::CommitChange { digest: digest() }),
        example("member.leave", &api::Empty {}),
        example("change.withdraw", &api::Empty {}),
        example("rule.remove", &api::Empty {}),
    ];
    changes.into_iter().chain(rules).chain(others).collect()
}

fn examples() -> Vec<Example> {
    let (query, key) = (ID.to_owned(), key(1).public().to_string());
    let terms = terms();
    let create = api::CreateCollaboration { name: "a".into(), organisation: "b".into(), terms };
    let consent = || api::Consent { kind: "execution".into() };
    let mut all = vec![
        example("collaboration.create", &create),
        example(
            "collaboration.enable-workload",
            &api::EnableWorkload { workload: "spark-sql".into() },
        ),
        example(
            "collaboration.set-policy",
            &api::SetCleanRoomPolicy {
                applications: vec![digest()],
                demands: demands(),
                only: vec![api::Only { application: digest(), queries: vec![ID.into()] }],
            },
        ),
        example("collaboration.pause", &api::Stop { reason: "An incident.".into() }),
        example("collaboration.close", &api::Stop { reason: "Over.".into() }),
        example(
            "member.register-key",
            &api::RegisterSigningKey { key: key.clone(), proof: "AA".into() },
        ),
        example("member.revoke-key", &api::RevokeSigningKey { key: digest() }),
        example("query.draft", &definition()),
        example("query.revise", &definition()),
        example("query.approve", &api::ApproveQuery { digest: digest() }),
        example("query.reject", &api::RejectQuery { digest: digest(), comment: String::new() }),
        example("consent.withdraw", &consent()),
        example("consent.restore", &consent()),
        example("run.request", &api::RequestRun { query, digest: digest() }),
        example("run.admit", &api::AdmitRun { executor: key, evidence: evidence() }),
        example("run.submit", &api::SubmitRun { tracking: "a".into(), job_spec: digest() }),
        example("run.succeed", &api::SucceedRun { result: attested(), evidence: evidence() }),
        example("run.fail", &api::FailRun { code: "oom".into(), detail: "x".into() }),
        example("dataset.erase-secret", &api::Empty {}),
        example(
            "run.release-secret",
            &api::ReleaseSecret {
                dataset: ID.into(),
                recipient: recipient(),
                evidence: evidence(),
            },
        ),
        example(
            "run.mint-token",
            &api::MintToken {
                dataset: ID.into(),
                audience: "a".into(),
                lifetime_ms: 60_000,
                recipient: recipient(),
                evidence: evidence(),
            },
        ),
    ];
    let formats = [
        api::Format::Csv { null_value: Some("-".into()) },
        api::Format::Csv { null_value: None },
        api::Format::Json {},
        api::Format::Parquet {},
    ];
    let column = api::GroupIdentity::Column { column: "region".into() };
    let identities = [None, Some(api::GroupIdentity::Row {}), Some(column), None];
    for (format, identity) in formats.into_iter().zip(identities) {
        all.push(example("dataset.publish", &descriptor(format, identity)));
    }
    for action in [
        "collaboration.resume",
        "member.withdraw-invitation",
        "member.accept-invitation",
        "personal.erase",
        "dataset.retire",
        "query.withdraw",
        "run.cancel",
        "run.start",
    ] {
        all.push(example(action, &api::Empty {}));
    }
    all.extend(agreed());
    all
}

fn decodes(action: &str, body: &Json) -> bool {
    let content = chancery_commands::content::parse(body.to_string().as_bytes()).unwrap();
    match decode_command(action, &content) {
        Ok(command) => {
            assert_eq!(command.action(), action);
            true
        }
        Err(rejection) => {
            assert_eq!(rejection.first.code.as_str(), "invalid_content", "{rejection}");
            false
        }
    }
}

/// Every body that has one field more, less, or of another type, anywhere inside.
fn altered(body: &Json) -> Vec<(String, Json)> {
    fn pointers(value: &Json, at: &str, found: &mut Vec<String>) {
        match value {
            Json::Object(map) => {
                found.push(at.to_owned());
                map.iter().for_each(|(name, it)| pointers(it, &format!("{at}/{name}"), found));
            }
            Json::Array(items) => {
                let numbered = items.iter().enumerate();
                numbered.for_each(|(index, it)| pointers(it, &format!("{at}/{index}"), found));
            }
            _ => {}
        }
    }
    let mut objects = Vec::new();
    pointers(body, "", &mut objects);
    let mut all = Vec::new();
    for at in objects {
        let change = |with: &dyn Fn(&mut Map<String, Json>)| {
            let mut other = body.clone();
            with(other.pointer_mut(&at).unwrap().as_object_mut().unwrap());
            other
        };
        all.push((format!("{at}+"), change(&|map| drop(map.insert("extra".into(), json!(1))))));
        for (name, value) in body.pointer(&at).unwrap().as_object().unwrap() {
            // A field that may be null may be left out as well: the same command in other bytes.
            let invites = body.pointer(&at).unwrap().get("email_salt").is_some();
            let nullable = ["tenant", "null_value", "minimum_group"].contains(&name.as_str())
                || ["expires_ms", "author", "runner"].contains(&name.as_str())
                || (name == "output" && value.is_string() && body.get("rule").is_some())
                || (invites && name == "key");
            // So may those that came later, though only an optional one can be null.
            let late = ["votes_until_ms", "runs_until_ms", "change_threshold"]
                .contains(&name.as_str())
                || ["admission_by_vote", "groups", "acceptance_lifetime_ms"]
                    .contains(&name.as_str());
            let omitted = late
                || OMITTED.contains(&name.as_str())
                || is_rule(&at, name)
                || is_privacy(&at, name);
            if !nullable && !omitted {
                all.push((format!("{at}/{name}-"), change(&|map| drop(map.remove(name)))));
            }
            let optional = nullable
                || name == "minimum_tcb"
                || name == "token_audience"
                || (is_rule(&at, name) && name == "minimum")
                || ["differential_privacy", "privacy", "threshold"].contains(&name.as_str())
                || (late && !value.is_array() && !value.is_boolean());
            if !optional {
                all.push((format!("{at}/{name}=null"), change(&|map| map[name] = Json::Null)));
            }
            let other = if value.is_array() { json!({}) } else { json!([]) };
            all.push((format!("{at}/{name}=other"), change(&|map| map[name] = other.clone())));
        }
    }
    all
}

#[test]
fn the_types_of_bodies_are_the_wire_form() {
    let examples = examples();
    for example in &examples {
        assert!(decodes(example.action, &example.body), "{}: {}", example.action, example.body);
        for (what, body) in altered(&example.body) {
            assert!(!decodes(example.action, &body), "{}: {what}: {body}", example.action);
        }
    }
    // The service changes and announces its keys by itself; two bodies hold what is not signed.
    let others = ["member.invite", "dataset.store-secret", "service.rotate-key", "service.attest"];
    let covered: BTreeSet<_> = examples.iter().map(|it| it.action).chain(others).collect();
    assert_eq!(covered, Command::ACTIONS.iter().copied().collect());
}

#[tokio::test]
async fn the_schemas_have_the_fields_of_the_types() {
    let service = Service::start().await;
    let document = document(&service).await;
    for example in examples() {
        let schema = &document["components"]["schemas"][example.schema];
        let none = Map::new();
        let described = schema["properties"].as_object().unwrap_or(&none).keys();
        let described: BTreeSet<_> = described.collect();
        let there: BTreeSet<_> = example.body.as_object().unwrap().keys().collect();
        assert_eq!(described, there, "{}", example.schema);
    }
    service.finish().await;
}

#[tokio::test]
async fn the_body_of_an_invitation_is_its_type() {
    let room = Room::at(Stage::Created).await;
    let invite = commands::invite(room.next(), room.id, "dora@example.org", Some("t"), PROVIDER);
    let body: api::Invite = serde_json::from_value(invite.body.clone()).unwrap();
    assert_eq!(serde_json::to_value(&body).unwrap(), invite.body);
    for (what, body) in altered(&invite.body) {
        let before = room.service.sizes().await;
        let answer = room.litware.tries(&invite.clone().with(body)).await;
        answer.assert_problem(422, "invalid_content");
        assert_eq!(room.service.sizes().await, before, "{what}");
    }
    room.litware.does(&invite).await;
    room.finish().await;
}
