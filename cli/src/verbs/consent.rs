//! Consent: your own mark against use, on a collaboration, dataset or query.

use chancery_governance::subject::Subject;
use clap::ValueEnum;
use reqwest::Method;
use serde_json::json;

use super::done;
use crate::client::clock;
use crate::client::room::Room;
use crate::client::session::Order;
use crate::failure::Result;

/// What consent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Running queries.
    Execution,
    /// Logs of the application.
    Logging,
    /// Telemetry of the infrastructure.
    Telemetry,
}

/// How consent is withdrawn or restored.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Consent {
    /// What consent is about
    #[arg(long, value_enum, default_value = "execution")]
    kind: Kind,
}

/// Whether consent is withdrawn or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Withdrawn: a mark is set.
    Withdraw,
    /// Restored: the mark is taken away.
    Restore,
}

impl Consent {
    /// Withdraws or restores consent on `subject`, which people call `name` and whose path below
    /// the collaboration is `below`.
    ///
    /// # Errors
    ///
    /// The service's refusal.
    pub async fn change(
        self,
        room: &Room,
        change: Change,
        (subject, below, name): (Subject, String, &str),
    ) -> Result<()> {
        let kind = match self.kind {
            Kind::Execution => "execution",
            Kind::Logging => "logging",
            Kind::Telemetry => "telemetry",
        };
        let (action, path, word) = match change {
            Change::Withdraw => ("consent.withdraw", "withdraw", "Withdrew"),
            Change::Restore => ("consent.restore", "restore", "Restored"),
        };
        let order = Order {
            method: Method::POST,
            path: format!("{below}/consent/{path}"),
            action,
            subject,
            command: clock::command_id()?,
            expected_version: None,
            body: json!({"kind": kind}),
            content: None,
        };
        let sent = room.send(&order).await?;
        done(&sent, &format!("{word} your consent to {kind} on {name}"), Vec::new())
    }
}
