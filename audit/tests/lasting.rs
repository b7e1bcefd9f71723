//! What was proved stays proved: after personal data is erased, after the service changes its key.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;

use std::io;

use chancery_audit::diff::{Relation, Side};
use chancery_audit::partial::Scope;
use chancery_audit::render::render_text;
use chancery_audit::{Options, Report, Verdict, diff, verify};
use chancery_governance::command::{Command, ErasePersonal};
use chancery_governance::reason::Code;
use chancery_governance::subject::Subject;
use chancery_governance::submission::Facts;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Sealed;
use chancery_ledger::key::{PublicKey, SigningKey};
use chancery_ledger::merkle;
use chancery_ledger::note::Checkpoint;
use chancery_ledger::receipt::{self, SignedRoot};
use story::{Parts, Person, Right, Story, key, service_key};

/// What somebody kept of a log at one time.
struct Kept {
    parts: Parts,
    bundle: Vec<u8>,
    part: Vec<u8>,
    leaves: Vec<Digest>,
    root: Digest,
    /// A receipt of each entry.
    receipts: Vec<Vec<u8>>,
}

impl Kept {
    fn of(story: &Story, service: &SigningKey) -> Self {
        let leaves: Vec<_> = story.entries.iter().map(Sealed::leaf).collect();
        let root = merkle::root(&leaves);
        let (signed, size) = (SignedRoot::sign(root, service), leaves.len() as u64);
        let receipts = (0..size).map(|index| {
            signed.inclusion(size, index, &merkle::inclusion_proof(&leaves, index).unwrap())
        });
        Self {
            receipts: receipts.collect(),
            parts: story.parts(),
            bundle: story.bundle(),
            part: story.pieces(Scope::Query(story::delays())).bundle(),
            root,
            leaves,
        }
    }

    /// Everything kept verifies with the key of its time, and what came later extends it.
    fn assert_holds(&self, service: &PublicKey, later: &Story, later_service: &SigningKey) {
        assert_eq!(verified(&self.bundle, service).verdict, Verdict::Verified);
        assert_eq!(verified(&self.part, service).verdict, Verdict::Verified);
        let opened = Checkpoint::open(&self.parts.checkpoint, &self.parts.header.origin, service);
        let opened = opened.unwrap();
        assert_eq!((opened.size, opened.root), (self.leaves.len() as u64, self.root));
        let entries = later.entries.iter();
        for ((receipt, sealed), index) in self.receipts.iter().zip(entries).zip(0..) {
            // The entry as the log serves it now.
            let leaf = merkle::leaf_hash(sealed.bytes());
            let proved = receipt::verify_inclusion(receipt, &leaf, service).unwrap();
            assert_eq!((proved.index, proved.root), (index, self.root));
        }
        let leaves: Vec<_> = later.entries.iter().map(Sealed::leaf).collect();
        let (old, new) = (self.leaves.len() as u64, leaves.len() as u64);
        let root = merkle::root(&leaves);
        let path = merkle::consistency_proof(&leaves, old).unwrap();
        let receipt = SignedRoot::sign(root, later_service).consistency(old, new, &path);
        let proved = receipt::verify_consistency(&receipt, &self.root, later_service.public());
        assert_eq!(proved.unwrap().root, root);
        assert_eq!(grown(&self.bundle, &later.bundle()), Some(new - old));
    }
}

/// The report on a bundle whose service is known by this key.
fn verified(bundle: &[u8], service: &PublicKey) -> Report {
    verify(bundle, &Options { service_key: Some(service.id()), ..Options::default() })
}

/// How many entries `b` has beyond `a`, where it only grew.
fn grown(a: &[u8], b: &[u8]) -> Option<u64> {
    let open = |side| Ok::<_, io::Error>(if side == Side::A { a } else { b });
    match diff(open, &Options::default()).unwrap().relation {
        Some(Relation::Grew { longer: Side::B, added }) => Some(added),
        _ => None,
    }
}

/// What the report says of e-mail addresses: (what, why).
fn addresses(report: &Report) -> Vec<(&str, &str)> {
    let not_checked = &report.contents.as_ref().unwrap().not_checked;
    let lines = not_checked.iter().map(|not| (not.what.as_str(), not.why.as_str()));
    lines.filter(|(what, _)| what.contains("e-mail")).collect()
}

