//! Worlds at each stage of the demo, one step after another.

use chancery_governance::change::Change;
use chancery_governance::command::{
    AcceptInvitation, ApproveChange, ApproveQuery, CommitChange, DraftQuery, EnableWorkload,
    ProposeChange, PublishDataset, RejectChange, RequestRun, SetCleanRoomPolicy, StartRun,
};
use chancery_governance::member::{Ability, Terms};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, QueryId, RunId};

use super::World;
use super::fixtures::{
    admit, application, campaigns, campaigns_s, change_id, change_s, create, definition, invite,
    orders, orders_s, propose, query_id, query_s, report, report_s, room, run_id, submit, succeed,
    terms,
};
use super::people::{Who, registration};

impl World {
    /// Litware began it, and works with a key.
    pub fn begun() -> Self {
        Self::begun_on(terms(&[], true))
    }

    pub fn begun_on(terms: Terms) -> Self {
        let mut world = Self::empty();
        world.litware().does(room(), create(terms)).unwrap();
        world
    }

    pub fn register_key(&mut self, who: Who) {
        let registration = registration(self, who, &who.key());
        self.by(who).does(who.itself(), registration).unwrap();
    }

    /// Contosso and Fabrikam are in; Litware and Fabrikam have keys.
    pub fn joined() -> Self {
        Self::begun().join()
    }

    pub fn join(mut self) -> Self {
        self.register_key(Who::Litware);
        let provider: &[Ability] = &[Ability::DataProvider];
        let analyst: &[Ability] = &[Ability::Analyst, Ability::Runner, Ability::ResultReceiver];
        for (who, abilities) in [(Who::Contosso, provider), (Who::Fabrikam, analyst)] {
            let subject = Subject::Invitation(who.invitation());
            self.litware().does(subject, invite(who, abilities)).unwrap();
            self.by(who).does(subject, AcceptInvitation {}).unwrap();
        }
        self.register_key(Who::Fabrikam);
        self
    }

    /// As stocked, and all three work with keys: what all agreed on changes by signed votes only.
    pub fn keyed() -> Self {
        Self::stocked().key_contosso()
    }

    pub fn key_contosso(mut self) -> Self {
        self.register_key(Who::Contosso);
        self
    }

    /// Litware asks for a change.
    pub fn asks(&mut self, change: Change) -> super::Tried {
        self.litware().does(change_s(), ProposeChange { change, expires_ms: None })
    }

    /// Litware has asked for a change in a room where all have keys.
    pub fn asked(change: Change) -> Self {
        let mut world = Self::keyed();
        world.asks(change).unwrap();
        world
    }

    pub fn change_digest(&self) -> Digest {
        self.change_digest_of(change_id())
    }

    pub fn change_digest_of(&self, id: ChangeId) -> Digest {
        self.room().changes.get(&id).map_or(Digest::of(b"none"), |request| request.digest)
    }

    pub fn votes_for(&mut self, who: Who) -> super::Tried {
        let digest = self.change_digest();
        self.by(who).does(change_s(), ApproveChange { digest })
    }

    pub fn votes_against(&mut self, who: Who) -> super::Tried {
        let digest = self.change_digest();
        self.by(who).does(change_s(), RejectChange { digest, comment: "No.".into() })
    }

    pub fn commits(&mut self, who: Who) -> super::Tried {
        let digest = self.change_digest();
        self.by(who).does(change_s(), CommitChange { digest })
    }

    /// The members whose vote the open change takes say yes.
    pub fn carry(&mut self) -> super::Tried {
        let electorate = self.room().electorate(&self.room().changes[&change_id()].change);
        let mut last = Ok(Vec::new());
        for who in Who::MEMBERS.into_iter().filter(|who| electorate.contains(&who.member())) {
            last = Ok(self.votes_for(who)?);
        }
        last
    }

    /// Workload and policy stand, and the three datasets are published.
    pub fn stocked() -> Self {
        Self::joined().stock()
    }

    pub fn stock(mut self) -> Self {
        self.litware().does(room(), EnableWorkload { workload: "spark-sql".into() }).unwrap();
        self.set_policy(&[application()]);
        self.litware().does(orders_s(), PublishDataset { descriptor: orders() }).unwrap();
        self.contosso().does(campaigns_s(), PublishDataset { descriptor: campaigns() }).unwrap();
        self.fabrikam().does(report_s(), PublishDataset { descriptor: report() }).unwrap();
        self
    }

    pub fn set_policy(&mut self, applications: &[Digest]) {
        let policy = SetCleanRoomPolicy::of(applications.to_vec());
        self.litware().does(room(), policy).unwrap();
    }

    pub fn drafted() -> Self {
        Self::stocked().draft()
    }

    pub fn draft(mut self) -> Self {
        self.fabrikam().does(query_s(), DraftQuery { definition: definition() }).unwrap();
        self
    }

    pub fn proposed() -> Self {
        Self::drafted().propose()
    }

    pub fn propose(mut self) -> Self {
        self.fabrikam().does(query_s(), propose()).unwrap();
        self
    }

    /// The digest that the query has now.
    pub fn digest(&self) -> Digest {
        self.digest_of(query_id())
    }

    pub fn digest_of(&self, query: QueryId) -> Digest {
        self.room()
            .queries
            .get(&query)
            .and_then(|query| query.live_proposal())
            .map_or(Digest::of(b"none"), |proposal| proposal.digest)
    }

    pub fn approve(&mut self, who: Who) -> super::Tried {
        let digest = self.digest();
        self.by(who).does(query_s(), ApproveQuery { digest })
    }

    pub fn accepted() -> Self {
        Self::proposed().accept()
    }

    pub fn accept(mut self) -> Self {
        for who in Who::MEMBERS {
            self.approve(who).unwrap();
        }
        self
    }

    pub fn request(&mut self, run: RunId) -> super::Tried {
        let digest = self.digest();
        self.fabrikam().does(Subject::Run(run), RequestRun { query: query_id(), digest })
    }

    pub fn requested() -> Self {
        let mut world = Self::accepted();
        world.request(run_id()).unwrap();
        world
    }

    pub fn admitted() -> Self {
        let mut world = Self::requested();
        let admit = admit(&world, run_id(), &world.executor);
        world.report(run_id(), admit).unwrap();
        world
    }

    pub fn submitted() -> Self {
        let mut world = Self::admitted();
        world.report(run_id(), submit()).unwrap();
        world
    }

    pub fn started() -> Self {
        let mut world = Self::submitted();
        world.report(run_id(), StartRun {}).unwrap();
        world
    }

    pub fn succeeded() -> Self {
        let mut world = Self::started();
        let succeed = succeed(&world, run_id(), &world.executor);
        world.report(run_id(), succeed).unwrap();
        world
    }
}
