//! Receipts, notes, cosignatures, tiles, Merkle proofs, and what a witness is asked.

#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use chancery_fuzz::arbitrary::{Result, Unstructured};
use chancery_fuzz::{corpus, fuzz, mutate};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::{PublicKey, SigningKey};
use chancery_ledger::merkle::{self, leaf_hash};
use chancery_ledger::note::{
    self, Checkpoint, LogKey, NOTE_LEN_MAX, Note, Policy, SIGNATURES_MAX, Witness,
};
use chancery_ledger::receipt;
use chancery_ledger::tile::{self, Bundle, Tile};
use chancery_witness::AddCheckpoint;

const ORIGIN: &str = "chancery.test/01941f29-7c00-7000-8000-000000000001";
/// Most leaves of a tree made here.
const LEAVES_MAX: u64 = 600;

/// The key that signs the vectors of proofs.
fn service() -> SigningKey {
    SigningKey::from_seed(&[0xc8; 32]).unwrap()
}

fn digest(u: &mut Unstructured<'_>) -> Result<Digest> {
    u.arbitrary().map(Digest::from_bytes)
}

/// The leaf hashes of the log of the vectors.
fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|n| leaf_hash(format!("entry {n}").as_bytes())).collect()
}

#[test]
fn a_changed_receipt_proves_nothing_but_what_the_service_signed() {
    let mut seeds = corpus::vectors("proofs-v1", "inclusion-");
    seeds.extend(corpus::vectors("proofs-v1", "consistency-"));
    let good = seeds.clone();
    seeds.extend(corpus::vectors("proofs-v1", "reject-receipt-"));
    let (leaves, service) = (leaves(300), service());
    let key = service.public();
    let roots: Vec<_> = (0..=leaves.len()).map(|size| merkle::root(&leaves[..size])).collect();
    let signed = |root: &Digest| roots[1..].contains(root);
    fuzz(|u| {
        let bytes = mutate::bytes(u, &seeds)?;
        let known = receipt::key_id(&bytes);
        let leaf = u.choose(&leaves)?;
        for leaf in [leaf, &leaves[0], &leaves[5], &leaves[255]] {
            let Ok(proved) = receipt::verify_inclusion(&bytes, leaf, key) else { continue };
            assert_eq!(known, Ok(key.id()));
            assert!(signed(&proved.root));
            // Size and index are not signed: trees of other sizes have proofs of this form.
            let index = usize::try_from(proved.index).unwrap();
            let of_the_log = roots.get(usize::try_from(proved.size).unwrap()) == Some(&proved.root);
            if of_the_log && leaves.get(index) == Some(leaf) {
                assert!(good.contains(&bytes), "verified: {bytes:02x?}");
            }
        }
        for old in [1, 3, 4, 256, 300, u.int_in_range(1..=300)?] {
            let Ok(proved) = receipt::verify_consistency(&bytes, &roots[old], key) else {
                continue;
            };
            assert_eq!(known, Ok(key.id()));
            assert!(signed(&proved.root));
            if proved.old == old as u64
                && roots.get(usize::try_from(proved.new).unwrap()) == Some(&proved.root)
            {
                assert!(good.contains(&bytes), "verified: {bytes:02x?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_changed_note_opens_as_what_was_signed_or_not_at_all() {
    let mut seeds = corpus::notes("proofs-v1", "checkpoint");
    seeds.extend(corpus::notes("v1", "checkpoint-"));
    seeds.extend(corpus::notes("v1", "reject-checkpoint-"));
    let signed = corpus::notes("proofs-v1", "checkpoint");
    let line = signed[0].lines().nth(4).unwrap();
    let text = Note::parse(&signed[0]).unwrap().text();
    let key = service();
    let log = LogKey::new("chancery.test", key.public().clone()).unwrap();
    fuzz(|u| {
        let input = mutate::text(u, &seeds, &["\n", "\n\n", "\u{2014} ", "0", "+", "=", "\0"])?;
        let Ok(note) = Note::parse(&input) else { return Ok(()) };
        assert!(input.len() <= NOTE_LEN_MAX);
        let lines = input.strip_prefix(note.text()).and_then(|rest| rest.strip_prefix('\n'));
        assert!(lines.unwrap().lines().count() <= SIGNATURES_MAX);
        if let Ok(checkpoint) = note.checkpoint() {
            assert!(note.text().starts_with(&checkpoint.text()));
        }
        // Lines by others may come and go; the text and the service's line may not change.
        if let Ok(opened) = Checkpoint::open(&input, ORIGIN, key.public()) {
            assert_eq!(note.text(), opened.text());
            let known = |one: &String| Note::parse(one).is_ok_and(|one| one.text() == note.text());
            assert!(seeds.iter().any(known), "opened: {input}");
            if note.text() == text {
                assert!(lines.unwrap().lines().any(|one| one == line), "opened: {input}");
            }
        }
        if let Ok(opened) = log.open(&note) {
            assert!(opened.origin.starts_with("chancery.test/"));
            let known = |one: &String| Note::parse(one).is_ok_and(|it| it.text() == note.text());
            assert!(seeds.iter().any(known), "opened: {input}");
        }
        Ok(())
    });
}

/// A note with two cosignatures, and the policy that wants both.
fn cosigned() -> (String, String, Policy) {
    let text = Note::parse(&corpus::notes("proofs-v1", "checkpoint")[0]).unwrap().text().to_owned();
    let signed =
        Checkpoint { origin: ORIGIN.to_owned(), size: 300, root: merkle::root(&leaves(300)) }
            .sign(&service());
    assert!(signed.starts_with(&text));
    let (mut lines, mut known) = (String::new(), Vec::new());
    for number in 1..=2 {
        let (name, key) = (format!("witness.test/{number}"), SigningKey::from_seed(&[number; 32]));
        let key = key.unwrap();
        lines += &note::cosign(&text, &name, &key, 1_700_000_000 + u64::from(number));
        known.push(Witness::new(&name, key.public().clone()).unwrap());
    }
    (signed, lines, Policy::new(known, 2).unwrap())
}

#[test]
fn a_changed_cosignature_counts_for_nothing() {
    let (signed, lines, policy) = cosigned();
    let note = format!("{signed}{lines}");
    let all = policy.verify(&note).unwrap();
    assert!(policy.is_met_by(&all));
    let text = Note::parse(&note).unwrap().text().to_owned();
    let mut seeds = vec![note.clone()];
    seeds.extend(corpus::notes("proofs-v1", "checkpoint"));
    fuzz(|u| {
        let input = mutate::text(u, &seeds, &["\n", "\u{2014} ", "0", "="])?;
        if let Ok(found) = policy.verify(&input)
            && !found.is_empty()
        {
            assert_eq!(Note::parse(&input).unwrap().text(), text);
            assert!(found.iter().all(|one| all.contains(one)));
        }
        let added = mutate::text(u, std::slice::from_ref(&lines), &["\n", "\u{2014} "])?;
        if let Ok(merged) = policy.merge(&signed, &added, u.arbitrary()?) {
            assert!(merged.note.starts_with(&signed));
            assert!(merged.added.iter().all(|one| all.contains(one)));
            assert_eq!(policy.verify(&merged.note).as_ref(), Ok(&merged.added));
        }
        for witness in policy.witnesses() {
            if let Ok(Some((one, line))) = witness.find(&text, &added) {
                assert!(all.contains(&one) && lines.contains(&line));
            }
        }
        Ok(())
    });
}

#[test]
fn verifier_keys_have_one_written_form() {
    let key = service();
    let log = LogKey::new("chancery.test", key.public().clone()).unwrap();
    let witness = Witness::new("chancery.test", key.public().clone()).unwrap();
    let seeds = [log.to_string(), witness.to_string(), note::verifier_key(ORIGIN, key.public())];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &["+", "=", "\n", "\u{a0}", "chancery.test"])?;
        if let Ok(parsed) = text.parse::<LogKey>() {
            assert_eq!(parsed.to_string(), text);
        }
        if let Ok(parsed) = text.parse::<Witness>() {
            assert_eq!(parsed.to_string(), text);
        }
        Ok(())
    });
}

#[test]
fn paths_of_tiles_and_bundles_have_one_written_form() {
    // The last two are of the greatest index there is, and of one that no leaf can stand under.
    let seeds = [
        "tile/0/x001/067",
        "tile/1/000.p/5",
        "tile/entries/x001/x234/067.p/255",
        "tile/0/x072/x057/x594/x037/x927/935",
        "tile/entries/x018/x446/x744/x073/x709/x551/615",
    ]
    .map(str::to_owned);
    let words = ["/", "x", ".p/", "0", "00", "256", "tile", "entries", "+1"];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &words)?;
        if let Ok(tile) = Tile::parse(&text) {
            assert_eq!(tile.path(), text);
            assert!(tile.first() >= tile.index);
        }
        if let Ok(bundle) = Bundle::parse(&text) {
            assert_eq!(bundle.path(), text);
            assert!(bundle.first() >= bundle.index);
        }
        let (level, index, size) = (u.int_in_range(0..=8)?, u.arbitrary()?, u.arbitrary()?);
        if let Some(tile) = Tile::of(level, index, size) {
            assert_eq!(Tile::parse(&tile.path()), Ok(tile));
        }
        Ok(())
    });
}

