//! Worlds at each stage of the demo, one step after another.

use chancery_governance::command::{
    AcceptInvitation, ApproveQuery, DraftQuery, EnableWorkload, ProposeQuery, PublishDataset,
    RequestRun, SetCleanRoomPolicy, StartRun,
};
use chancery_governance::member::{Ability, Terms};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{QueryId, RunId};

use super::World;
use super::fixtures::{
    admit, application, campaigns, campaigns_s, create, definition, invite, orders, orders_s,
    query_id, query_s, report, report_s, room, run_id, submit, succeed, terms,
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
        self.fabrikam().does(query_s(), ProposeQuery {}).unwrap();
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
