//! Which witnesses an auditor relies on.

use chancery_ledger::note::{Policy, Witness};

use crate::failure::{Failure, Result};

/// The witnesses named, and how many must have cosigned.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// A witness's verifier key; repeatable
    #[arg(long = "witness", value_name = "NAME+ID+KEY")]
    witnesses: Vec<Witness>,
    /// How many of the witnesses must have cosigned [default: all]
    #[arg(long, value_name = "N", requires = "witnesses", value_parser = clap::value_parser!(u16).range(1..))]
    quorum: Option<u16>,
}

impl Named {
    /// The policy; none where no witness is named.
    ///
    /// # Errors
    ///
    /// Where no note could meet it.
    pub fn policy(self) -> Result<Option<Policy>> {
        if self.witnesses.is_empty() {
            return Ok(None);
        }
        let quorum = self.quorum.map_or(self.witnesses.len(), usize::from);
        Policy::new(self.witnesses, quorum).map(Some).map_err(|error| {
            Failure::usage(
                "witnesses_unclear",
                "These witnesses can't be asked for",
                error.to_string(),
            )
        })
    }
}
