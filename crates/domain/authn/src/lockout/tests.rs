use proptest::prelude::*;

use super::*;

const START: i64 = 1_772_323_200;

fn source(name: &str) -> Source {
    Source::of(name.parse().unwrap())
}

fn id(number: u64) -> AttemptId {
    AttemptId::from_random(number.to_be_bytes())
}

/// One user's attempts, with a clock and ids that never repeat.
struct World {
    policy: LockoutPolicy,
    attempts: Attempts,
    now: UnixSeconds,
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Wrong,
    Right,
    Withdrawn,
    Abandoned,
}

impl World {
    fn new() -> Self {
        Self {
            policy: LockoutPolicy::default(),
            attempts: Attempts::default(),
            now: UnixSeconds(START),
            next: 0,
        }
    }

    fn admission(&self, source: &Source, is_known: bool) -> Admission {
        self.attempts.admission(&self.policy, source, is_known, self.now)
    }

    fn enter(&mut self, source: &Source, is_known: bool) -> AttemptId {
        self.next += 1;
        let id = id(self.next);
        let attempts = std::mem::take(&mut self.attempts);
        self.attempts = attempts.entered(&self.policy, source, is_known, id.clone(), self.now);
        id
    }

    fn settle(&mut self, source: &Source, is_known: bool, id: &AttemptId, end: End) -> Vec<LockedOut> {
        let attempts = std::mem::take(&mut self.attempts);
        let (attempts, begun) = match end {
            End::Wrong => attempts.failed(&self.policy, source, is_known, id, self.now),
            End::Right => (attempts.succeeded(&self.policy, source, id, self.now), vec![]),
            End::Withdrawn => (attempts.withdrawn(&self.policy, source, id, self.now), vec![]),
            End::Abandoned => (attempts, vec![]),
        };
        self.attempts = attempts;
        begun
    }

    /// One whole attempt, when it is admitted.
    fn attempt(&mut self, source: &Source, is_known: bool, end: End) -> Admission {
        let admission = self.admission(source, is_known);
        if admission == Admission::Admitted {
            let id = self.enter(source, is_known);
            self.settle(source, is_known, &id, end);
        }
        admission
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Ttl::from_seconds(seconds));
    }
}

#[test]
fn five_failures_lock_for_thirty_minutes() {
    let mut world = World::new();
    let here = source("192.0.2.1");
    for _ in 0..5 {
        assert_eq!(world.attempt(&here, true, End::Wrong), Admission::Admitted);
    }
    let until = world.now.plus(Ttl::from_seconds(1_800));
    assert_eq!(world.admission(&here, true), Admission::Locked { until });
    assert_eq!(world.attempts.locked_until(world.now), Some(until));
    world.pass(1_799);
    assert_eq!(world.admission(&here, true), Admission::Locked { until });
    world.pass(1);
    assert_eq!(world.admission(&here, true), Admission::Admitted);
    assert_eq!(world.attempts.locked_until(world.now), None);
}

#[test]
fn success_starts_anew_and_old_failures_are_forgotten() {
    let mut world = World::new();
    let here = source("192.0.2.1");
    for _ in 0..4 {
        world.attempt(&here, true, End::Wrong);
    }
    world.attempt(&here, true, End::Right);
    assert!(world.attempts.is_empty());
    for _ in 0..4 {
        world.attempt(&here, true, End::Wrong);
    }
    world.pass(1_800);
    for _ in 0..4 {
        assert_eq!(world.attempt(&here, true, End::Wrong), Admission::Admitted);
    }
    assert_eq!(world.admission(&here, true), Admission::Admitted);
}

#[test]
fn a_thousand_guesses_at_once_are_five() {
    let mut world = World::new();
    let here = source("192.0.2.1");
    let mut admitted = 0;
    for _ in 0..1_000 {
        if world.admission(&here, false) == Admission::Admitted {
            world.enter(&here, false);
            admitted += 1;
        }
    }
    assert_eq!(admitted, 5);
    assert_eq!(world.admission(&here, false), Admission::Busy);
    // Nobody ever settles them: they lapse and have not counted.
    world.pass(60);
    assert_eq!(world.admission(&here, false), Admission::Admitted);
}

#[test]
fn strangers_together_reach_a_ceiling_that_the_known_do_not_feel() {
    let mut world = World::new();
    let known = source("192.0.2.1");
    let mut admitted = 0;
    for round in 0..100 {
        let stranger = source(&format!("198.51.100.{round}"));
        if world.attempt(&stranger, false, End::Wrong) == Admission::Admitted {
            admitted += 1;
        }
    }
    assert_eq!(admitted, 25);
    assert!(matches!(
        world.admission(&source("203.0.113.9"), false),
        Admission::Locked { .. }
    ));
    assert_eq!(world.attempt(&known, true, End::Right), Admission::Admitted);
    // The attack goes on for a day; the operator gets in all the time.
    for hour in 0..24 {
        world.pass(3_600);
        for round in 0..50 {
            world.attempt(&source(&format!("203.0.{hour}.{round}")), false, End::Wrong);
        }
        assert_eq!(world.attempt(&known, true, End::Right), Admission::Admitted);
    }
}

