//! Commands as values: where they go, what they are, under which id.

use chancery_governance::subject::Subject;
use chancery_governance::submission::email_commitment;
use chancery_ledger::codec;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{
    CollaborationId, CommandId, DatasetId, InvitationId, MemberId, QueryId, RunId,
};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// A command, ready to be signed and sent.
#[derive(Debug, Clone)]
pub struct Command {
    pub id: CommandId,
    pub collaboration: CollaborationId,
    pub subject: Subject,
    pub action: &'static str,
    pub method: Method,
    pub path: String,
    /// What is sent.
    pub body: Json,
    /// What is signed, where it is not the body itself.
    pub content: Option<Json>,
}

impl Command {
    /// The digest of the canonical content.
    pub fn digest(&self) -> Digest {
        let content = self.content.as_ref().unwrap_or(&self.body).to_string();
        let value = chancery_commands::content::parse(content.as_bytes()).unwrap();
        Digest::of(&codec::encode(&value))
    }

    /// The same with another body.
    pub fn with(mut self, body: Json) -> Self {
        self.body = body;
        self
    }
}

/// Path of a collaboration, with more behind it.
pub fn at(collaboration: CollaborationId, rest: &str) -> String {
    format!("/v1/collaborations/{collaboration}{rest}")
}

fn command(
    id: CommandId,
    collaboration: CollaborationId,
    subject: Subject,
    action: &'static str,
    (method, rest): (Method, String),
    body: Json,
) -> Command {
    let path = at(collaboration, &rest);
    Command { id, collaboration, subject, action, method, path, body, content: None }
}

/// A body of one field.
fn one(name: &str, value: Json) -> Json {
    Json::Object([(name.to_owned(), value)].into_iter().collect())
}

fn post(rest: impl Into<String>) -> (Method, String) {
    (Method::POST, rest.into())
}

pub fn create(id: CommandId, member_signed: &[&str], insecure_virtual: bool) -> Command {
    let collaboration = CollaborationId::new(id.uuid());
    let body = json!({
        "name": "Flights",
        "organisation": "Litware",
        "terms": {"member_signed": member_signed, "insecure_virtual": insecure_virtual},
    });
    let subject = Subject::Collaboration(collaboration);
    Command {
        path: "/v1/collaborations".into(),
        ..command(id, collaboration, subject, "collaboration.create", post(""), body)
    }
}

pub fn enable_workload(id: CommandId, c: CollaborationId) -> Command {
    let body = json!({"workload": "spark-sql"});
    let subject = Subject::Collaboration(c);
    command(id, c, subject, "collaboration.enable-workload", post("/workload"), body)
}

pub fn set_policy(id: CommandId, c: CollaborationId, applications: &[Digest]) -> Command {
    let applications: Vec<_> = applications.iter().map(Digest::to_string).collect();
    let to = (Method::PUT, "/clean-room-policy".into());
    let body = json!({"applications": applications});
    command(id, c, Subject::Collaboration(c), "collaboration.set-policy", to, body)
}

/// `collaboration.pause`, `collaboration.resume` and `collaboration.close`.
pub fn lifecycle(id: CommandId, c: CollaborationId, verb: &str, body: Json) -> Command {
    let action = match verb {
        "pause" => "collaboration.pause",
        "resume" => "collaboration.resume",
        _ => "collaboration.close",
    };
    command(id, c, Subject::Collaboration(c), action, post(format!("/{verb}")), body)
}

/// An invitation; the salt is the same in all of them.
pub fn invite(
    id: CommandId,
    c: CollaborationId,
    email: &str,
    tenant: Option<&str>,
    abilities: &[&str],
) -> Command {
    // base64url of 16 bytes of 7.
    const SALT: &str = "BwcHBwcHBwcHBwcHBwcHBw";
    let subject = Subject::Invitation(InvitationId::new(id.uuid()));
    let body = json!({
        "organisation": "An organisation", "abilities": abilities, "tenant": tenant, "key": null,
        "email": email, "email_salt": SALT,
    });
    let content = json!({
        "organisation": "An organisation", "abilities": abilities, "tenant": tenant, "key": null,
        "email_commitment": email_commitment(&[7; 16], email).to_string(),
    });
    let mut invite = command(id, c, subject, "member.invite", post("/invitations"), body);
    invite.content = Some(content);
    invite
}

pub fn accept(id: CommandId, c: CollaborationId, invitation: InvitationId) -> Command {
    let to = post(format!("/invitations/{invitation}/accept"));
    command(id, c, Subject::Invitation(invitation), "member.accept-invitation", to, json!({}))
}

pub fn withdraw_invitation(id: CommandId, c: CollaborationId, invitation: InvitationId) -> Command {
    let to = post(format!("/invitations/{invitation}/withdraw"));
    command(id, c, Subject::Invitation(invitation), "member.withdraw-invitation", to, json!({}))
}

pub fn erase(id: CommandId, c: CollaborationId, invitation: InvitationId) -> Command {
    let to = post(format!("/invitations/{invitation}/erase"));
    command(id, c, Subject::Invitation(invitation), "personal.erase", to, json!({}))
}

/// The id of no invitation.
pub fn no_invitation() -> InvitationId {
    InvitationId::new(uuid::Uuid::from_u128(0))
}

pub fn register_key(
    id: CommandId,
    c: CollaborationId,
    member: MemberId,
    key: &str,
    proof: &str,
) -> Command {
    let to = post(format!("/members/{member}/keys"));
    let body = json!({"key": key, "proof": proof});
    command(id, c, Subject::Member(member), "member.register-key", to, body)
}

