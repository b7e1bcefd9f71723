//! `chancery dataset`: schemas and policies, never rows.

use std::path::{Path, PathBuf};

use chancery_commands::api::{
    ColumnRule, DifferentialPrivacy, Format, GroupIdentity, Receiver, Store, Usage,
};
use chancery_commands::usage::BudgetItem;
use chancery_governance::privacy::{Loss, loss_text, micro_text};
use chancery_governance::subject::Subject;
use chancery_ledger::id::DatasetId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::consent::{Change, Consent};
use super::{dataset_secret, done, json_file, marks};
use crate::args::Global;
use crate::client::clock;
use crate::client::http::view;
use crate::client::names::{Kind, pick};
use crate::client::room::Room;
use crate::client::session::Order;
use crate::client::views::{Budgets, Dataset};
use crate::failure::{OrFail as _, Result};
use crate::output;
use crate::text::{Table, facts, plain, short, time};

/// Datasets: schemas and policies, never rows.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish a dataset, or with --update a new version of one
    #[command(after_help = "\
FILE.json holds the descriptor: name, format, columns, store, access_mode
(read for inputs, write for outputs), policy and, where you like, usage:
budgets ({\"period\": \"day|week|month|life\", \"runs\": 3}) and receivers of
results ({\"kind\": \"organisation\", \"organisation\": \"Fabrikam\"}). A column's
type is string, long, double, boolean, date, timestamp or decimal(p,s): p digits,
1 to 38, of which s stand after the point.

Example:
  {\"name\": \"planes\", \"format\": {\"kind\": \"csv\", \"null_value\": \"NA\"},
   \"columns\": [{\"name\": \"tailnum\", \"type\": \"string\"}],
   \"store\": {\"kind\": \"local\", \"path\": \"planes\"},
   \"access_mode\": \"read\",
   \"policy\": {\"allowed_columns\": [\"tailnum\"], \"minimum_group\": null,
     \"column_rules\": [{\"column\": \"tailnum\", \"join_only\": true}]}}

Rules on columns are optional: minimum, aggregate_only, output_forbidden,
join_only, literals (equality or none). In the place of minimum_group,
differential_privacy asks for noise: see docs/sql.md.")]
    Publish {
        /// The descriptor
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
        /// The dataset that this is a new version of; votes on the old one are void
        #[arg(long, value_name = "NAME")]
        update: Option<String>,
    },
    /// Your own folder under the executor's data root
    ///
    /// The paths of local datasets are relative to it: what lies elsewhere, you
    /// can't publish, and nobody else can publish what lies here.
    Folder,
    /// The datasets here
    List,
    /// A dataset's schema, policy, versions and marks
    Show {
        /// Its name or id
        name: String,
    },
    /// Encrypt a folder before you publish it, under a key of yours
    ///
    /// Publish it with \"encryption\": \"chunked-aes-256-gcm\", then store the key with store-secret:
    /// runs that all agreed on get it, and nobody else.
    Encrypt {
        /// The file with the key, for you only; drawn where there is none
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The folder with the clear files
        from: PathBuf,
        /// The folder to make
        to: PathBuf,
    },
    /// Store the secret of a dataset's newest version, such as the key of its files
    ///
    /// It is sealed to the service here. The log holds its digest only, and each release.
    StoreSecret {
        /// Its name or id
        name: String,
        /// The file with the secret, for you only
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Destroy the stored secret of a dataset; runs get it no more
    EraseSecret {
        /// Its name or id
        name: String,
    },
    /// Take a dataset of yours out of use, for good
    Retire {
        /// Its name or id
        name: String,
    },
    /// Withdraw consent on a dataset of yours; runs in flight are cancelled
    WithdrawConsent {
        /// Its name or id
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Restore that consent
    RestoreConsent {
        /// Its name or id
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Does it.
///
/// # Errors
///
/// The service's refusal, or that it can't be reached.
pub async fn run(global: &Global, command: Command) -> Result<()> {
    if let Command::Encrypt { key, from, to } = &command {
        return dataset_secret::encrypt(key, from, to);
    }
    let room = Room::open(global).await?;
    match command {
        // Needs no service, and is done.
        Command::Encrypt { .. } => Ok(()),
        Command::StoreSecret { name, key } => {
            let (it, id) = find(&room, &name).await?;
            dataset_secret::store(&room, (&it, id), &key).await
        }
        Command::EraseSecret { name } => {
            let (it, id) = find(&room, &name).await?;
            dataset_secret::erase(&room, (&it, id)).await
        }
        Command::Publish { file, update } => publish(&room, &file, update.as_deref()).await,
        Command::Folder => {
            let folder = format!("{}/{}", room.view.id, room.myself().await?);
            Ok(output::answer(&json!({ "folder": folder }), &folder)?)
        }
        Command::List => list(&room).await,
        Command::Show { name } => show(&room, &name).await,
        Command::Retire { name } => {
            let (it, id) = find(&room, &name).await?;
            let order = Order {
                method: Method::POST,
                path: format!("/datasets/{id}/retire"),
                action: "dataset.retire",
                subject: Subject::Dataset(id),
                command: clock::command_id()?,
                expected_version: Some(it.version),
                body: json!({}),
                content: None,
            };
            let sent = room.send(&order).await?;
            done(&sent, &format!("Retired {}", it.descriptor.name), Vec::new())
        }
        Command::WithdrawConsent { name, consent } => {
            change(&room, &name, consent, Change::Withdraw).await
        }
        Command::RestoreConsent { name, consent } => {
            change(&room, &name, consent, Change::Restore).await
        }
    }
}

async fn find(room: &Room, wanted: &str) -> Result<(Dataset, DatasetId)> {
    let it = pick(Kind::Dataset, room.views::<Dataset>("/datasets").await?, wanted)?;
    let id = it.id.parse().or_unreadable(|| "The dataset has no id".to_owned())?;
    Ok((it, id))
}

async fn publish(room: &Room, file: &Path, update: Option<&str>) -> Result<()> {
    let descriptor = json_file::read(file)?;
    let name = descriptor.get("name").and_then(|name| name.as_str()).unwrap_or("?").to_owned();
    let command = clock::command_id()?;
    let (id, method, path, version) = match update {
        None => (DatasetId::new(command.uuid()), Method::POST, "/datasets".to_owned(), None),
        Some(wanted) => {
            let (it, id) = find(room, wanted).await?;
            (id, Method::PUT, format!("/datasets/{id}"), Some(it.version))
        }
    };
    let order = Order {
        method,
        path,
        action: "dataset.publish",
        subject: Subject::Dataset(id),
        command,
        expected_version: version,
        body: json!({"descriptor": descriptor}),
        content: None,
    };
    let sent = room.send(&order).await?;
    let what = if update.is_some() { "a new version of " } else { "" };
    done(&sent, &format!("Published {what}{name}"), vec![("id", id.to_string())])
}

fn state(it: &Dataset) -> &'static str {
    if it.retired.is_some() {
        "retired"
    } else if it.marks.is_empty() {
        "in use"
    } else {
        "withheld"
    }
}

async fn list(room: &Room) -> Result<()> {
    let items = room.list("/datasets").await?;
    let headings = ["NAME", "OWNER", "ACCESS", "COLUMNS", "STATE", "VERSION"];
    let mut table = Table::new(headings).right(3);
    for item in &items {
        let it: Dataset = view(item)?;
        let columns = it.descriptor.columns.len().to_string();
        table.row([
            it.descriptor.name.as_str(),
            &it.owner_organisation,
            &it.descriptor.access_mode,
            &columns,
            state(&it),
            &short(&it.digest),
        ]);
    }
    let none = "No dataset is published here.\n".to_owned();
    let text = if table.is_empty() { none } else { table.render(0) };
    Ok(output::answer(&json!({"items": items}), &text)?)
}

async fn show(room: &Room, name: &str) -> Result<()> {
    let (_, id) = find(room, name).await?;
    let document = room.document(&format!("/datasets/{id}")).await?;
    let it: Dataset = view(&document)?;
    let format = match &it.descriptor.format {
        Format::Csv { null_value: Some(null) } => format!("csv, null is {null:?}"),
        Format::Csv { null_value: None } => "csv".to_owned(),
        Format::Json {} => "json".to_owned(),
        Format::Parquet {} => "parquet".to_owned(),
    };
    let Store::Local { path } = &it.descriptor.store;
    let floor = it.descriptor.policy.minimum_group.as_ref().map_or_else(
        || "none".to_owned(),
        |floor| match &floor.identity {
            GroupIdentity::Row {} => format!("{} rows behind every output row", floor.count),
            GroupIdentity::Column { column } => {
                format!("{} distinct {column} behind every output row", floor.count)
            }
        },
    );
    let mut pairs = vec![
        ("id", it.id.clone()),
        ("owner", it.owner_organisation.clone()),
        ("state", state(&it).to_owned()),
        ("access", it.descriptor.access_mode.clone()),
        ("format", format),
        ("store", format!("local folder {path} of its owner")),
        ("minimum", floor),
    ];
    pairs.extend(it.descriptor.encryption.iter().map(|how| ("encryption", plain(how))));
    pairs.extend(it.descriptor.token_audience.iter().map(|it| ("tokens for", plain(it))));
    pairs.extend(it.secret.iter().map(|secret| {
        ("secret", format!("{} stored at {}", secret.ciphertext, secret.stored.position))
    }));
    let standing: Budgets = view(&room.document(&format!("/datasets/{id}/budget")).await?)?;
    pairs.extend(usage(&standing.budgets, &it.descriptor.usage));
    pairs.extend(it.descriptor.policy.differential_privacy.iter().flat_map(privacy));
    pairs.extend(standing.privacy.iter().map(|it| {
        let renews = it.renews_ms.map_or(String::new(), |at_ms| format!(", anew {}", time(at_ms)));
        let used = loss(it.epsilon_micro_used, it.delta_pico_used);
        let all = loss(it.epsilon_micro, it.delta_pico);
        ("privacy", format!("{used} of {all} lost, {}{renews}", it.period))
    }));
    pairs.extend(it.versions.iter().map(|version| {
        ("version", format!("{} at {}", version.digest, version.published.position))
    }));
    pairs.extend(marks(&it.marks));
    let mut table = Table::new(["COLUMN", "TYPE", "QUERIES"]);
    for column in &it.descriptor.columns {
        let allowed = it.descriptor.policy.allowed_columns.contains(&column.name);
        let rule = it.descriptor.policy.column_rules.iter().find(|it| it.column == column.name);
        let queries = match (allowed, rule) {
            (false, _) => "may not".to_owned(),
            (true, None) => "may read it".to_owned(),
            (true, Some(rule)) => format!("may read it: {}", ruled(rule)),
        };
        table.row([column.name.as_str(), &column.r#type, &queries]);
    }
    let name = plain(&it.descriptor.name);
    let text = format!("{name}\n{}\n{}", facts(2, pairs), table.render(2));
    Ok(output::answer(&document, &text)?)
}

/// What its owner says of its use, and how much is used.
fn usage(standing: &[BudgetItem], usage: &Usage) -> Vec<(&'static str, String)> {
    let budgets = standing.iter().map(|it| {
        let each = if it.each_runner { ", for each runner: yours" } else { "" };
        let renews = it.renews_ms.map_or(String::new(), |at_ms| format!(", anew {}", time(at_ms)));
        ("budget", format!("{} of {} runs used, {}{each}{renews}", it.used, it.runs, it.period))
    });
    let receivers = usage.receivers.iter().map(|receiver| {
        let who = match receiver {
            Receiver::Member { member } => format!("member {member}"),
            Receiver::Organisation { organisation } => plain(organisation),
            Receiver::Ability { ability } => format!("any {ability}"),
        };
        ("results to", who)
    });
    budgets.chain(receivers).collect()
}

/// What differential privacy its owner asks for.
fn privacy(policy: &DifferentialPrivacy) -> Vec<(&'static str, String)> {
    let DifferentialPrivacy { unit, query_epsilon_micro_max, groups_max, rows_max, .. } = policy;
    let most = micro_text(*query_epsilon_micro_max);
    let mut pairs = vec![
        ("noise", format!("hides each {unit}; a query costs ε {most} at most")),
        ("each", format!("{unit} counts in {groups_max} groups, for {rows_max} rows in each")),
    ];
    pairs.extend(policy.columns.iter().map(|it| {
        let unit = match it.decimals {
            0 => String::new(),
            decimals => format!(" units of 1e-{decimals}"),
        };
        ("within", format!("{} from {} to {}{unit}", it.column, it.lower, it.upper))
    }));
    pairs.extend(
        policy
            .declared
            .iter()
            .map(|it| ("declared", format!("{}: {}", it.column, plain(&it.values.join(", "))))),
    );
    pairs
}

fn loss(epsilon_micro: u64, delta_pico: u64) -> String {
    loss_text(Loss { epsilon_micro, delta_pico })
}

/// A rule on a column in words.
fn ruled(rule: &ColumnRule) -> String {
    let ColumnRule { column: _, minimum, aggregate_only, output_forbidden, join_only, literals } =
        rule;
    let mut words = Vec::new();
    if let Some(minimum) = minimum {
        words.push(format!("minimum {minimum}"));
    }
    let literals = match literals.as_deref() {
        Some("equality") => Some("compared with whole literals only"),
        Some("none") => Some("compared with no literal"),
        _ => None,
    };
    let flags = [
        aggregate_only.then_some("in aggregates only"),
        output_forbidden.then_some("not for the output"),
        join_only.then_some("for joins only"),
        literals,
    ];
    words.extend(flags.into_iter().flatten().map(str::to_owned));
    words.join(", ")
}

async fn change(room: &Room, name: &str, consent: Consent, change: Change) -> Result<()> {
    let (it, id) = find(room, name).await?;
    let target = (Subject::Dataset(id), format!("/datasets/{id}"), it.descriptor.name.as_str());
    consent.change(room, change, target).await
}
