//! A part of a log: what is there is checked entry by entry, and what it names must be there too.
//!
//! The rules can't decide again with gaps. What is proven: where each entry stands in the tree that
//! the checkpoint signs, its seal, its own signature by a key registered in the part, that the event
//! is what was signed, the evidence, and that votes, versions and digests agree.

mod part;

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZero;

use chancery_governance::event::Event;
use chancery_governance::subject::{Subject, member_of, owner_of};
use chancery_ledger::entry::{Entry, Sealed};
use chancery_ledger::id::{QueryId, RunId};

use super::Options;
use super::entry::{Before, Place, Taken};
use super::mirror::Receipts;
use super::pipeline::{self, Known, Step};
use super::tree::Tree;
use super::verdict::{tampered, unread};
use crate::bundle::{Gap, Header, Reader, Trailer};
use crate::check::{Check, Verdict};
use crate::collect::found;
use crate::collect::unmirrored;
use crate::partial::needs::Need;
use crate::partial::{LISTED_MAX, Line, MISSING_MAX, PartialContents, Scope, subtrees};
use crate::report::{Found, Listed, Stamp};
use crate::standing::{Mirrored, ServiceKey, Standing};
use crate::view::View;
use part::Part;

/// Runs the checks over a partial bundle.
///
/// # Errors
///
/// The first check that fails, or what is missing.
pub fn audit(
    reader: &mut Reader<impl Read>,
    header: Header,
    scope: Scope,
    known: Known<'_>,
    threads: NonZero<usize>,
    options: &Options,
) -> Result<(PartialContents, Standing), Verdict> {
    let mut audit = Audit {
        tree: Tree::new(reader.cosigned_size()),
        receipts: Receipts::new(reader.mirrored(), false),
        before: Before::Nothing,
        part: Part::new(&header),
        header,
        gaps: 0,
        included: 0,
        entries: Vec::new(),
        names: BTreeMap::new(),
        queries: BTreeMap::new(),
        view: options.view.clone(),
        found: Listed::default(),
    };
    let mut end = None;
    pipeline::run(reader, known, threads, |step| match step {
        Step::Entry(opened) => audit.entry(opened),
        Step::Gap(gap) => audit.gap(&gap),
        Step::Receipt(judged) => audit.receipts.take(&judged, &audit.header, &audit.tree),
        Step::Unread(error, read) => Err(unread(&error, read)),
        Step::Trailer(trailer) => {
            end = Some(trailer);
            Ok(())
        }
    })?;
    match end {
        Some(trailer) => audit.end(&trailer, scope, options),
        None => Err(Verdict::Unreadable { detail: "there is no trailer".to_owned() }),
    }
}

struct Audit {
    header: Header,
    tree: Tree,
    receipts: Receipts,
    before: Before,
    part: Part,
    gaps: u64,
    included: u64,
    entries: Vec<Line>,
    names: BTreeMap<Subject, String>,
    /// Which query a run is of.
    queries: BTreeMap<RunId, QueryId>,
    view: View,
    found: Listed<Found>,
}

impl Audit {
    fn entry(
        &mut self,
        opened: Result<Box<super::opened::Opened>, chancery_ledger::entry::OpenError>,
    ) -> Result<(), Verdict> {
        let (key, key_id) = self.part.sealing();
        let place = Place {
            header: &self.header,
            position: self.tree.size(),
            before: self.before,
            key,
            key_id,
        };
        let Taken { sealed, prepared } = place.check(opened)?;
        self.part.take(&self.header, &sealed, &prepared)?;
        let (subject, event) = (prepared.recorded().subject, prepared.event());
        if self.entries.len() < LISTED_MAX {
            let entry = sealed.entry();
            self.entries.push(Line {
                position: entry.position,
                time_ms: entry.time_ms,
                kind: event.kind().to_owned(),
                subject,
                actor: entry.actor,
                authority: part::right(&entry.authority),
            });
            self.names.extend(named(subject, event));
        }
        self.files(&sealed, subject, event);
        self.included += 1;
        self.before = Before::Leaf(sealed.leaf());
        self.receipts.entry(sealed.entry().position);
        self.tree.append(sealed.leaf());
        Ok(())
    }