#[test]
fn an_outage_never_counts() {
    let mut world = World::new();
    let here = source("192.0.2.1");
    for _ in 0..100 {
        assert_eq!(world.attempt(&here, false, End::Withdrawn), Admission::Admitted);
    }
    assert!(world.attempts.is_empty());
}

#[test]
fn one_subscriber_of_ipv6_is_one_source() {
    assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:ffff::1"));
    assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
    assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    assert_eq!(source("2001:db8:1:2::3").as_str(), "2001:db8:1:2::/64");
}

/// Every sequence of six steps out of seven kinds: the promises hold after each.
#[test]
fn every_short_history_keeps_the_promises() {
    let known = source("192.0.2.1");
    let stranger = source("198.51.100.1");
    let policy = LockoutPolicy {
        attempts: 2,
        ceiling: 3,
        ..LockoutPolicy::default()
    };
    let kinds = 7_u32;
    for history in 0..kinds.pow(6) {
        let mut world = World {
            policy,
            ..World::new()
        };
        let mut failures: Vec<(bool, UnixSeconds)> = Vec::new();
        let mut locked_until = [UnixSeconds(0); 2];
        let mut rest = history;
        for _ in 0..6 {
            let kind = rest % kinds;
            rest /= kinds;
            let (who, is_known, end) = match kind {
                0 => (&known, true, End::Wrong),
                1 => (&known, true, End::Right),
                2 => (&stranger, false, End::Wrong),
                3 => (&stranger, false, End::Right),
                4 => (&stranger, false, End::Withdrawn),
                5 => (&known, true, End::Withdrawn),
                _ => {
                    world.pass(601);
                    continue;
                }
            };
            let admission = world.attempt(who, is_known, end);
            if admission == Admission::Admitted {
                match end {
                    End::Wrong => failures.push((is_known, world.now)),
                    End::Right => failures.retain(|(of_known, _)| *of_known != is_known),
                    End::Withdrawn | End::Abandoned => {}
                }
            }
            // Nothing is pending, so nobody is told to wait.
            assert_ne!(admission, Admission::Busy);
            for of_known in [true, false] {
                let recent = failures
                    .iter()
                    .filter(|(of, at)| *of == of_known && at.plus(policy.period) > world.now)
                    .count();
                assert!(recent <= policy.attempts, "{history}");
                let until = &mut locked_until[usize::from(of_known)];
                if recent == policy.attempts && *until <= world.now {
                    *until = world.now.plus(policy.lock);
                }
                let who = if of_known { &known } else { &stranger };
                // With one stranger the ceiling is never reached before its own limit.
                let expected = if *until > world.now {
                    Admission::Locked { until: *until }
                } else {
                    Admission::Admitted
                };
                assert_eq!(world.admission(who, of_known), expected, "{history}");
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Attempt { who: u8, end: u8 },
    Pass { seconds: u16 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u8..40, 0_u8..8).prop_map(|(who, end)| Act::Attempt { who, end }),
        1 => (0_u16..900).prop_map(|seconds| Act::Pass { seconds }),
    ]
}

fn end_of(number: u8) -> End {
    match number {
        0 => End::Right,
        1 => End::Withdrawn,
        2 => End::Abandoned,
        _ => End::Wrong,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Sources 0 and 1 are known.
    #[test]
    fn any_history_keeps_the_promises(acts in proptest::collection::vec(act(), 1..200)) {
        let mut world = World::new();
        let mut alone = World::new();
        let mut wrong: Vec<(u8, UnixSeconds)> = Vec::new();
        for act in acts {
            match act {
                Act::Pass { seconds } => {
                    world.pass(u64::from(seconds));
                    alone.pass(u64::from(seconds));
                }
                Act::Attempt { who, end } => {
                    let here = source(&format!("192.0.2.{who}"));
                    let is_known = who < 2;
                    let admission = world.attempt(&here, is_known, end_of(end));
                    if is_known {
                        // What strangers do changes nothing for the known.
                        prop_assert_eq!(alone.attempt(&here, true, end_of(end)), admission);
                    }
                    if admission == Admission::Admitted {
                        match end_of(end) {
                            End::Wrong => wrong.push((who, world.now)),
                            // A success of a source clears what it failed before.
                            End::Right => wrong.retain(|(other, _)| *other != who),
                            End::Withdrawn | End::Abandoned => {}
                        }
                    }
                    let recent = |is_of: &dyn Fn(u8) -> bool| wrong
                        .iter()
                        .filter(|(other, at)| is_of(*other) && at.plus(world.policy.period) > world.now)
                        .count();
                    prop_assert!(recent(&|other| other == who) <= world.policy.attempts);
                    prop_assert!(recent(&|other| other >= 2) <= world.policy.ceiling);
                    prop_assert!(world.attempts.sources.len() <= world.policy.ceiling + 2);
                }
            }
        }
        // It reads back as it was.
        let text = serde_json::to_string(&world.attempts).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Attempts>(&text).unwrap(), &world.attempts);
        // Every lock ends by itself.
        world.pass(1_800);
        for who in 0_u8..40 {
            prop_assert_eq!(world.admission(&source(&format!("192.0.2.{who}")), who < 2), Admission::Admitted);
        }
    }
}