#[test]
fn tiles_and_bundles_have_one_encoding() {
    fuzz(|u| {
        let entries: Vec<Vec<u8>> =
            (0..u.int_in_range(1..=9)?).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        let bundle = Bundle { index: 0, width: u16::try_from(entries.len()).unwrap() };
        let seeds = [bundle.encode(&entries).unwrap()];
        assert_eq!(bundle.decode(&seeds[0]).unwrap(), entries);
        let bytes = mutate::bytes(u, &seeds)?;
        let width = u.int_in_range(1..=256)?;
        for bundle in [bundle, Bundle { index: 1, width }] {
            if let Ok(found) = bundle.decode(&bytes) {
                assert_eq!(bundle.encode(&found), Ok(bytes.clone()));
            }
        }
        let width = u16::try_from(bytes.len() / Digest::LEN).unwrap().max(1);
        if let Ok(hashes) = (Tile { level: 0, index: 0, width }).decode(&bytes) {
            assert_eq!(Tile::encode(&hashes), bytes);
        }
        Ok(())
    });
}

#[test]
fn proofs_from_false_tiles_are_refused_or_do_not_verify() {
    let leaves = leaves(LEAVES_MAX);
    fuzz(|u| {
        let size = u.int_in_range(1..=LEAVES_MAX)?;
        let index = u.int_in_range(0..=size - 1)?;
        let len = usize::try_from(size).unwrap();
        let wanted = tile::for_inclusion(index, size).unwrap();
        let mut tiles = tile::Tiles::new();
        for one in wanted {
            let from = usize::try_from(one.first()).unwrap();
            let hashes = if one.level == 0 {
                leaves[from..from + usize::from(one.width)].to_vec()
            } else {
                leaves[..len]
                    .as_chunks::<256>()
                    .0
                    .iter()
                    .map(|leaves| merkle::root(leaves))
                    .collect()
            };
            tiles.insert(one, hashes);
        }
        let root = merkle::root(&leaves[..len]);
        let proof = tile::inclusion_proof(index, size, &tiles).unwrap();
        let leaf = &leaves[usize::try_from(index).unwrap()];
        assert_eq!(merkle::verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
        // A hash less, or another one.
        if tiles.is_empty() {
            return Ok(());
        }
        let at = u.int_in_range(0..=tiles.len() - 1)?;
        let hashes = tiles.values_mut().nth(at).unwrap();
        let place = u.int_in_range(0..=hashes.len() - 1)?;
        if u.arbitrary()? {
            hashes.remove(place);
        } else {
            hashes[place] = digest(u)?;
        }
        if let Ok(other) = tile::inclusion_proof(index, size, &tiles) {
            let verified = merkle::verify_inclusion(leaf, index, size, &other, &root);
            assert_eq!(verified.is_ok(), other == proof);
        }
        // Any sizes whatever.
        let (old, new) = (u.arbitrary()?, u.arbitrary()?);
        let _ = tile::consistency_proof(old, new, &tiles);
        let _ = tile::inclusion_proof(old, new, &tiles);
        let _ = tile::frontier(old, &tiles);
        for (wanted, size) in
            [(tile::for_consistency(old, new), new), (tile::for_inclusion(old, new), new)]
        {
            for one in wanted.into_iter().flatten() {
                assert!(
                    Tile::of(one.level, one.index, size)
                        .is_some_and(|whole| whole.width >= one.width)
                );
            }
        }
        Ok(())
    });
}

/// A proof with hashes dropped, added, changed or swapped.
fn changed(u: &mut Unstructured<'_>, proof: &[Digest]) -> Result<Vec<Digest>> {
    let mut proof = proof.to_vec();
    let (one, two) = (u.int_in_range(0..=proof.len())?, u.int_in_range(0..=proof.len())?);
    match u.int_in_range(0..=3_u8)? {
        0 if one < proof.len() => drop(proof.remove(one)),
        1 if one < proof.len() && two < proof.len() => proof.swap(one, two),
        2 if one < proof.len() => {
            let mut bytes = *proof[one].as_bytes();
            bytes[u.int_in_range(0..=31)?] ^= 1 << u.int_in_range(0..=7_u8)?;
            proof[one] = Digest::from_bytes(bytes);
        }
        _ => proof.insert(one, digest(u)?),
    }
    Ok(proof)
}

#[test]
fn a_changed_proof_does_not_verify() {
    let leaves = leaves(LEAVES_MAX);
    fuzz(|u| {
        let new = u.int_in_range(1..=LEAVES_MAX)?;
        let (old, index) = (u.int_in_range(1..=new)?, u.int_in_range(0..=new - 1)?);
        let tree = &leaves[..usize::try_from(new).unwrap()];
        let (root, leaf) = (merkle::root(tree), tree[usize::try_from(index).unwrap()]);
        let old_root = merkle::root(&leaves[..usize::try_from(old).unwrap()]);
        let inclusion = merkle::inclusion_proof(tree, index).unwrap();
        let consistency = merkle::consistency_proof(tree, old).unwrap();
        assert!(merkle::verify_inclusion(&leaf, index, new, &inclusion, &root).is_ok());
        assert!(merkle::verify_consistency(old, &old_root, new, &root, &consistency).is_ok());
        let other = changed(u, &inclusion)?;
        let verified = merkle::verify_inclusion(&leaf, index, new, &other, &root);
        assert_eq!(verified.is_ok(), other == inclusion);
        let other = changed(u, &consistency)?;
        let verified = merkle::verify_consistency(old, &old_root, new, &root, &other);
        assert_eq!(verified.is_ok(), other == consistency);
        // Another place in the same tree, another leaf, another older tree.
        let (place, hash) = (u.int_in_range(0..=new)?, digest(u)?);
        let verified = merkle::verify_inclusion(&leaf, place, new, &inclusion, &root);
        assert_eq!(verified.is_ok(), place == index);
        assert!(merkle::verify_inclusion(&hash, index, new, &inclusion, &root).is_err());
        assert!(merkle::verify_consistency(old, &hash, new, &root, &consistency).is_err());
        // Any numbers and hashes whatever.
        let any: Vec<_> = (0..u.int_in_range(0..=70)?).map(|_| digest(u)).collect::<Result<_>>()?;
        let (one, two) = (u.arbitrary()?, u.arbitrary()?);
        let _ = merkle::included_root(&leaf, one, two, &any);
        let _ = merkle::extended_root(one, &leaf, two, &any);
        assert!(
            one == 0
                || merkle::verify_consistency(one, &leaf, two, &root, &any).is_err()
                || any.is_empty()
        );
        Ok(())
    });
}

#[test]
fn a_request_to_a_witness_has_one_encoding() {
    let note = corpus::notes("proofs-v1", "checkpoint").remove(0);
    let proof = leaves(5);
    let seeds = [
        AddCheckpoint { old: 0, proof: Vec::new(), note: note.clone() }.encode(),
        AddCheckpoint { old: 20, proof, note }.encode(),
    ];
    fuzz(|u| {
        let text = mutate::text(u, &seeds, &["old ", "\n", "\n\n", "0", "=", "+"])?;
        if let Ok(request) = AddCheckpoint::parse(text.as_bytes()) {
            assert_eq!(request.encode(), text);
        }
        let bytes: &[u8] = u.arbitrary()?;
        if let Ok(request) = AddCheckpoint::parse(bytes) {
            assert_eq!(request.encode().as_bytes(), bytes);
        }
        Ok(())
    });
}

#[test]
fn no_key_verifies_what_it_did_not_sign() {
    let keys: Vec<PublicKey> = corpus::keys();
    fuzz(|u| {
        let (message, signature): (&[u8], [u8; 64]) = (u.arbitrary()?, u.arbitrary()?);
        assert!(keys.iter().all(|key| key.verify(message, &signature).is_err()));
        Ok(())
    });
}
