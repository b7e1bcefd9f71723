//! `chancery audit`: the bundle of a log, and what can be learned from it without a network.

mod at;
mod ccf;
mod compare;
mod database;
mod export;
mod files;
mod landing;
mod mirrored;
mod part;
mod verify;
mod witnesses;

use std::path::PathBuf;
use std::process::ExitCode;

use chancery_audit::Moment;
use chancery_ccf::receipt::Expected;
use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;
use clap::Subcommand;

use crate::args::Global;
use crate::client::room::Room;
use crate::failure::Result;

/// Export the log and verify it offline.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the collaboration's log, or a part of it, to a file
    ///
    /// From the service, as a member; or straight from its database, as its operator. The database
    /// is only read: nothing is created or migrated. A part holds the entries about one query, run
    /// or member and those that they rest on; that others are left out, and where, it proves.
    #[command(after_help = "\
A part can't be decided again, nor compared: that takes the whole log. In a
database things have no names: there, name them by id.

Examples:
  chancery audit export audit.chancery
  chancery audit export delays.chancery --query delays
  chancery audit export audit.chancery --database data/log.db \\
    --collaboration 01932b6c-...")]
    Export {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Read a SQLite file, or a PostgreSQL database, instead of asking the service
        #[arg(
            long,
            value_name = "PATH|postgres://URL",
            env = "CHANCERY_DATABASE",
            hide_env_values = true
        )]
        database: Option<String>,
        #[command(flatten)]
        part: part::Part,
    },
    /// Verify a bundle; needs the file and nothing else
    ///
    /// Checks every signature, hash and proof, replays the rules, and says which check fails first,
    /// where and why. Of a log that verifies it tells who approved what, what ran, who got what,
    /// and what could not be verified.
    #[command(after_help = "\
Exit codes: 0 verified, 1 tampered, 2 incomplete, 3 unreadable. Fewer
witnesses than asked for is incomplete.

Without --service-key, a log that somebody made up with a key of their own
verifies too. Get the key's id from elsewhere than the bundle. Without
--witness, whoever exported it may have been shown another log than others.
Without --ccf-service-certificate, the mirror's receipts may be anybody's: the
report says NOT PINNED. With it, a bundle without receipts is incomplete.

Examples:
  chancery audit verify audit.chancery --service-key sha256:...
  chancery audit verify audit.chancery --witness W1 --witness W2 --quorum 1
  chancery audit verify audit.chancery --html report.html
  chancery audit verify audit.chancery --at 2026-01-05T09:30:00Z")]
    Verify {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The id that the service's key must have
        #[arg(long, value_name = "sha256:...")]
        service_key: Option<Digest>,
        #[command(flatten)]
        witnesses: witnesses::Named,
        /// The certificate of the CCF service that mirrors the log; repeatable
        #[arg(long = "ccf-service-certificate", value_name = "PEM")]
        ccf_services: Vec<PathBuf>,
        /// Write the report as one page made for printing, too
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Tell what stood after that entry, or at that time (RFC 3339)
        #[arg(long, value_name = "POSITION|TIME", value_parser = at::moment)]
        at: Option<Moment>,
        /// Begin timeline, votes, runs and releases at that entry
        #[arg(long, value_name = "POSITION", default_value_t, hide_default_value = true)]
        from: u64,
    },
    /// Say whether the log, or an entry, is in the mirror's ledger
    ///
    /// As the service says it now. With a position, the receipt of the batch that holds the entry
    /// is in the answer with --output json: verify it with audit ccf-receipt. A bundle brings all
    /// receipts, and audit verify checks them.
    #[command(after_help = "\
Exit codes: 0 mirrored, 1 not yet, diverged or nowhere.

Examples:
  chancery audit mirrored --wait 30
  chancery audit mirrored 12 --output json")]
    Mirrored {
        /// The entry's position [default: all of the log]
        #[arg(value_name = "POSITION")]
        position: Option<u64>,
        /// Wait for it, so many seconds at most
        #[arg(long, value_name = "SECONDS", default_value_t, hide_default_value = true)]
        wait: u32,
    },
    /// Verify two bundles and say what is missing between them
    ///
    /// Says whether both hold the same log, which entries one adds to the other, or from which
    /// position on they are two histories.
    #[command(after_help = "\
Exit codes: 0 the same, or one holds all of the other; 1 a fork: the service
signed two histories; 64 bundles of two logs, or of a part of one; else as for
verify.

Example:
  chancery audit diff january.chancery february.chancery")]
    Diff {
        /// One bundle
        #[arg(value_name = "A")]
        a: PathBuf,
        /// The other
        #[arg(value_name = "B")]
        b: PathBuf,
        /// The id that the service's key must have
        #[arg(long, value_name = "sha256:...")]
        service_key: Option<Digest>,
    },
    /// Say whether files are the result that a run's executor attested
    ///
    /// Verifies the bundle, then holds the SHA-256 and length of each file against the result of
    /// every run. Of a folder, every file in it is meant. The bundle of a part will do if it
    /// holds the run.
    #[command(after_help = "\
Exit codes: 0 each file was attested, 1 at least one was not; else as for
verify. A copy that was put together from several files has no digest of its
own in the log: hold the files themselves against it.

