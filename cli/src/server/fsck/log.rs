//! One log: its rows, what an auditor finds, and what lies beside it: the keys of its personal data,
//! and stored secrets.

use std::collections::BTreeSet;

use chancery_audit::bundle::{Beside, Cosigned, Header, Kind, Writer};
use chancery_audit::{Options, Report, Verdict, verify};
use chancery_commands::export::{ExportError, Receipts};
use chancery_commands::keyring::Keyring;
use chancery_governance::event::Event;
use chancery_governance::log as rules;
use chancery_governance::secret::{StoredSecret, stored_name};
use chancery_governance::state::{Collaboration, State, origin};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use chancery_store::{Checked, Head, ReadError, Store};

use super::Keys;
use super::found::Found;
use crate::chunks;
use crate::client::clock::now_ms;
use crate::failure::{Failure, OrFail as _, Result, causes};

/// Entries read at a time.
const PAGE: u32 = 256;
/// How often the rest of a log that grows meanwhile is read, before what lies beside it is taken as
/// it is.
const CATCH_UPS_MAX: u32 = 8;

/// What became of a log.
pub struct LogChecked {
    /// Which.
    pub id: CollaborationId,
    /// What the store looked at.
    pub checked: Checked,
    /// What an auditor says; none where the entries can't be read to their end.
    pub verdict: Option<Verdict>,
    /// Invitations whose personal keys were looked up.
    pub personal: u64,
    /// Datasets whose stored secrets were looked up.
    pub secrets: u64,
    /// What disagrees.
    pub found: Found,
}

/// Checks a log that had `size` entries.
///
/// # Errors
///
/// Where it can't be read now.
pub async fn check(
    store: &Store,
    keys: Keys<'_>,
    id: CollaborationId,
    size: u64,
) -> Result<LogChecked> {
    let mut found = Found::default();
    let checked = store.fsck(id, &mut |finding| found.add(finding.to_string())).await;
    let checked = known(checked, &mut found)?
        .unwrap_or_else(|| Checked { entries: size, ..Checked::default() });
    let mut log = LogChecked { id, checked, verdict: None, personal: 0, secrets: 0, found };
    if let Some(state) = log.audit(store, keys).await? {
        log.beside(store, state).await?;
    }
    Ok(log)
}

/// What was read; none, and a disagreement, where the database holds what is never written.
fn known<T>(read: std::result::Result<T, ReadError>, found: &mut Found) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ ReadError::Corrupt(_)) => {
            found.add(error.to_string());
            Ok(None)
        }
        Err(error) => Err(Failure::unreadable("Can't read the log", causes(&error))),
    }
}

/// What the first entry says of the log.
fn header(first: &[u8], id: CollaborationId, head: &Head) -> Option<Header> {
    let sealed = Sealed::parse(first.to_vec()).ok()?;
    let (_, Event::CollaborationCreated(created)) = rules::read(&sealed).ok()? else { return None };
    Some(Header {
        collaboration: id,
        origin: origin(&created.service, id),
        service_key: created.service_key,
        size: head.size,
        exported_at_ms: now_ms(),
    })
}

