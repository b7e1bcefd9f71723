//! Reads: paged, bounded, and never behind one's own writes.

use serde_json::json;

use crate::support::room::{Room, Stage};
use crate::support::{commands, fixtures};

#[tokio::test]
async fn lists_come_in_pages() {
    let room = Room::at(Stage::Stocked).await;
    let mut names = vec!["orders".to_owned(), "campaigns".to_owned(), "report".to_owned()];
    for n in 0..4 {
        let mut descriptor = fixtures::campaigns();
        descriptor["name"] = json!(format!("more-{n}"));
        names.push(format!("more-{n}"));
        room.contosso.does(&commands::publish(room.next(), room.id, descriptor)).await;
    }
    for limit in [1, 2, 3, 7, 200] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let path = room.path(&format!("/datasets?limit={limit}{after}"));
            let page = room.fabrikam.reads(&path).await;
            let items = page.list("/items");
            assert!(items.len() <= limit);
            found.extend(
                items.iter().map(|it| it["descriptor"]["name"].as_str().unwrap().to_owned()),
            );
            match page.json["next"].as_u64() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, names, "limit {limit}");
    }
    let beyond = room.fabrikam.reads(&room.path(&format!("/datasets?after={}", u64::MAX))).await;
    assert_eq!((beyond.list("/items").len(), &beyond.json["next"]), (0, &json!(null)));
    room.finish().await;
}

#[tokio::test]
async fn a_page_has_one_to_200_items_and_no_other_parameters() {
    let room = Room::at(Stage::Created).await;
    let lists = ["/members", "/invitations", "/datasets", "/queries", "/runs"];
    let lists = lists.map(|rest| room.path(rest));
    for path in lists.iter().map(String::as_str).chain(["/v1/collaborations"]) {
        for (query, code) in [
            ("limit=0", "limit_invalid"),
            ("limit=201", "limit_invalid"),
            ("limit=4294967296", "query_malformed"),
            ("limit=-1", "query_malformed"),
            ("limit=", "query_malformed"),
            ("limit=1&limit=2", "query_malformed"),
            ("after=x", "query_malformed"),
            ("offset=1", "query_malformed"),
        ] {
            let get = room.litware.get(&format!("{path}?{query}"));
            room.service.refuses(get, 400, code).await;
        }
        room.litware.reads(&format!("{path}?limit=200&after=0")).await;
    }
    room.finish().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_name() {
    let room = Room::at(Stage::Created).await;
    let id = room.next();
    for (rest, code) in [
        (format!("/datasets/{id}"), "dataset_not_found"),
        (format!("/queries/{id}"), "query_not_found"),
        (format!("/queries/{id}/readiness"), "query_not_found"),
        (format!("/runs/{id}"), "run_not_found"),
        ("/datasets/orders".to_owned(), "not_found"),
        (format!("/runs/{}", id.to_string().to_uppercase()), "not_found"),
    ] {
        room.service.refuses(room.litware.get(&room.path(&rest)), 404, code).await;
    }
    let put = commands::publish_version(
        room.next(),
        room.id,
        chancery_ledger::id::DatasetId::new(id.uuid()),
        fixtures::orders(),
    );
    room.litware.refused(&put, 404, "dataset_not_found").await;
    room.finish().await;
}

#[tokio::test]
async fn reads_show_what_was_just_written() {
    let room = Room::at(Stage::Created).await;
    for n in 1..=20_usize {
        let create = commands::create(room.next(), &[], true);
        room.contosso.does(&create).await;
        let mine = room.contosso.reads("/v1/collaborations").await;
        assert_eq!(mine.list("/items").len(), n);
        assert_eq!(mine.text(&format!("/items/{}/id", n - 1)), create.collaboration.to_string());
        let mut descriptor = fixtures::orders();
        descriptor["name"] = json!(format!("orders-{n}"));
        let publish = commands::publish(room.next(), room.id, descriptor);
        let done = room.litware.does(&publish).await;
        let path = room.path(&format!("/datasets/{}", publish.id));
        assert_eq!(room.litware.reads(&path).await.number("/version"), done.number("/version"));
    }
    let me = room.contosso.reads("/v1/me").await;
    assert_eq!(me.list("/members").len(), 20);
    room.finish().await;
}

#[tokio::test]
async fn the_views_tell_the_story() {
    let room = Room::at(Stage::Accepted).await;
    let c = room.contosso.reads(&room.path("")).await;
    assert_eq!((c.text("/name"), c.number("/member_count")), ("Flights", 3));
    assert_eq!(c.list("/applications"), [json!(fixtures::application().to_string())]);
    let members = room.contosso.reads(&room.path("/members")).await;
    let keys: Vec<_> = members
        .list("/items")
        .iter()
        .map(|member| member["keys"].as_array().unwrap().len())
        .collect();
    assert_eq!(keys, [1, 0, 1]);
    let invitations = room.litware.reads(&room.path("/invitations")).await;
    assert!(invitations.list("/items").iter().all(|it| it["stage"] == "accepted"));
    let query = room.litware.reads(&room.path(&format!("/queries/{}", room.query))).await;
    assert_eq!((query.text("/stage"), query.text("/proposal/digest")), ("accepted", &*room.digest));
    assert!(query.text("/proposal/texts/0/rewritten").contains("HAVING"), "the floor is enforced");
    let runs = room.litware.reads(&room.path("/runs")).await;
    assert_eq!(runs.list("/items").len(), 0);
    room.finish().await;
}
