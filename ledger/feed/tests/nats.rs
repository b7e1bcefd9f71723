//! What only NATS can do wrong: lose, forge, repeat, die, forget.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "each test binary uses its part of the support")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use async_nats::jetstream;
use chancery_feed::{
    ConnectOptions, ConsumerName, STREAM, StoreCursors, StreamOptions, Subscription, Wakeup,
    connect,
};
use chancery_store::ENTRY_BYTES_MAX;
use futures_util::FutureExt as _;
use support::{
    NEVER, Rig, SOON, append, append_sealed, collaboration, eventually, expect_all, next, publish,
    sealed,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_lost_before_it_read_them_are_in_the_log() {
    let rig = Rig::nats().await;
    let c = collaboration(1);
    append(&rig.store, c, 50).await;
    rig.published(c, 50).await;
    let context = jetstream::new(rig.client().clone());
    context.get_stream(STREAM).await.unwrap().purge().await.unwrap();
    let mut subscription = rig.subscribe("views", NEVER).await;
    expect_all(&mut subscription, &[(c, 50)].into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_never_sent_are_found_by_the_sweep() {
    let rig = Rig::nats().await;
    rig.nats.as_ref().unwrap().publisher.abort();
    let mut subscription = rig.subscribe("views", SOON).await;
    let c = collaboration(1);
    for size in 0..10 {
        append(&rig.store, c, 1).await;
        assert_eq!(next(&mut subscription).await.position, size);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_repeated_messages_change_nothing() {
    let rig = Rig::nats().await;
    let c = collaboration(1);
    append(&rig.store, c, 3).await;
    rig.published(c, 3).await;
    let mut subscription = rig.subscribe("views", SOON).await;
    let stranger = jetstream::new(rig.client().clone());
    for n in 0..30 {
        for subject in [
            format!("chancery.{c}.tests.Counted"),
            format!("chancery.{c}.tests.Invented"),
            format!("chancery.{}.tests.Counted", collaboration(99 + n)),
            "chancery.not-an-id.tests.Counted".to_owned(),
            format!("chancery.{c}.a_b.c~d"),
        ] {
            for payload in [sealed(c, 1), sealed(c, 1_000_000), b"forged".to_vec(), Vec::new()] {
                stranger.publish(subject.clone(), payload.into()).await.unwrap().await.unwrap();
            }
        }
    }
    append(&rig.store, c, 3).await;
    expect_all(&mut subscription, &[(c, 6)].into()).await;
    rig.published(c, 6).await;
    append(&rig.store, collaboration(2), 1).await;
    assert_eq!(next(&mut subscription).await.collaboration, collaboration(2));
    assert!(subscription.next().now_or_never().is_none(), "nothing forged is delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_killed_and_restarted_loses_nothing() {
    for wiped in [false, true] {
        let mut rig = Rig::nats().await;
        let c = collaboration(1);
        // Swept once at the start only: what comes later is woken by NATS, which comes back.
        let mut subscription = rig.subscribe("views", NEVER).await;
        append(&rig.store, c, 10).await;
        expect_all(&mut subscription, &[(c, 10)].into()).await;
        rig.published(c, 10).await;

        rig.server().kill();
        // Appends go on without it.
        for _ in 0..10 {
            append(&rig.store, c, 2).await;
        }
        if wiped {
            rig.server().wipe();
        }
        rig.server().restart();
        for position in 10..30 {
            let delivery = next(&mut subscription).await;
            assert_eq!((delivery.position, delivery.sealed), (position, sealed(c, position)));
        }
        rig.published(c, 30).await;
        append(&rig.store, c, 1).await;
        assert_eq!(next(&mut subscription).await.position, 30);
        rig.published(c, 31).await;

        let positions: Vec<u64> = rig
            .stream_content()
            .await
            .iter()
            .map(|(_, position, _)| position.as_ref().unwrap().parse().unwrap())
            .collect();
        let complete: BTreeSet<u64> = (if wiped { 10 } else { 0 }..31).collect();
        assert_eq!(positions.iter().copied().collect::<BTreeSet<_>>(), complete, "wiped: {wiped}");
        assert_eq!(positions.len(), complete.len(), "repeats are dropped by their message ids");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_nats_the_sweep_delivers() {
    let rig = Rig::in_process().await;
    let c = collaboration(1);
    // A port that nobody listens on.
    let client = connect("nats://127.0.0.1:1", ConnectOptions::new()).await.unwrap();
    let publisher = publish(&rig.store, &client);
    let consumer: ConsumerName = "views".parse().unwrap();
    let wakeup = Wakeup::nats(client, consumer.clone(), StreamOptions::default());
    let cursors = StoreCursors::new(rig.store.clone(), consumer);
    let mut subscription =
        Subscription::open(rig.store.clone(), cursors, wakeup, SOON).await.unwrap();
    for position in 0..5 {
        append(&rig.store, c, 1).await;
        assert_eq!(next(&mut subscription).await.position, position);
    }
    publisher.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_and_a_stream_that_vanish_come_back() {
    let rig = Rig::nats().await;
    let c = collaboration(1);
    let context = jetstream::new(rig.client().clone());
    let mut subscription = rig.subscribe("views", SOON).await;
    append(&rig.store, c, 1).await;
    assert_eq!(next(&mut subscription).await.position, 0);
    let has_consumer = async || match context.get_stream(STREAM).await {
        Ok(stream) => stream.consumer_info("views").await.is_ok(),
        Err(_) => false,
    };
    eventually("a consumer", has_consumer).await;
    context.delete_stream(STREAM).await.unwrap();
    append(&rig.store, c, 1).await;
    assert_eq!(next(&mut subscription).await.position, 1);
    rig.published(c, 2).await;
    eventually("the consumer again", has_consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_publisher_publishes_without_gaps() {
    let mut rig = Rig::nats().await;
    let sizes: BTreeMap<_, u64> = (1..=4).map(|n| (collaboration(n), 150)).collect();
    for _ in 0..15 {
        for c in sizes.keys() {
            append(&rig.store, *c, 10).await;
        }
        rig.restart_publisher().await;
    }
    for (c, size) in &sizes {
        rig.published(*c, *size).await;
    }
    let mut found: BTreeMap<_, BTreeMap<u64, Vec<u8>>> = BTreeMap::new();
    for (subject, position, payload) in rig.stream_content().await {
        let position = position.unwrap().parse().unwrap();
        let earlier = found.entry(subject).or_default().insert(position, payload);
        assert_eq!(earlier, None, "repeats are dropped by their message ids");
    }
    let expected: BTreeMap<_, BTreeMap<_, _>> = sizes
        .iter()
        .map(|(c, size)| {
            let entries = (0..*size).map(|position| (position, sealed(*c, position))).collect();
            (format!("chancery.{c}.tests.Counted"), entries)
        })
        .collect();
    assert!(found == expected, "the stream has gaps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_or_has_no_name_is_still_told() {
    let rig = Rig::nats().await;
    let c = collaboration(1);
    let large = vec![b'x'; ENTRY_BYTES_MAX];
    let texts = [&b"no name"[..], b"tests.*", b"te/sts.x", b".x", &large, b"tests.Named"];
    append_sealed(&rig.store, c, texts.iter().map(|text| text.to_vec()).collect()).await;
    rig.published(c, 6).await;
    let content: Vec<_> = rig
        .stream_content()
        .await
        .into_iter()
        .map(|(subject, _, payload)| (subject, payload))
        .collect();
    let other = format!("chancery.{c}.other.other");
    let expected = [
        (other.clone(), texts[0].to_vec()),
        (other.clone(), texts[1].to_vec()),
        (other.clone(), texts[2].to_vec()),
        (other.clone(), texts[3].to_vec()),
        (other, Vec::new()), // Over the server's limit: to be read from the log.
        (format!("chancery.{c}.tests.Named"), texts[5].to_vec()),
    ];
    assert!(
        content == expected,
        "{:?}",
        content.iter().map(|(s, p)| (s, p.len())).collect::<Vec<_>>()
    );
    let mut subscription = rig.subscribe("views", NEVER).await;
    for text in texts {
        assert_eq!(next(&mut subscription).await.sealed, text);
    }
}
