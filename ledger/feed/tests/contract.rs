//! The one contract of a subscription, on both carriers. The sweep after the first comes never
//! here: what is delivered later was woken by the carrier.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, reason = "each test binary uses its part of the support")]

mod support;

use std::collections::BTreeMap;

use chancery_feed::{FeedError, PAGE_ENTRIES};
use futures_util::FutureExt as _;
use support::{NEVER, PATIENCE, Rig, append, collaboration, expect_all, next, sealed};

macro_rules! contract {
    ($($case:ident)*) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Rig::in_process().await).await; })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Rig::nats().await).await; })*
        }
    };
}

contract! {
    entries_come_in_order_from_before_and_after_it_opened
    many_collaborations_are_each_complete_and_in_order
    it_resumes_after_the_last_acknowledged
    consumers_do_not_share_progress
    acknowledging_covers_all_before
    only_what_was_delivered_can_be_acknowledged
    a_dropped_wait_loses_nothing
    a_second_consumer_of_the_name_is_found_out
    pages_are_contiguous_and_of_one_collaboration
    hints_that_overflow_lose_nothing
}

async fn entries_come_in_order_from_before_and_after_it_opened(rig: Rig) {
    let c = collaboration(1);
    append(&rig.store, c, 5).await;
    let mut subscription = rig.subscribe("views", NEVER).await;
    for position in 0..5 {
        assert_eq!(next(&mut subscription).await.position, position);
    }
    for n in 2..20 {
        append(&rig.store, c, 1).await;
        assert_eq!(next(&mut subscription).await.position, 3 + u64::try_from(n).unwrap());
        // One that it has never read from: only a hint can tell of it.
        let new = collaboration(n);
        append(&rig.store, new, 3).await;
        for position in 0..3 {
            let delivery = next(&mut subscription).await;
            assert_eq!((delivery.collaboration, delivery.position), (new, position));
            assert_eq!(delivery.sealed, sealed(new, position));
        }
    }
}

async fn many_collaborations_are_each_complete_and_in_order(rig: Rig) {
    let mut subscription = rig.subscribe("views", NEVER).await;
    let mut sizes = BTreeMap::new();
    let mut writers = Vec::new();
    for n in 1..=20 {
        let (store, c) = (rig.store.clone(), collaboration(n));
        let batches = if n == 7 { 3 * u64::from(PAGE_ENTRIES) } else { 10 };
        sizes.insert(c, batches * 2);
        writers.push(tokio::spawn(async move {
            for _ in 0..batches {
                append(&store, c, 2).await;
            }
        }));
    }
    expect_all(&mut subscription, &sizes).await;
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(subscription.next().now_or_never().is_none(), "there is nothing more");
}

async fn it_resumes_after_the_last_acknowledged(rig: Rig) {
    let c = collaboration(1);
    append(&rig.store, c, 10).await;
    for (acknowledged, seen) in [(0, 3), (0, 10), (4, 7), (9, 10)] {
        let mut subscription = rig.subscribe("views", NEVER).await;
        let from = rig.store.cursor("views", c).await.unwrap();
        for position in from..seen {
            let delivery = next(&mut subscription).await;
            assert_eq!(delivery.position, position, "what wasn't acknowledged comes again");
            if position < acknowledged {
                subscription.acknowledge(&delivery).await.unwrap();
            }
        }
    }
    let mut subscription = rig.subscribe("views", NEVER).await;
    assert_eq!(next(&mut subscription).await.position, 9);
    append(&rig.store, c, 1).await;
    assert_eq!(next(&mut subscription).await.position, 10);
}

async fn consumers_do_not_share_progress(rig: Rig) {
    let sizes = [(collaboration(1), 8), (collaboration(2), 3)].into();
    let mut one = rig.subscribe("views", NEVER).await;
    let mut two = rig.subscribe("mirror", NEVER).await;
    append(&rig.store, collaboration(1), 8).await;
    append(&rig.store, collaboration(2), 3).await;
    expect_all(&mut one, &sizes).await;
    expect_all(&mut two, &sizes).await;
}

