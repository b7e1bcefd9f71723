//! Secrets: the service's keys, what an owner stores, what an executor asks for.

use chancery_governance::command::{
    AttestService, MintToken, PublishDataset, ReleaseSecret, StoreDatasetSecret,
};
use chancery_governance::decide::secret::{Requested, service_keys_report_data};
use chancery_governance::run::Platform;
use chancery_governance::secret::SealingKey;
use chancery_governance::subject::Subject;
use chancery_ledger::cose::ContentType;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{Authority, SignedContent};
use chancery_ledger::id::{DatasetId, RunId};
use chancery_ledger::key::{Algorithm, PublicKey, SigningKey};

use super::fixtures::{application, orders, orders_id, orders_s, run_id};
use super::people::Who;
use super::{SERVICE, Tried, World, evidence};

/// The service's public address.
pub const ISSUER: &str = "https://chancery.test";
/// The audience that orders allows tokens for.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// How long tokens here live.
pub const LIFE_MS: u64 = 10 * 60 * 1000;

pub fn sealing_key(seed: u8) -> SealingKey {
    SealingKey::new([seed; 32])
}

/// A P-256 point, as far as its form goes.
pub fn token_key(seed: u8) -> PublicKey {
    let mut point = [seed; 65];
    point[0] = 4;
    PublicKey::new(Algorithm::Es256, &point).unwrap()
}

pub fn attest_with(world: &World, seed: u8, platform: Platform) -> AttestService {
    let (release_key, token_key) = (sealing_key(seed), token_key(seed));
    let service = world.service.public();
    let bound = service_keys_report_data(SERVICE, service, &release_key, &token_key);
    let evidence = evidence::make(platform, Digest::of(b"the service"), bound);
    AttestService { release_key, token_key, evidence }
}

pub fn store(world: &World, ciphertext: &[u8]) -> StoreDatasetSecret {
    store_for(world, orders_id(), ciphertext)
}

pub fn store_for(world: &World, dataset: DatasetId, ciphertext: &[u8]) -> StoreDatasetSecret {
    let room = world.room();
    let version = room.dataset_version(dataset).map(|(_, newest)| newest.digest);
    let release_key = room.announced.last().map(|keys| keys.release_key.id());
    StoreDatasetSecret {
        version: version.unwrap_or(Digest::of(b"none")),
        ciphertext: Digest::of(ciphertext),
        release_key: release_key.unwrap_or(Digest::of(b"none")),
    }
}

pub struct Ask<'a> {
    pub run: RunId,
    pub executor: &'a SigningKey,
    pub recipient: SealingKey,
    pub dataset: DatasetId,
    pub platform: Platform,
    pub measurement: Digest,
}

impl<'a> Ask<'a> {
    pub fn of(executor: &'a SigningKey) -> Self {
        Self {
            run: run_id(),
            executor,
            recipient: sealing_key(40),
            dataset: orders_id(),
            platform: Platform::InsecureVirtual,
            measurement: application(),
        }
    }

