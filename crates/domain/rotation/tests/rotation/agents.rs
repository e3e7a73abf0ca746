//! Many agents that lag, sleep and return, driven through the real machine and its gate.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rotation::{
    Event, Generation, NotReady, Owner, Party, PartyKind, Rotation, desired, may_destroy, readiness, step,
};

const AGENTS: usize = 5;

/// One agent: what it trusts and what its two sides present, as of the last time it looked.
#[derive(Clone, Debug)]
struct Agent {
    trusts: BTreeSet<Generation>,
    client: Generation,
    server: Generation,
    live: bool,
}

#[derive(Clone, Debug)]
enum Action {
    /// The agent fetches trust and credentials for the present phase, in one step.
    CatchUp(usize),
    /// The agent is seen no longer.
    Sleep(usize),
    /// The agent is seen again, as it was; if its credential still works it catches up, else it joins anew.
    Wake(usize),
    Begin,
    Advance,
    Rollback,
}

#[derive(Debug)]
struct Cluster {
    state: Rotation,
    agents: Vec<Agent>,
}

impl Cluster {
    fn new() -> Self {
        let state = Rotation::born(Generation::FIRST);
        let mut cluster = Self {
            state,
            agents: Vec::new(),
        };
        cluster.agents = (0..AGENTS).map(|_| cluster.agent_as_desired()).collect();
        cluster
    }

    fn agent_as_desired(&self) -> Agent {
        let desired = desired(&self.state);
        Agent {
            trusts: desired.trusts.into_iter().collect(),
            client: desired.clients_use,
            server: desired.servers_use,
            live: true,
        }
    }

    fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match *action {
            Action::CatchUp(index) => {
                if self.agents[index].live {
                    // A live agent never has to join again: its credential is trusted, and it trusts ours.
                    let trusted = desired(&self.state).trusts;
                    prop_assert!(trusted.contains(&self.agents[index].client));
                    prop_assert!(
                        self.agents[index]
                            .trusts
                            .contains(&desired(&self.state).servers_use)
                    );
                    self.agents[index] = self.agent_as_desired();
                }
            }
            Action::Sleep(index) => self.agents[index].live = false,
            Action::Wake(index) => {
                if !self.agents[index].live {
                    self.agents[index] = self.agent_as_desired();
                }
            }
            Action::Begin => self.take(Event::Begin {
                next: self.state.newest().next(),
            }),
            Action::Rollback => self.take(Event::Rollback),
            Action::Advance => {
                let owner = Owner {
                    name: "auth".into(),
                    has_all_keys_of_incoming: true,
                    live: true,
                };
                match readiness(&self.state, &self.parties(), &[owner], None) {
                    Ok(evidence) => {
                        let to = *evidence.to();
                        self.take(Event::Advance);
                        prop_assert_eq!(self.state, to);
                    }
                    Err(NotReady::Blocked(blocked)) => prop_assert!(!blocked.by.is_empty()),
                    Err(NotReady::Refused(_)) => prop_assert!(!self.state.is_in_progress()),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event) {
        if let Ok((state, _)) = step(&self.state, event) {
            self.state = state;
        }
    }

    fn parties(&self) -> Vec<Party> {
        let party = |name: String, kind, agent: &Agent, serves| Party {
            name,
            kind,
            trusts: agent.trusts.clone(),
            serves: Some(serves),
            live: agent.live,
        };
        let sides = |(index, agent): (usize, &Agent)| {
            [
                party(format!("agent-{index}"), PartyKind::Client, agent, agent.client),
                party(format!("agent-{index}"), PartyKind::Server, agent, agent.server),
            ]
        };
        self.agents.iter().enumerate().flat_map(sides).collect()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let live: Vec<&Agent> = self.agents.iter().filter(|agent| agent.live).collect();
        for one in &live {
            for other in &live {
                prop_assert!(
                    one.trusts.contains(&other.client),
                    "{one:?} refuses the client {other:?}"
                );
                prop_assert!(
                    one.trusts.contains(&other.server),
                    "{one:?} refuses the server {other:?}"
                );
            }
            for used in [one.client, one.server] {
                prop_assert!(
                    !may_destroy(&self.state, used),
                    "the keys behind {one:?} may be destroyed"
                );
            }
        }
        Ok(())
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..AGENTS).prop_map(Action::CatchUp),
        1 => (0..AGENTS).prop_map(Action::Sleep),
        2 => (0..AGENTS).prop_map(Action::Wake),
        2 => Just(Action::Begin),
        4 => Just(Action::Advance),
        1 => Just(Action::Rollback),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever order agents catch up, sleep and return in: no two live agents ever refuse each other,
    /// and no key behind a live agent's credential may be destroyed.
    #[test]
    fn live_agents_never_refuse_each_other(actions in prop::collection::vec(action(), 1..150)) {
        let mut cluster = Cluster::new();
        for action in &actions {
            cluster.act(action)?;
            cluster.check()?;
        }
    }
}

/// The property above is about something: the very same actions finish rotations.
#[test]
fn agents_that_catch_up_let_a_rotation_finish() {
    let mut cluster = Cluster::new();
    cluster.act(&Action::Begin).unwrap();
    for _ in 0..3 {
        let before = cluster.state;
        cluster.act(&Action::Advance).unwrap();
        assert!(before == cluster.state, "held while the agents lag");
        (0..AGENTS).for_each(|index| cluster.act(&Action::CatchUp(index)).unwrap());
        cluster.act(&Action::Advance).unwrap();
        assert!(before != cluster.state, "{before:?} goes on once they caught up");
    }
    assert_eq!(cluster.state, Rotation::born(crate::generation(2)));
}