fn erase(story: &mut Story, by: Right<'_>, of: Person) {
    story.send(by, Subject::Invitation(of.invitation()), ErasePersonal {});
}

#[test]
fn after_an_erasure_every_proof_made_before_still_verifies() {
    let mut story = Story::whole();
    let (service, size) = (service_key(), story.entries.len());
    let kept = Kept::of(&story, &service);
    let bytes: Vec<_> = story.entries.iter().map(|sealed| sealed.bytes().to_vec()).collect();
    erase(&mut story, Right::Key(Person::Contosso), Person::Contosso);
    let invitation = &story.collaboration().invitations[&Person::Contosso.invitation()];
    assert_eq!(invitation.erased_at, Some(size as u64));
    // Nothing in the log changed: it never held the address.
    assert!(story.entries.iter().map(Sealed::bytes).take(size).eq(bytes.iter()));
    kept.assert_holds(service.public(), &story, &service);
    // The bundle made after it holds all that the rules say, the refused second time among them.
    let report = verified(&story.bundle(), service.public());
    assert_eq!(report.verdict, Verdict::Verified);
    let again = story.try_send(
        Right::Key(Person::Contosso),
        Subject::Invitation(Person::Contosso.invitation()),
        &Command::from(ErasePersonal {}),
        Facts::default(),
    );
    assert_eq!(again.unwrap_err().first.code, Code::PersonalErased);
}

#[test]
fn a_bundle_says_which_addresses_are_erased_and_not_readable() {
    let sealed = ("e-mail addresses", "personal data is sealed under keys outside the log");
    let mut story = Story::whole();
    let service = service_key();
    let report = verified(&story.bundle(), service.public());
    assert_eq!(addresses(&report), [sealed]);

    let first = story.entries.len();
    erase(&mut story, Right::Key(Person::Contosso), Person::Contosso);
    let report = verified(&story.bundle(), service.public());
    let why = format!(
        "1 erased, at position {first}: not readable without a key that the service says it \
         destroyed; no proof rests on it"
    );
    assert_eq!(addresses(&report), [sealed, ("erased e-mail addresses", why.as_str())]);
    let text = render_text(&report, 80);
    assert!(text.contains("erased e-mail addresses"), "{text}");

    // By who accepted without a key, and by the owner: all of them, so none is sealed any more.
    erase(&mut story, Right::Token(Person::Woodgrove), Person::Woodgrove);
    erase(&mut story, Right::Key(Person::Litware), Person::Fabrikam);
    let report = verified(&story.bundle(), service.public());
    let why = format!(
        "3 erased, at positions {first}, {}, {}: not readable without a key that the service says \
         it destroyed; no proof rests on it",
        first + 1,
        first + 2
    );
    assert_eq!(addresses(&report), [("erased e-mail addresses", why.as_str())]);
}

#[test]
fn after_a_rotation_every_proof_made_before_still_verifies_with_the_old_key() {
    let mut story = Story::whole();
    let (old, new) = (service_key(), key(2));
    let kept = Kept::of(&story, &old);
    story.rotate(2);
    kept.assert_holds(old.public(), &story, &new);
    story.request(3);
    erase(&mut story, Right::Key(Person::Contosso), Person::Contosso);
    kept.assert_holds(old.public(), &story, &new);
    // And so does what is made between two rotations, with the key of then.
    let between = Kept::of(&story, &new);
    story.rotate(3);
    between.assert_holds(new.public(), &story, &key(3));
    kept.assert_holds(old.public(), &story, &key(3));
    // The old key does not speak for what came after it.
    for receipt in &between.receipts {
        let leaf = &between.leaves[0];
        assert!(receipt::verify_inclusion(receipt, leaf, old.public()).is_err());
    }
    let origin = &between.parts.header.origin;
    assert!(Checkpoint::open(&between.parts.checkpoint, origin, old.public()).is_err());
    assert!(Checkpoint::open(&kept.parts.checkpoint, origin, new.public()).is_err());
}