    fn requested(&'a self, world: &World) -> Requested<'a> {
        let run = world.room().runs.get(&self.run);
        Requested {
            audience: world.service.public().id(),
            collaboration: world.id,
            run: self.run,
            nonce: run.map_or(Digest::of(b"none"), |run| run.request_leaf),
            executor: self.executor.public(),
            recipient: &self.recipient,
            dataset: self.dataset,
        }
    }

    pub fn secret(&self, world: &World) -> ReleaseSecret {
        let bound = self.requested(world).secret_report_data();
        let evidence = evidence::make(self.platform, self.measurement, bound);
        ReleaseSecret { dataset: self.dataset, recipient: self.recipient, evidence }
    }

    pub fn token(&self, world: &World) -> MintToken {
        self.token_for(world, AUDIENCE, LIFE_MS)
    }

    pub fn token_for(&self, world: &World, audience: &str, lifetime_ms: u64) -> MintToken {
        let bound = self.requested(world).token_report_data(audience, lifetime_ms);
        MintToken {
            dataset: self.dataset,
            audience: audience.into(),
            lifetime_ms,
            recipient: self.recipient,
            evidence: evidence::make(self.platform, self.measurement, bound),
        }
    }
}

/// A room on hardware evidence only, whose service shows some.
pub fn strict() -> World {
    let mut world = World::empty();
    let command = super::fixtures::create(super::fixtures::terms(&[], false)).into();
    let mut attempt = world.prepare(Who::Litware, super::fixtures::room(), &command);
    let service = world.service_facts();
    let bound = chancery_governance::decide::service::report_data(SERVICE, &service.key);
    let evidence = evidence::make(Platform::SevSnp, Digest::of(b"the service"), bound);
    attempt.facts.service = Some(super::Service { evidence, ..service });
    world.submit(&attempt).unwrap();
    world
}

impl World {
    /// The collaboration, to be put into a state that takes long to reach.
    pub fn state_mut(&mut self) -> &mut chancery_governance::state::Collaboration {
        match &mut self.state {
            chancery_governance::state::State::Present(room) => room,
            chancery_governance::state::State::Absent => panic!("nothing has begun"),
        }
    }

    /// The service announces its keys.
    pub fn attest(&mut self, seed: u8) -> Tried {
        let command = attest_with(self, seed, Platform::InsecureVirtual);
        self.attests(command)
    }

    /// The service hands in an announcement, signed by the key that seals now.
    pub fn attests(&mut self, command: AttestService) -> Tried {
        let command = command.into();
        let mut attempt = self.prepare_service(&super::key(200), &command);
        let message = self
            .to_sign(attempt.subject, &command, attempt.command)
            .sign(ContentType::ServiceCommand, &self.service);
        let content = super::content(&command);
        attempt.authority = Authority::ServiceSigned(SignedContent { message, content });
        self.submit(&attempt)
    }

    /// All accepted, tokens allowed for orders, and its secret stored.
    pub fn secretive() -> Self {
        let mut world = Self::stocked();
        world.attest(30).unwrap();
        let mut descriptor = orders();
        descriptor.token_audience = Some(AUDIENCE.into());
        world.litware().does(orders_s(), PublishDataset { descriptor }).unwrap();
        let store = store(&world, b"ciphertext");
        world.litware().does(orders_s(), store).unwrap();
        world.draft().propose().accept()
    }

    /// As secretive, and a run is admitted.
    pub fn entitled() -> Self {
        let mut world = Self::secretive();
        world.request(run_id()).unwrap();
        let admit = super::fixtures::admit(&world, run_id(), &world.executor);
        world.report(run_id(), admit).unwrap();
        world
    }

    /// The executor asks for the secret of orders.
    pub fn asks_secret(&mut self) -> Tried {
        let command = Ask::of(&super::key(201)).secret(self);
        self.report(run_id(), command)
    }

    /// The executor asks for a token for orders.
    pub fn asks_token(&mut self) -> Tried {
        let command = Ask::of(&super::key(201)).token(self);
        self.report(run_id(), command)
    }

    /// Another executor is admitted to the run, and is the one from then on.
    pub fn taken_over(&mut self, by: &SigningKey) {
        let command = super::fixtures::admit(self, run_id(), by).into();
        let attempt = self.prepare_report(by, run_id(), &command);
        self.submit(&attempt).unwrap();
    }

    /// A report by that executor.
    pub fn report_by(
        &mut self,
        by: &SigningKey,
        command: impl Into<chancery_governance::command::Command>,
    ) -> Tried {
        let attempt = self.prepare_report(by, run_id(), &command.into());
        self.submit(&attempt)
    }

    pub fn erases(&mut self, who: Who, subject: Subject) -> Tried {
        self.by(who).does(subject, chancery_governance::command::EraseDatasetSecret {})
    }
}
