//! Breadth-first over everything a rotation can do in three successive rotations.

use std::collections::{BTreeSet, HashSet, VecDeque};

use rotation::{Event, Facts, Generation, Refusal, Rotation, desired, step};

/// A state together with the history that the state itself does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) state: Rotation,
    /// Every generation that was trusted once and is trusted no longer.
    pub(crate) dead: BTreeSet<Generation>,
    pub(crate) begun: u8,
}

/// One event in one node, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: Node,
    pub(crate) event: Event,
    pub(crate) outcome: Result<(Node, Facts), Refusal>,
}

impl Edge {
    /// The state after the event, if it was taken.
    pub(crate) fn to(&self) -> Option<Rotation> {
        self.outcome.as_ref().ok().map(|(node, _)| node.state)
    }
}

pub(crate) const ROTATIONS_MAX: u8 = 3;

/// Every event in every reachable node, refused ones included.
pub(crate) fn edges() -> Vec<Edge> {
    let birth = Node {
        state: Rotation::born(Generation::FIRST),
        dead: BTreeSet::new(),
        begun: 0,
    };
    let mut edges = Vec::new();
    let mut seen = HashSet::from([birth.clone()]);
    let mut queue = VecDeque::from([birth]);
    while let Some(from) = queue.pop_front() {
        for event in events(&from) {
            let outcome = step(&from.state, event).map(|(state, facts)| (after(&from, state), facts));
            if let Ok((node, _)) = &outcome {
                if node.begun > ROTATIONS_MAX {
                    continue;
                }
                if seen.insert(node.clone()) {
                    queue.push_back(node.clone());
                }
            }
            edges.push(Edge {
                from: from.clone(),
                event,
                outcome,
            });
        }
    }
    edges
}

/// Every reachable node.
pub(crate) fn nodes() -> Vec<Node> {
    let mut seen = HashSet::new();
    edges()
        .into_iter()
        .map(|edge| edge.from)
        .filter(|node| seen.insert(node.clone()))
        .collect()
}

/// The generations that are presented or signed with in a state.
pub(crate) fn uses(state: &Rotation) -> BTreeSet<Generation> {
    let desired = desired(state);
    BTreeSet::from([desired.signs_with, desired.clients_use, desired.servers_use])
}

/// The generations that are trusted in a state.
pub(crate) fn trusts(state: &Rotation) -> BTreeSet<Generation> {
    desired(state).trusts.into_iter().collect()
}

/// Begins with new numbers, with a gap between them, and with every number that must not return.
fn events(node: &Node) -> Vec<Event> {
    let newest = node.state.newest();
    let mut begins = BTreeSet::from([newest.next(), newest.next().next(), newest]);
    begins.extend(trusts(&node.state));
    begins.extend(&node.dead);
    let mut events: Vec<Event> = begins.into_iter().map(|next| Event::Begin { next }).collect();
    events.extend([Event::Advance, Event::Rollback, Event::Distrust]);
    events
}

fn after(from: &Node, state: Rotation) -> Node {
    let mut dead = from.dead.clone();
    dead.extend(trusts(&from.state).difference(&trusts(&state)));
    let begins = !from.state.is_in_progress() && state.is_in_progress();
    Node {
        state,
        dead,
        begun: from.begun + u8::from(begins),
    }
}
