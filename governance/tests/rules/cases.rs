use crate::support::World;
#[test]
fn smoke() { let w = World::succeeded(); w.check_replay(); }