impl LogChecked {
    /// Streams the log through the audit. Gives what it adds up to, where it can be read.
    async fn audit(&mut self, store: &Store, keys: Keys<'_>) -> Result<Option<State>> {
        // Before the head, so that it is not of a longer log.
        let cosigned = known(store.cosigned(self.id).await, &mut self.found)?.flatten();
        let receipts = known(Receipts::now(store, self.id).await, &mut self.found)?;
        let Some(head) = known(store.head(self.id).await, &mut self.found)?.flatten() else {
            return Ok(None);
        };
        let first = known(store.range(self.id, 0, 1).await, &mut self.found)?.unwrap_or_default();
        let header = first.first().and_then(|entry| header(&entry.sealed, self.id, &head));
        let Some(header) = header else {
            self.found.add("the first entry does not begin a log");
            return Ok(None);
        };
        let cosigned = cosigned
            .filter(|cosigned| cosigned.size <= head.size)
            .map(|head| Cosigned { size: head.size, note: head.checkpoint });
        // More than the log has is told already.
        let receipts = receipts.filter(|receipts| receipts.mirrored() <= head.size);
        let mirrored = receipts.as_ref().map_or(0, Receipts::mirrored);
        let beside = Beside { cosigned, mirrored };
        let writer = Writer::with(Vec::new(), &header, Kind::WholeLog, beside);
        let writer = writer.or_unreadable(|| "Can't set up the audit".to_owned())?;
        let (sender, reader) = chunks::channel();
        let audit = tokio::task::spawn_blocking(move || verify(reader, &Options::default()));
        let fed = self.feed(store, &head, receipts, (writer, sender)).await;
        let report = audit.await.or_unreadable(|| "The audit ended".to_owned())?;
        // What can't be read to its end was told as such; that it is cut short says no more.
        let Some(state) = fed? else { return Ok(None) };
        self.judge(report, keys);
        Ok(Some(state))
    }

    /// Sends the log to the audit and folds it. None where it can't be read to its end.
    async fn feed(
        &mut self,
        store: &Store,
        head: &Head,
        mut receipts: Option<Receipts>,
        (mut writer, sender): (Writer<Vec<u8>>, chunks::Sender),
    ) -> Result<Option<State>> {
        let failed = || "Can't set up the audit".to_owned();
        let mut folding = Some(State::Absent);
        // Once it has its verdict, the audit reads no further.
        let mut heard = true;
        let mut next = 0;
        while next < head.size {
            let left = u32::try_from(head.size - next).unwrap_or(PAGE).min(PAGE);
            let page = known(store.range(self.id, next, left).await, &mut self.found)?;
            let Some(page) = page.filter(|page| !page.is_empty()) else { return Ok(None) };
            for entry in page {
                writer.push(&entry.sealed).or_unreadable(failed)?;
                next += 1;
                if let Some(receipts) = &mut receipts {
                    self.receipt(store, receipts, next, &mut writer).await?;
                }
                folding = folding.and_then(|state| step(state, entry.sealed));
            }
            let chunk = std::mem::take(writer.output());
            heard = heard && sender.send(chunk).await.is_ok();
        }
        if heard {
            let end = writer.finish(&head.checkpoint).or_unreadable(failed)?;
            drop(sender.send(end).await);
        }
        // What does not fold, the audit names.
        Ok(Some(folding.unwrap_or(State::Absent)))
    }

    /// Gives the audit the mirror's receipt of the batch that ends at `size`, if one does.
    async fn receipt(
        &mut self,
        store: &Store,
        receipts: &mut Receipts,
        size: u64,
        writer: &mut Writer<Vec<u8>>,
    ) -> Result<()> {
        match receipts.ending_at(store, size).await {
            Ok(None) => Ok(()),
            Ok(Some(receipt)) => {
                let written = writer.receipt(&receipt);
                written.or_unreadable(|| "Can't set up the audit".to_owned())
            }
            Err(ExportError::Read(error)) => {
                known(Err(error), &mut self.found).map(|_: Option<()>| ())
            }
            Err(error) => {
                self.found.add(causes(&error));
                Ok(())
            }
        }
    }

    fn judge(&mut self, report: Report, keys: Keys<'_>) {
        match &report.verdict {
            Verdict::Verified => {
                let standing = report.standing.iter().filter_map(|it| it.service_keys.last());
                for last in standing {
                    if keys.is_some_and(|keys: &Keyring| keys.by_id(last.key).is_none()) {
                        self.found.add(format!(
                            "it is sealed by {}, which is not among the service's keys",
                            last.key
                        ));
                    }
                }
            }
            Verdict::Tampered { check, position, detail }
            | Verdict::Incomplete { check, position, detail } => {
                let place = position.map(|at| format!(" at position {at}")).unwrap_or_default();
                let name = report.verdict.as_str();
                self.found.add(format!("the audit says {name}: {check}{place}: {detail}"));
            }
            Verdict::Unreadable { detail } => {
                self.found.add(format!("the audit says unreadable: {detail}"));
            }
        }
        self.verdict = Some(report.verdict);
    }

