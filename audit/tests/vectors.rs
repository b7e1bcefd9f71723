//! Bundles of each version, as it was when it was released, verify for ever.
//!
//! `story.bundle` of version 1 was written by the code that wrote version 1. Those of version 2 are
//! what the story here still makes; when the story changes, they stay, and this file must not need
//! to make them.

mod story;

use chancery_audit::bundle::{Cosigned, Kind, Reader, Version};
use chancery_audit::partial::Scope;
use chancery_audit::{Options, Report, Verdict, verify};
use story::{Story, checkpoint, cosigned, key, policy, service_key};

const V1: &[u8] = include_bytes!("vectors/v1/story.bundle");
const V2_WHOLE: &[u8] = include_bytes!("vectors/v2/story.bundle");
const V2_PARTIAL: &[u8] = include_bytes!("vectors/v2/query.bundle");

fn verified(bundle: &[u8], expected: u8, witnesses: usize) -> Report {
    let options = Options {
        service_key: Some(key(expected).public().id()),
        witnesses: Some(policy(witnesses)),
        ..Options::default()
    };
    let report = verify(bundle, &options);
    assert_eq!(report.verdict, Verdict::Verified);
    report
}

#[test]
fn a_bundle_of_version_1_verifies() {
    assert_eq!(Reader::open(V1).unwrap().version(), Version::V1);
    let contents = verified(V1, 1, 0).contents.unwrap();
    assert_eq!(contents.checkpoint.size, 41);
    assert_eq!(contents.queries.len(), 2);
}

#[test]
fn a_whole_bundle_of_version_2_verifies() {
    let reader = Reader::open(V2_WHOLE).unwrap();
    assert_eq!((reader.version(), reader.kind()), (Version::V2, Kind::WholeLog));
    let standing = verified(V2_WHOLE, 2, 2).standing.unwrap();
    assert_eq!(standing.service_keys.len(), 2);
    assert_eq!(standing.witnessed.unwrap().cosigned.len(), 2);
}

#[test]
fn a_partial_bundle_of_version_2_verifies() {
    let reader = Reader::open(V2_PARTIAL).unwrap();
    let scope = Scope::Query(story::delays());
    assert_eq!((reader.version(), reader.kind()), (Version::V2, Kind::Partial(scope)));
    let report = verified(V2_PARTIAL, 2, 2);
    assert!(report.contents.is_none());
    assert!(report.partial.unwrap().gaps > 0);
}

#[test]
fn this_release_writes_version_2_as_it_was() {
    let story = Story::rotated();
    // The witnesses saw the log before the service changed its key.
    let size = 40;
    assert!(story.cosigned_bundle(&service_key(), size, &[0, 2]) == V2_WHOLE);
    let scope = Scope::Query(story::delays());
    let note = cosigned(&checkpoint(&story.parts().entries[..size], &service_key()), &[0, 2]);
    let cosigned = Some(Cosigned { size: size as u64, note });
    let pieces = story.pieces_of(scope, &story.selected(scope), cosigned);
    assert!(pieces.bundle() == V2_PARTIAL);
}