async fn acknowledging_covers_all_before(rig: Rig) {
    let c = collaboration(1);
    append(&rig.store, c, 6).await;
    let mut subscription = rig.subscribe("views", NEVER).await;
    let mut deliveries = Vec::new();
    for _ in 0..6 {
        deliveries.push(next(&mut subscription).await);
    }
    subscription.acknowledge(&deliveries[3]).await.unwrap();
    assert_eq!(rig.store.cursor("views", c).await.unwrap(), 4);
    for earlier in &deliveries[..4] {
        subscription.acknowledge(earlier).await.unwrap();
    }
    assert_eq!(rig.store.cursor("views", c).await.unwrap(), 4);
}

async fn only_what_was_delivered_can_be_acknowledged(rig: Rig) {
    let c = collaboration(1);
    append(&rig.store, c, 2).await;
    let mut subscription = rig.subscribe("views", NEVER).await;
    let first = next(&mut subscription).await;
    for (collaboration, position) in [(c, 1), (c, u64::MAX), (collaboration(2), 0)] {
        let forged = chancery_feed::Delivery { collaboration, position, ..first.clone() };
        let refused = subscription.acknowledge(&forged).await;
        assert!(matches!(refused, Err(FeedError::NotDelivered)), "{refused:?}");
    }
    assert_eq!(rig.store.cursor("views", c).await.unwrap(), 0);
}

async fn a_dropped_wait_loses_nothing(rig: Rig) {
    let c = collaboration(1);
    let mut subscription = rig.subscribe("views", NEVER).await;
    let store = rig.store.clone();
    let writer = tokio::spawn(async move {
        for _ in 0..100 {
            append(&store, c, 1).await;
        }
    });
    let mut position = 0;
    let taking = async {
        while position < 100 {
            // Each wait is dropped wherever it stands.
            match tokio::time::timeout(std::time::Duration::from_micros(300), subscription.next())
                .await
            {
                Ok(delivery) => {
                    assert_eq!(delivery.unwrap().position, position);
                    position += 1;
                }
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, taking).await.expect("not all delivered in time");
    writer.await.unwrap();
}

async fn a_second_consumer_of_the_name_is_found_out(rig: Rig) {
    let c = collaboration(1);
    append(&rig.store, c, 5).await;
    let mut one = rig.subscribe("views", NEVER).await;
    let mut two = rig.subscribe("views", NEVER).await;
    let first = next(&mut one).await;
    let same = next(&mut two).await;
    one.acknowledge(&first).await.unwrap();
    let refused = two.acknowledge(&same).await;
    assert!(matches!(refused, Err(FeedError::Conflict { actual: 1, .. })), "{refused:?}");
}

async fn pages_are_contiguous_and_of_one_collaboration(rig: Rig) {
    let sizes = [(collaboration(1), 200), (collaboration(2), 5)];
    for (c, size) in sizes {
        append(&rig.store, c, size).await;
    }
    let mut subscription = rig.subscribe("views", NEVER).await;
    let mut seen = BTreeMap::new();
    while seen != sizes.into() {
        let page = tokio::time::timeout(PATIENCE, subscription.next_page()).await.unwrap().unwrap();
        assert!(page.len() <= PAGE_ENTRIES as usize);
        for delivery in &page {
            assert_eq!(delivery.collaboration, page[0].collaboration);
            let expected: &mut u64 = seen.entry(delivery.collaboration).or_default();
            assert_eq!(delivery.position, *expected);
            *expected += 1;
        }
        let last = page.last().unwrap();
        subscription.acknowledge(last).await.unwrap();
        assert_eq!(rig.store.cursor("views", last.collaboration).await.unwrap(), last.position + 1);
    }
}

async fn hints_that_overflow_lose_nothing(rig: Rig) {
    let mut subscription = rig.subscribe("views", NEVER).await;
    append(&rig.store, collaboration(1), 1).await;
    assert_eq!(next(&mut subscription).await.position, 0);
    // More than the channel holds, while nobody takes them.
    let mut sizes: BTreeMap<_, u64> = BTreeMap::new();
    let appends = (2..=1200).map(|n| append(&rig.store, collaboration(n), 1));
    futures_util::future::join_all(appends).await;
    sizes.extend((2..=1200).map(|n| (collaboration(n), 1)));
    expect_all(&mut subscription, &sizes).await;
}