    /// That what lies beside the log is what the log says. Where the two differ and the log has grown
    /// meanwhile, it is the log that is looked at again.
    async fn beside(&mut self, store: &Store, mut state: State) -> Result<()> {
        for _ in 0..CATCH_UPS_MAX {
            let differ = self.differing(store, &state).await?;
            let size = state.collaboration().map_or(0, |state| state.size);
            let more = store.range(self.id, size, PAGE).await;
            let more = known(more, &mut self.found)?.unwrap_or_default();
            if differ.is_empty() || more.is_empty() {
                for what in differ {
                    self.found.add(what);
                }
                return Ok(());
            }
            for entry in more {
                let Some(next) = step(state, entry.sealed) else { return Ok(()) };
                state = next;
            }
        }
        for what in self.differing(store, &state).await? {
            self.found.add(what);
        }
        Ok(())
    }

    async fn differing(&mut self, store: &Store, state: &State) -> Result<Vec<String>> {
        let Some(state) = state.collaboration() else { return Ok(Vec::new()) };
        let mut differ = self.personal_keys(store, state).await?;
        let due = self.stored(store, state, &mut differ).await?;
        self.secrets = due.len() as u64;
        let there = known(store.personal_subjects(self.id).await, &mut self.found)?;
        let orphans = there.unwrap_or_default().into_iter().filter(|name| {
            let invitation = match name.parse() {
                Ok(Subject::Invitation(id)) => state.invitations.contains_key(&id),
                _ => false,
            };
            !invitation && !due.contains(name)
        });
        differ.extend(
            orphans.map(|name| format!("{name} lies beside the log, which has no use for it")),
        );
        Ok(differ)
    }

    /// That each secret that a dataset has is stored, and is the one that the log names. Gives the
    /// names of those that should be.
    async fn stored(
        &mut self,
        store: &Store,
        state: &Collaboration,
        differ: &mut Vec<String>,
    ) -> Result<BTreeSet<String>> {
        let mut due = BTreeSet::new();
        for (id, dataset) in &state.datasets {
            let Some(StoredSecret { ciphertext, position, .. }) = dataset.secret else { continue };
            let subject = Subject::Dataset(*id);
            let name = stored_name(*id, &ciphertext);
            let stored = store.personal_key(self.id, &name).await;
            due.insert(name);
            let Some(stored) = known(stored, &mut self.found)? else { continue };
            match stored {
                Some(stored) if Digest::of(&stored) == ciphertext => {}
                Some(_) => differ.push(format!(
                    "the secret of {subject} is another than was stored at position {position}"
                )),
                None => differ.push(format!(
                    "the secret of {subject}, stored at position {position}, is missing"
                )),
            }
        }
        Ok(due)
    }

    /// That each invitation that was not erased has its key, and each erased one has none.
    async fn personal_keys(&mut self, store: &Store, state: &Collaboration) -> Result<Vec<String>> {
        let mut differ = Vec::new();
        self.personal = 0;
        for (id, invitation) in &state.invitations {
            let subject = Subject::Invitation(*id).to_string();
            let key = store.personal_key(self.id, &subject).await;
            let Some(key) = known(key, &mut self.found)? else { continue };
            self.personal += 1;
            match (key, invitation.erased_at) {
                (None, None) => differ.push(format!("the key of {subject}'s e-mail is missing")),
                (Some(_), Some(at)) => differ.push(format!(
                    "{subject} was erased at position {at}, and the key of its e-mail is there"
                )),
                (Some(_), None) | (None, Some(_)) => {}
            }
        }
        Ok(differ)
    }
}

fn step(state: State, sealed: Vec<u8>) -> Option<State> {
    rules::fold(state, &Sealed::parse(sealed).ok()?).ok()
}