    /// Looks for the files that were asked for. A run whose request is left out fails in the end.
    fn files(&mut self, sealed: &Sealed, subject: Subject, event: &Event) {
        let Subject::Run(run) = subject else { return };
        match event {
            Event::RunRequested(event) => {
                self.queries.insert(run, event.query);
            }
            Event::RunSucceeded(event) => {
                let Some(query) = self.queries.get(&run) else { return };
                let Entry { position, time_ms, .. } = *sealed.entry();
                let stamp = Stamp { position, time_ms };
                found::look(&mut self.found, &self.view, (stamp, run, *query), event);
            }
            _ => {}
        }
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Verdict> {
        if gap.first == 0 {
            return Err(Verdict::Incomplete {
                check: Check::Closure,
                position: Some(0),
                detail: "the first entry is left out, which says whose log this is".to_owned(),
            });
        }
        self.tree.append_gap(gap)?;
        // The last root is the entry's own leaf hash where it covers that entry only.
        let last = subtrees(gap.first, gap.count).last();
        let leaf = gap.roots.last().filter(|_| last == Some(0));
        self.before = leaf.map_or(Before::Unknown, |leaf| Before::Leaf(*leaf));
        self.gaps += 1;
        Ok(())
    }

    fn end(
        mut self,
        trailer: &Trailer,
        scope: Scope,
        options: &Options,
    ) -> Result<(PartialContents, Standing), Verdict> {
        let service_keys: Vec<_> = self
            .part
            .service_keys
            .iter()
            .map(|(from, key)| {
                let (from, key) = (*from, key.id());
                ServiceKey { key, from, expected: options.service_key == Some(key) }
            })
            .collect();
        if let Some(expected) = options.service_key
            && !service_keys.iter().any(|key| key.expected)
        {
            let detail = format!("the log was never sealed by the expected key {expected}");
            return Err(tampered(Check::ServiceKey, None, detail));
        }
        let checkpoint = self.tree.checkpoint(&self.header, trailer, self.part.sealing().0)?;
        self.closure(scope)?;
        let witnessed = self.tree.witnessed(
            &self.header,
            trailer,
            |size| self.part.key_at(size),
            options.witnesses.as_ref(),
        )?;
        let mirrored = self.receipts.end(!options.mirrors.is_empty())?;
        let pinned = options.service_key.is_some();
        let contents = PartialContents {
            scope,
            collaboration: self.header.collaboration,
            name: self.part.name,
            service: self.part.service,
            checkpoint,
            exported_at_ms: self.header.exported_at_ms,
            hardware: self.part.hardware,
            included: self.included,
            gaps: self.gaps,
            entries: self.entries,
            names: self.names,
            found: self.found,
            not_checked: not_checked(
                scope,
                pinned,
                self.part.hardware,
                witnessed.is_some(),
                mirrored.as_ref(),
            ),
        };
        Ok((contents, Standing { service_keys, witnessed, mirrored }))
    }

    /// Whatever the entries name is there.
    fn closure(&mut self, scope: Scope) -> Result<(), Verdict> {
        let begin = Need::beginning(scope);
        if !self.part.holds(&begin) {
            self.part.missing.push((None, begin));
        }
        if self.part.missing.is_empty() {
            return Ok(());
        }
        let named = |(by, need): &(Option<u64>, Need)| match by {
            Some(position) => format!("{need} (named at position {position})"),
            None => need.to_string(),
        };
        let mut missing: Vec<_> = self.part.missing.iter().take(MISSING_MAX).map(named).collect();
        let more = self.part.missing_count().saturating_sub(missing.len());
        if more > 0 {
            missing.push(format!("{more} more"));
        }
        Err(Verdict::Incomplete {
            check: Check::Closure,
            position: self.part.missing[0].0,
            detail: format!("left out, and named by what is there: {}", missing.join("; ")),
        })
    }
}

/// What an entry says that something is called.
fn named(subject: Subject, event: &Event) -> Option<(Subject, String)> {
    match (subject, event) {
        (Subject::Collaboration(id), Event::CollaborationCreated(event)) => {
            Some((Subject::Member(owner_of(id)), event.organisation.clone()))
        }
        (Subject::Invitation(id), Event::CollaboratorInvited(event)) => {
            Some((Subject::Member(member_of(id)), event.organisation.clone()))
        }
        (Subject::Dataset(_), Event::DatasetPublished(event)) => {
            Some((subject, event.descriptor.name.clone()))
        }
        (Subject::Query(_), Event::QueryDrafted(event)) => {
            Some((subject, event.definition.name.clone()))
        }
        (Subject::Query(_), Event::QueryRevised(event)) => {
            Some((subject, event.definition.name.clone()))
        }
        _ => None,
    }
}

fn not_checked(
    scope: Scope,
    pinned: bool,
    hardware: bool,
    witnessed: bool,
    mirrored: Option<&Mirrored>,
) -> Vec<String> {
    let mut not = vec![
        "whether the rules permitted each entry: a part can't be decided again".to_owned(),
        format!("whether an entry that is left out concerns {scope}"),
        "whether a key was revoked, or a consent withdrawn, by an entry that is left out"
            .to_owned(),
        "whether the log went on after this checkpoint".to_owned(),
        "when it was exported: nobody signs that time".to_owned(),
    ];
    if !pinned {
        not.push("whose key sealed the log: no expected service key was given".to_owned());
    }
    if !hardware {
        not.push("where anything ran: insecure-virtual evidence can be made by anybody".to_owned());
    }
    if !witnessed {
        not.push("a split view of the log: no cosignature by a witness named here".to_owned());
    }
    let mirror = unmirrored(mirrored, None).into_iter();
    not.extend(mirror.map(|(what, why)| format!("{what}: {why}")));
    not
}
