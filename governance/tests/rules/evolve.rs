//! The fold over orders that no handler makes: an error, never a panic.

use chancery_governance::event::Event;
use chancery_governance::state::{Recorded, State, evolve};
use chancery_ledger::digest::Digest;
use proptest::prelude::*;

use crate::support::World;

fn pool() -> Vec<(Recorded, Event)> {
    use crate::support::fixtures::{orders_s, query_s, room, run_s};
    use chancery_governance::command::{CancelRun, RejectQuery, RestoreConsent, RetireDataset};
    use chancery_governance::command::{WithdrawConsent, WithdrawQuery};
    use chancery_governance::consent::ConsentKind;
    let mut pool = World::succeeded().events();
    let mut rejected = World::proposed();
    let digest = rejected.digest();
    rejected.litware().does(query_s(), RejectQuery { digest, comment: "n".into() }).unwrap();
    pool.extend(rejected.events().pop());
    let mut other = World::started();
    let kind = ConsentKind::Execution;
    other.litware().does(room(), WithdrawConsent { kind }).unwrap();
    other.litware().does(room(), RestoreConsent { kind }).unwrap();
    other.fabrikam().does(query_s(), WithdrawQuery {}).unwrap();
    other.litware().does(orders_s(), RetireDataset {}).unwrap();
    pool.extend(other.events().into_iter().rev().take(6));
    let mut retired = World::started();
    retired.litware().does(orders_s(), RetireDataset {}).unwrap();
    pool.extend(retired.events().into_iter().rev().take(3));
    let mut cancelled = World::requested();
    cancelled.fabrikam().does(run_s(), CancelRun {}).unwrap();
    pool.extend(cancelled.events().pop());
    pool.extend(crate::member::revoked().events().pop());
    pool
}

fn fold(start: State, events: impl IntoIterator<Item = (Recorded, Event)>) -> (State, usize) {
    let (mut state, mut refused) = (start, 0);
    for (mut at, event) in events {
        at.position = state.collaboration().map_or(0, |room| room.size);
        at.time_ms = at.time_ms.max(state.collaboration().map_or(0, |room| room.last_time_ms));
        at.leaf = Digest::of(&at.position.to_be_bytes());
        match evolve(state.clone(), &at, event.clone()) {
            Ok(moved) => {
                let size = moved.collaboration().map(|room| room.size);
                assert_eq!(size, Some(at.position + 1), "one event, one position");
                state = moved;
            }
            Err(corrupt) => {
                assert_eq!((corrupt.position, corrupt.kind), (at.position, event.kind()));
                refused += 1;
            }
        }
    }
    (state, refused)
}

proptest! {
    #[test]
    fn any_order_of_any_events_moves_the_state_or_is_corrupt(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..80),
        subjects in prop::collection::vec(any::<Option<prop::sample::Index>>(), 80),
        begun in any::<bool>(),
    ) {
        let pool = pool();
        let start = if begun { World::stocked().state } else { State::Absent };
        let events = picks.iter().zip(&subjects).map(|(pick, subject)| {
            let (mut at, event) = pick.get(&pool).clone();
            if let Some(subject) = subject {
                let (other, _) = subject.get(&pool);
                (at.subject, at.actor) = (other.subject, other.actor);
            }
            (at, event)
        });
        fold(start, events);
    }
}

#[test]
fn every_event_of_a_log_is_corrupt_at_every_wrong_position_time_and_log() {
    let world = World::succeeded();
    let mut state = State::Absent;
    for (at, event) in world.events() {
        let wrong = [
            Recorded { position: at.position + 1, ..at },
            Recorded { time_ms: 0, ..at },
            Recorded {
                collaboration: chancery_ledger::id::CollaborationId::new(crate::support::uuid(
                    0xc, 2,
                )),
                ..at
            },
        ];
        for (index, wrong) in wrong.iter().enumerate() {
            if index == 1 && at.position == 0 {
                continue; // The first entry may be of any time.
            }
            assert!(
                evolve(state.clone(), wrong, event.clone()).is_err(),
                "{index} {}",
                at.position
            );
        }
        state = evolve(state, &at, event).unwrap();
    }
    assert_eq!(state, world.state);
}

#[test]
fn no_event_stands_twice_in_a_row_but_those_that_set_a_value() {
    let world = World::succeeded();
    let mut state = State::Absent;
    for (at, event) in world.events() {
        state = evolve(state, &at, event.clone()).unwrap();
        let again = Recorded { position: at.position + 1, ..at };
        // The rules refuse or note these; the fold itself takes them for what they say.
        let sets = ["WorkloadEnabled", "CleanRoomPolicySet", "DatasetPublished", "RunAdmitted"];
        let taken = evolve(state.clone(), &again, event.clone()).is_ok();
        assert_eq!(taken, sets.contains(&event.kind()), "{}", event.kind());
    }
}