pub fn revoke_key(id: CommandId, c: CollaborationId, member: MemberId, key: Digest) -> Command {
    let to = post(format!("/members/{member}/keys/revoke"));
    let body = json!({"key": key.to_string()});
    command(id, c, Subject::Member(member), "member.revoke-key", to, body)
}

pub fn publish(id: CommandId, c: CollaborationId, descriptor: Json) -> Command {
    let subject = Subject::Dataset(DatasetId::new(id.uuid()));
    let body = one("descriptor", descriptor);
    command(id, c, subject, "dataset.publish", post("/datasets"), body)
}

pub fn publish_version(
    id: CommandId,
    c: CollaborationId,
    dataset: DatasetId,
    descriptor: Json,
) -> Command {
    let to = (Method::PUT, format!("/datasets/{dataset}"));
    let body = one("descriptor", descriptor);
    command(id, c, Subject::Dataset(dataset), "dataset.publish", to, body)
}

pub fn retire(id: CommandId, c: CollaborationId, dataset: DatasetId) -> Command {
    let to = post(format!("/datasets/{dataset}/retire"));
    command(id, c, Subject::Dataset(dataset), "dataset.retire", to, json!({}))
}

pub fn draft(id: CommandId, c: CollaborationId, definition: Json) -> Command {
    let subject = Subject::Query(QueryId::new(id.uuid()));
    let body = one("definition", definition);
    command(id, c, subject, "query.draft", post("/queries"), body)
}

pub fn revise(id: CommandId, c: CollaborationId, query: QueryId, definition: Json) -> Command {
    let to = (Method::PUT, format!("/queries/{query}"));
    let body = one("definition", definition);
    command(id, c, Subject::Query(query), "query.revise", to, body)
}

/// `propose` and `withdraw`.
pub fn on_query(id: CommandId, c: CollaborationId, query: QueryId, verb: &str) -> Command {
    let action = match verb {
        "propose" => "query.propose",
        "withdraw" => "query.withdraw",
        _ => panic!("{verb}"),
    };
    let to = post(format!("/queries/{query}/{verb}"));
    command(id, c, Subject::Query(query), action, to, json!({}))
}

pub fn approve(id: CommandId, c: CollaborationId, query: QueryId, digest: &str) -> Command {
    let to = post(format!("/queries/{query}/approve"));
    command(id, c, Subject::Query(query), "query.approve", to, json!({"digest": digest}))
}

pub fn reject(id: CommandId, c: CollaborationId, query: QueryId, digest: &str) -> Command {
    let to = post(format!("/queries/{query}/reject"));
    let body = json!({"digest": digest, "comment": "Not this one."});
    command(id, c, Subject::Query(query), "query.reject", to, body)
}

/// `withdraw` or `restore` consent to execution.
pub fn consent(id: CommandId, c: CollaborationId, subject: Subject, verb: &str) -> Command {
    let action = if verb == "withdraw" { "consent.withdraw" } else { "consent.restore" };
    let scope = match subject {
        Subject::Dataset(id) => format!("/datasets/{id}"),
        Subject::Query(id) => format!("/queries/{id}"),
        _ => String::new(),
    };
    let to = post(format!("{scope}/consent/{verb}"));
    command(id, c, subject, action, to, json!({"kind": "execution"}))
}

pub fn request_run(id: CommandId, c: CollaborationId, query: QueryId, digest: &str) -> Command {
    let subject = Subject::Run(RunId::new(id.uuid()));
    let body = json!({"query": query.to_string(), "digest": digest});
    command(id, c, subject, "run.request", post("/runs"), body)
}

pub fn cancel_run(id: CommandId, c: CollaborationId, run: RunId) -> Command {
    command(id, c, Subject::Run(run), "run.cancel", post(format!("/runs/{run}/cancel")), json!({}))
}

/// `admit`, `submit`, `start`, `succeed` and `fail`.
pub fn report(id: CommandId, c: CollaborationId, run: RunId, verb: &str, body: Json) -> Command {
    let action = match verb {
        "admit" => "run.admit",
        "submit" => "run.submit",
        "start" => "run.start",
        "succeed" => "run.succeed",
        "fail" => "run.fail",
        "release-secret" => "run.release-secret",
        "mint-token" => "run.mint-token",
        _ => panic!("{verb}"),
    };
    let to = post(format!("/runs/{run}/reports/{verb}"));
    command(id, c, Subject::Run(run), action, to, body)
}

/// The sealed secret of a dataset's version.
pub fn store_secret(
    id: CommandId,
    c: CollaborationId,
    dataset: DatasetId,
    (version, release_key): (&str, &str),
    sealed: &[u8],
) -> Command {
    use base64::Engine as _;
    let to = (Method::PUT, format!("/datasets/{dataset}/secret"));
    let sealed_text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sealed);
    let body = json!({"version": version, "release_key": release_key, "sealed": sealed_text});
    let ciphertext = Digest::of(sealed).to_string();
    let content = json!({"version": version, "release_key": release_key, "ciphertext": ciphertext});
    Command {
        content: Some(content),
        ..command(id, c, Subject::Dataset(dataset), "dataset.store-secret", to, body)
    }
}

pub fn erase_secret(id: CommandId, c: CollaborationId, dataset: DatasetId) -> Command {
    let to = post(format!("/datasets/{dataset}/secret/erase"));
    command(id, c, Subject::Dataset(dataset), "dataset.erase-secret", to, json!({}))
}