Example:
  chancery audit result part-00000.csv --bundle audit.chancery")]
    Result {
        /// Result files, or folders of them
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The bundle
        #[arg(long, value_name = "BUNDLE")]
        bundle: PathBuf,
        /// The run whose result they must be
        #[arg(long, value_name = "ID")]
        run: Option<RunId>,
        /// The id that the service's key must have
        #[arg(long, value_name = "sha256:...")]
        service_key: Option<Digest>,
    },
    /// Verify the files of a CCF ledger, and that a log is in it
    ///
    /// Reads the committed files and snapshots of a CCF node. Checks every signature of its nodes
    /// and its service, every Merkle root, and that nothing is left out. With a bundle, that each
    /// of its entries was mirrored, in order.
    #[command(after_help = "\
Exit codes: 0 verified, 1 tampered, 2 incomplete, 3 unreadable. Transactions
after the last signature are incomplete: nothing vouches for them.

Get the service's certificate from elsewhere than the ledger: from the members
of its consortium. A ledger that ends early at a signature looks whole:
--reaches names a transaction that must be there, from a receipt, say.

Examples:
  chancery audit ccf-ledger ledger/ --service-certificate service.pem
  chancery audit ccf-ledger ledger/ --service-certificate service.pem \\
    --bundle audit.chancery --reaches 2.10664")]
    CcfLedger {
        /// Folder with the ledger's files, or with `ledger` and `snapshots` in it
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The service's certificate
        #[arg(long, value_name = "PEM")]
        service_certificate: PathBuf,
        /// Folder with snapshots, where they are not with the ledger
        #[arg(long, value_name = "DIR")]
        snapshots: Option<PathBuf>,
        /// A bundle whose entries must be in the ledger
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
        /// The id that the bundle's service key must have
        #[arg(long, value_name = "sha256:...", requires = "bundle")]
        service_key: Option<Digest>,
        /// A transaction that the ledger must reach
        #[arg(long, value_name = "VIEW.SEQNO")]
        reaches: Option<TxId>,
    },
    /// Verify a receipt of a CCF network
    ///
    /// Of either form: JSON, or COSE of the CCF profile. Checks the path to the signed root, the
    /// signature, and the chain to the service's certificate.
    #[command(after_help = "\
Exit codes: 0 verified, 1 tampered, 2 incomplete (the receipt leaves out what
the transaction claims, and --claims-digest is missing), 3 unreadable.

Without --claims-digest, a receipt of any transaction verifies. That of a batch
of a log is the SHA-256 of the log's checkpoint text after it.

Examples:
  chancery audit ccf-receipt receipt.json --service-certificate service.pem
  chancery audit ccf-receipt receipt.cose --service-certificate service.pem \\
    --claims-digest 32b769982a3a... --transaction 2.14")]
    CcfReceipt {
        /// The receipt
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The service's certificate
        #[arg(long, value_name = "PEM")]
        service_certificate: PathBuf,
        /// What the transaction must claim
        #[arg(long, value_name = "HEX", value_parser = ccf::digest)]
        claims_digest: Option<Digest>,
        /// The transaction that it must be of
        #[arg(long, value_name = "VIEW.SEQNO")]
        transaction: Option<TxId>,
        /// A time at which all certificates must be valid (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = ccf::seconds)]
        at: Option<u64>,
        /// Endorsements of earlier services of a COSE receipt, newest first
        #[arg(long, value_name = "FILE")]
        endorsement: Vec<PathBuf>,
    },
}

/// Does it.
///
/// # Errors
///
/// Where the bundle can't be had, written or read.
pub async fn run(global: &Global, command: Command) -> Result<ExitCode> {
    match command {
        Command::Export { file, database: Some(database), part } => {
            let scope = part.by_id()?;
            database::export(&database, global.collaboration.as_deref(), scope, &file).await
        }
        Command::Export { file, database: None, part } => {
            let room = Room::open(global).await?;
            let scope = part.in_room(&room).await?;
            export::export(&room, scope, &file).await
        }
        Command::Verify { file, service_key, witnesses, ccf_services, html, at, from } => {
            let (witnesses, mirrors) = (witnesses.policy()?, ccf_services);
            let wanted = verify::Wanted { service_key, witnesses, mirrors, html, at, from };
            verify::run(&file, wanted)
        }
        Command::Mirrored { position, wait } => {
            let room = Room::open(global).await?;
            mirrored::run(&room, position, wait).await
        }
        Command::Diff { a, b, service_key } => compare::run(&a, &b, service_key),
        Command::Result { files, bundle, run, service_key } => {
            files::run(&files, &bundle, run, service_key)
        }
        Command::CcfLedger {
            dir,
            service_certificate,
            snapshots,
            bundle,
            service_key,
            reaches,
        } => {
            let certificate = service_certificate;
            let wanted =
                ccf::ledger::Wanted { dir, snapshots, certificate, bundle, service_key, reaches };
            ccf::ledger::run(&wanted)
        }
        Command::CcfReceipt {
            file,
            service_certificate,
            claims_digest,
            transaction,
            at,
            endorsement,
        } => {
            let expected = Expected { claims: claims_digest, transaction, at_s: at };
            ccf::receipt::run(&file, &service_certificate, &endorsement, &expected)
        }
    }
}
