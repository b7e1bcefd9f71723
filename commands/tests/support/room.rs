//! The demo's story, up to any stage. Litware and Fabrikam work with keys; Contosso is witnessed.

use chancery_commands::dev_issuer::PEOPLE;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{
    CollaborationId, CommandId, DatasetId, InvitationId, MemberId, QueryId, RunId,
};
use serde_json::Value as Json;

use super::answer::Answer;
use super::commands::{self, at};
use super::executor::Executor;
use super::fixtures;
use super::person::Person;
use super::{Service, key};

/// How far the story has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Litware began it.
    Created,
    /// Litware has a key.
    Keyed,
    /// Contosso and Fabrikam are in; Fabrikam has a key.
    Joined,
    /// Workload, policy and the three datasets.
    Stocked,
    /// Fabrikam drafted the query.
    Drafted,
    /// It is up for votes.
    Proposed,
    /// All three said yes.
    Accepted,
    /// Fabrikam asked for a run.
    Requested,
}

/// A clean room. The ids of what is not there yet name nothing.
pub struct Room {
    pub service: Service,
    pub id: CollaborationId,
    pub litware: Person,
    pub contosso: Person,
    pub fabrikam: Person,
    pub contosso_id: MemberId,
    pub fabrikam_id: MemberId,
    pub orders: DatasetId,
    pub campaigns: DatasetId,
    pub report: DatasetId,
    pub query: QueryId,
    /// The digest of the proposal.
    pub digest: String,
    pub run: RunId,
    /// The leaf hash of the run's request.
    pub nonce: Digest,
}

pub const PROVIDER: &[&str] = &["data_provider"];
pub const ANALYST: &[&str] = &["analyst", "runner", "result_receiver"];

impl Room {
    /// A room on a service of its own, under plain terms.
    pub async fn at(stage: Stage) -> Self {
        Self::on_terms(stage, &[]).await
    }

    /// A room on a service of its own, where these acts must be signed.
    pub async fn on_terms(stage: Stage, member_signed: &[&str]) -> Self {
        let service = Service::start().await;
        Self::of(&service, stage, member_signed).await
    }

    /// A room on `service`.
    pub async fn of(service: &Service, stage: Stage, member_signed: &[&str]) -> Self {
        let [litware, contosso, fabrikam] = PEOPLE.map(|person| person.email);
        let nothing = service.id().uuid();
        let create = commands::create(service.id(), member_signed, true);
        let litware = service.person(litware).await;
        litware.does(&create).await;
        let mut room = Self {
            service: service.clone(),
            id: create.collaboration,
            litware,
            contosso: service.person(contosso).await,
            fabrikam: service.person(fabrikam).await,
            contosso_id: MemberId::new(nothing),
            fabrikam_id: MemberId::new(nothing),
            orders: DatasetId::new(nothing),
            campaigns: DatasetId::new(nothing),
            report: DatasetId::new(nothing),
            query: QueryId::new(nothing),
            digest: Digest::of(b"none").to_string(),
            run: RunId::new(nothing),
            nonce: Digest::of(b"none"),
        };
        if stage >= Stage::Keyed {
            room.litware.takes_key(room.id, room.litware_id(), key(1)).await;
        }
        if stage >= Stage::Joined {
            room.join().await;
        }
        if stage >= Stage::Stocked {
            room.stock().await;
        }
        if stage >= Stage::Drafted {
            room.draft().await;
        }
        if stage >= Stage::Proposed {
            room.propose().await;
        }
        if stage >= Stage::Accepted {
            room.accept().await;
        }
        if stage >= Stage::Requested {
            room.request().await.ok();
        }
        room
    }

    pub fn next(&self) -> CommandId {
        self.service.id()
    }

    pub fn litware_id(&self) -> MemberId {
        MemberId::new(self.id.uuid())
    }

    pub fn people(&self) -> [&Person; 3] {
        [&self.litware, &self.contosso, &self.fabrikam]
    }

    /// A path in the room.
    pub fn path(&self, rest: &str) -> String {
        at(self.id, rest)
    }

    pub fn subject(&self) -> Subject {
        Subject::Collaboration(self.id)
    }

    pub fn definition(&self) -> Json {
        fixtures::definition(self.orders, self.campaigns, self.report)
    }

    /// Invites somebody; gives the invitation.
    pub async fn invites(&self, email: &str, tenant: Option<&str>, can: &[&str]) -> InvitationId {
        let invite = commands::invite(self.next(), self.id, email, tenant, can);
        self.litware.does(&invite).await;
        InvitationId::new(invite.id.uuid())
    }

    async fn join(&mut self) {
        let [_, contosso, fabrikam] = PEOPLE;
        for (person, who, can) in
            [(&self.contosso, contosso, PROVIDER), (&self.fabrikam, fabrikam, ANALYST)]
        {
            let invitation = self.invites(who.email, Some(who.tenant), can).await;
            person.does(&commands::accept(self.next(), self.id, invitation)).await;
            let member = MemberId::new(invitation.uuid());
            if can == PROVIDER {
                self.contosso_id = member;
            } else {
                self.fabrikam_id = member;
            }
        }
        self.fabrikam.takes_key(self.id, self.fabrikam_id, key(3)).await;
    }

    async fn stock(&mut self) {
        self.litware.does(&commands::enable_workload(self.next(), self.id)).await;
        let application = [fixtures::application()];
        self.litware.does(&commands::set_policy(self.next(), self.id, &application)).await;
        let orders = commands::publish(self.next(), self.id, fixtures::orders());
        self.litware.does(&orders).await;
        let campaigns = commands::publish(self.next(), self.id, fixtures::campaigns());
        self.contosso.does(&campaigns).await;
        let report = commands::publish(self.next(), self.id, fixtures::report());
        self.fabrikam.does(&report).await;
        self.orders = DatasetId::new(orders.id.uuid());
        self.campaigns = DatasetId::new(campaigns.id.uuid());
        self.report = DatasetId::new(report.id.uuid());
    }

    async fn draft(&mut self) {
        let draft = commands::draft(self.next(), self.id, self.definition());
        self.fabrikam.does(&draft).await;
        self.query = QueryId::new(draft.id.uuid());
    }

    pub async fn propose(&mut self) {
        let propose = commands::on_query(self.next(), self.id, self.query, "propose");
        self.fabrikam.does(&propose).await;
        let state = self.service.state(self.id).await;
        self.digest = state.queries[&self.query].live_proposal().unwrap().digest.to_string();
    }

    /// Drafts the query and has all three vote for it.
    pub async fn drafted_and_voted(&mut self) {
        self.draft().await;
        self.propose().await;
        self.accept().await;
    }

    pub async fn accept(&self) {
        for person in self.people() {
            let vote = commands::approve(self.next(), self.id, self.query, &self.digest);
            person.does(&vote).await;
        }
    }

    /// Asks for a run, which becomes the room's.
    pub async fn request(&mut self) -> Answer {
        let request = commands::request_run(self.next(), self.id, self.query, &self.digest);
        self.run = RunId::new(request.id.uuid());
        let answer = self.fabrikam.tries(&request).await;
        if answer.status == 201 {
            self.nonce = answer.parsed("/digest");
        }
        answer
    }

    /// The executor, with a key of its own.
    pub async fn executor(&self) -> Executor {
        Executor::new(&self.service).await
    }

    pub async fn finish(&self) {
        self.service.finish().await;
    }
}
