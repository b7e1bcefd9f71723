//! The log as public tools for tiled logs read it.

use chancery_governance::state::origin;
use chancery_ledger::merkle;
use chancery_ledger::note::Checkpoint;
use chancery_ledger::tile::{self, Bundle, Tile, Tiles};
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::person::Person;
use crate::support::room::{Room, Stage};
use crate::support::{NAME, commands, fixtures};

async fn get(room: &Room, path: &str) -> Answer {
    room.service.send(room.contosso.get(&room.path(&format!("/tlog/{path}")))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_of_tiles_gets_every_entry_and_proves_it() {
    let room = Room::at(Stage::Joined).await;
    // Past a full tile, so that a node of the level above is stored too.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..280 {
        let mut descriptor = fixtures::campaigns();
        descriptor["name"] = json!(format!("campaigns-{n}"));
        let publish = commands::publish(room.next(), room.id, descriptor);
        let person = room.contosso.clone();
        tasks.spawn(async move { person.does(&publish).await });
    }
    tasks.join_all().await;

    let note = String::from_utf8(get(&room, "checkpoint").await.bytes).unwrap();
    let key = room.service.key.public();
    let head = Checkpoint::open(&note, &origin(NAME, room.id), key).unwrap();
    let mut tiles = Tiles::new();
    for tile in tile::between(0, head.size) {
        let answer = get(&room, &tile.path()).await;
        assert!(answer.header("cache-control").contains("immutable"));
        tiles.insert(tile, tile.decode(&answer.bytes).unwrap());
    }
    assert!(tiles.keys().any(|tile| tile.level == 1) && tiles.keys().any(Tile::is_full));
    assert_eq!(tile::frontier(head.size, &tiles).unwrap().root(), head.root);

    let stored = room.service.entries(room.id).await;
    for index in 0..head.size.div_ceil(256) {
        let bundle = Bundle::of(index, head.size).unwrap();
        let bytes = get(&room, &bundle.path()).await.bytes;
        for (position, entry) in (bundle.first()..).zip(bundle.decode(&bytes).unwrap()) {
            assert_eq!(entry, stored[usize::try_from(position).unwrap()].bytes());
            let proof = tile::inclusion_proof(position, head.size, &tiles).unwrap();
            let leaf = merkle::leaf_hash(entry);
            merkle::verify_inclusion(&leaf, position, head.size, &proof, &head.root).unwrap();
        }
    }
    for absent in ["tile/0/000.p/0", "tile/0/999", "tile/7/000", "tile/entries/999", "nothing"] {
        let call = room.contosso.get(&room.path(&format!("/tlog/{absent}")));
        room.service.refuses(call, 404, "tile_not_found").await;
    }
    let stranger = Person::stranger(&room.service);
    let call = stranger.get(&room.path("/tlog/tile/0/000"));
    room.service.refuses(call, 404, "collaboration_not_found").await;
    room.finish().await;
}
