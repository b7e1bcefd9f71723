//! The clean room policy: which executors may run which queries. The one place that checks it.
//!
//! An application's measurement is always demanded; what is demanded beside it must stand in the
//! evidence, and what the evidence does not say is refused.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::QueryId;

use crate::command::SetCleanRoomPolicy;
use crate::event::CleanRoomPolicySet;
use crate::member::Terms;
use crate::reason::{Code, Reason};
use crate::run::Platform;
use crate::state::Collaboration;

/// Most digests of host data, and of engine images, that a policy names.
pub const CLAIMS_MAX: usize = 64;
/// Most queries that an application is limited to.
pub const QUERIES_MAX: usize = 1_000;

/// What is demanded of a platform beside the application. Part of what voters bind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Demands {
    /// Host data, one of which the evidence must hold, sorted; none means any.
    pub host_data: Vec<Digest>,
    /// Engine images, one of which the evidence must hold, sorted; none means any.
    pub engines: Vec<Digest>,
    /// The least version of each part of the trusted computing base.
    pub minimum_tcb: Option<Tcb>,
}

/// The parts of AMD SEV-SNP's trusted computing base, each by its security version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tcb {
    /// The boot loader.
    pub bootloader: u64,
    /// The security processor's operating system.
    pub tee: u64,
    /// The SNP firmware.
    pub snp: u64,
    /// The microcode.
    pub microcode: u64,
}

impl Tcb {
    /// Whether each part is at least that of `least`.
    pub const fn reaches(&self, least: &Self) -> bool {
        self.bootloader >= least.bootloader
            && self.tee >= least.tee
            && self.snp >= least.snp
            && self.microcode >= least.microcode
    }
}

/// An application that may run some queries only. One without such a limit may run all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Only {
    /// Its measurement, which the policy names.
    pub application: Digest,
    /// The queries, sorted.
    pub queries: Vec<QueryId>,
}

/// What evidence says of a platform beside the application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Its host data.
    pub host_data: Option<Digest>,
    /// The engine's image.
    pub engine: Option<Digest>,
    /// Its trusted computing base.
    pub tcb: Option<Tcb>,
    /// Whether its memory can be debugged.
    pub debug: Option<bool>,
}

/// A policy as it stands, or as it is about to.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The applications.
    pub applications: &'a [Digest],
    /// What is demanded of the platform.
    pub demands: &'a Demands,
    /// The limits.
    pub only: &'a [Only],
}

/// An executor as its evidence shows it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What stands behind the evidence.
    pub platform: Platform,
    /// The application.
    pub measurement: Digest,
    /// The rest.
    pub claims: &'a Claims,
}

impl<'a> Policy<'a> {
    /// The one that holds.
    pub fn of(state: &'a Collaboration) -> Self {
        let (applications, demands) = (&state.applications, &state.demands);
        Self { applications, demands, only: &state.only }
    }

    /// Whether the limits let `application` run `query`.
    pub fn lets(&self, application: &Digest, query: QueryId) -> bool {
        let limit = self.only.iter().find(|only| only.application == *application);
        limit.is_none_or(|only| only.queries.contains(&query))
    }

    /// Everything that stands against a run of `query` by an executor.
    pub fn reasons(&self, terms: &Terms, query: QueryId, shown: &Shown<'_>) -> Vec<Reason> {
        let Shown { platform, measurement, claims } = *shown;
        let Demands { host_data, engines, minimum_tcb } = self.demands;
        let among = |named: &[Digest], claim: Option<Digest>| {
            named.is_empty() || claim.is_some_and(|claim| named.contains(&claim))
        };
        let demanding = *self.demands != Demands::default();
        let reasons = [
            (
                !self.applications.contains(&measurement),
                Code::MeasurementNotAllowed,
                format!("the clean room policy does not name {measurement}"),
            ),
            (
                platform == Platform::InsecureVirtual && !terms.insecure_virtual,
                Code::InsecureVirtualNotAllowed,
                "no hardware stands behind the evidence, and the terms do not accept that".into(),
            ),
            (
                !self.lets(&measurement, query),
                Code::ApplicationNotForQuery,
                "the clean room policy lets that application run other queries only".into(),
            ),
            (
                !among(host_data, claims.host_data),
                Code::HostDataNotAllowed,
                "the evidence holds none of the host data that the policy names".into(),
            ),
            (
                !among(engines, claims.engine),
                Code::EngineNotAllowed,
                "the evidence holds none of the engine images that the policy names".into(),
            ),
            (
                minimum_tcb.is_some_and(|least| !claims.tcb.is_some_and(|tcb| tcb.reaches(&least))),
                Code::TcbTooOld,
                "the platform's trusted computing base is older than the policy asks for, or \
                 unknown"
                    .into(),
            ),
            (
                // What says nothing of it is taken at its word only where nothing is demanded.
                claims.debug.unwrap_or(demanding),
                Code::DebugNotAllowed,
                "the platform's memory can be debugged, or the evidence does not say".into(),
            ),
        ];
        let wrong = reasons.into_iter().filter(|(wrong, ..)| *wrong);
        wrong.map(|(_, code, detail)| Reason::new(code, detail)).collect()
    }
}

impl SetCleanRoomPolicy {
    /// A policy that names applications and demands nothing beside.
    pub fn of(applications: Vec<Digest>) -> Self {
        Self { applications, demands: Demands::default(), only: Vec::new() }
    }
}

impl CleanRoomPolicySet {
    /// As [`SetCleanRoomPolicy::of`].
    pub fn of(applications: Vec<Digest>) -> Self {
        Self { applications, demands: Demands::default(), only: Vec::new() }
    }
}
