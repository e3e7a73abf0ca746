//! Places that anybody may take, and who gives way when there are none left.
//!
//! Newcomers are not made to wait: whoever holds places for nothing would decide how long. Instead a holder gives way:
//!
//! 1. one for whom nothing is being done, of a group (say, an address) that has more places than the newcomer's would;
//! 2. one for whom something is being done, of such a group, where the group has more than [`Room::served`];
//! 3. any for whom nothing is being done;
//! 4. one for whom something is being done, of a group that has more places than the newcomer's would;
//!
//! always of the largest such group, and of that the one who came, or was served, longest ago. So whoever takes many places takes them from
//! themselves, idle or busy, and somebody who holds one and is being served is never sent away.
//!
//! Nothing here knows the time: who came, or was served, later is later.
//!
//! Who does things one after the other takes no places: how fast they may is a [`Rate`], and what is left of it a [`Bucket`].

mod bucket;

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub use bucket::{Bucket, Empty, Rate, Shares};

/// How many places there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// For everybody together.
    pub all: usize,
    /// For one group.
    pub of_group: usize,
    /// So many of one group are served before its holders make room ahead of those who wait for nothing.
    pub served: usize,
}

/// Names a place that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Whoever holds places, each with what is needed to send its holder away.
#[derive(Debug)]
pub struct Crowd<G, T> {
    room: Room,
    holders: BTreeMap<Ticket, Holder<G, T>>,
    of_group: BTreeMap<G, usize>,
    turns: u64,
}

#[derive(Debug)]
struct Holder<G, T> {
    group: G,
    sender_away: T,
    /// How many things are being done for it.
    busy: usize,
    /// When it came, or was last served.
    turn: u64,
}

/// Somebody got in.
#[derive(Debug, PartialEq, Eq)]
pub struct Entered<T> {
    /// The place.
    pub ticket: Ticket,
    /// Who has lost theirs to it, and is to be sent away.
    pub gives_way: Option<T>,
}

impl<G: Ord + Clone, T> Crowd<G, T> {
    /// Nobody yet.
    pub const fn new(room: Room) -> Self {
        Self {
            room,
            holders: BTreeMap::new(),
            of_group: BTreeMap::new(),
            turns: 0,
        }
    }

    /// Takes a place; `None` when all are taken and nobody gives way.
    pub fn enter(&mut self, group: G, sender_away: T) -> Option<Entered<T>> {
        let Room { all, of_group, .. } = self.room;
        let leaves = if self.count(&group) >= of_group {
            Some(self.idlest(&group)?)
        } else if self.holders.len() >= all {
            Some(self.most_dispensable(&group)?)
        } else {
            None
        };
        let gives_way = leaves.and_then(|ticket| self.leave(ticket));
        let turn = self.next_turn();
        let ticket = Ticket(turn);
        let count = self.count(&group).saturating_add(1);
        self.of_group.insert(group.clone(), count);
        let holder = Holder {
            group,
            sender_away,
            busy: 0,
            turn,
        };
        self.holders.insert(ticket, holder);
        Some(Entered { ticket, gives_way })
    }

    /// Something begins to be done for a holder.
    pub fn begin(&mut self, ticket: Ticket) {
        if let Some(holder) = self.holders.get_mut(&ticket) {
            holder.busy = holder.busy.saturating_add(1);
        }
    }

    /// It is done.
    pub fn end(&mut self, ticket: Ticket) {
        let turn = self.next_turn();
        if let Some(holder) = self.holders.get_mut(&ticket) {
            holder.busy = holder.busy.saturating_sub(1);
            holder.turn = turn;
        }
    }

    /// Gives a place back. Whoever gave way has none any more, which is no mistake.
    pub fn leave(&mut self, ticket: Ticket) -> Option<T> {
        let holder = self.holders.remove(&ticket)?;
        match self.count(&holder.group) {
            0 | 1 => self.of_group.remove(&holder.group),
            count => self.of_group.insert(holder.group, count.saturating_sub(1)),
        };
        Some(holder.sender_away)
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    fn count(&self, group: &G) -> usize {
        self.of_group.get(group).copied().unwrap_or(0)
    }

    fn next_turn(&mut self) -> u64 {
        self.turns = self.turns.saturating_add(1);
        self.turns
    }

    /// Of one group, the holder for whom nothing was done for longest.
    fn idlest(&self, group: &G) -> Option<Ticket> {
        let of_group = self.holders.iter().filter(|(_, holder)| holder.group == *group);
        of_group
            .min_by_key(|(_, holder)| (holder.busy > 0, holder.turn))
            .map(|(ticket, _)| *ticket)
    }

    /// Of all, the holder who gives way to a newcomer of a group.
    fn most_dispensable(&self, newcomer: &G) -> Option<Ticket> {
        let with_newcomer = self.count(newcomer).saturating_add(1);
        let ranked = self.holders.iter().filter_map(|(ticket, holder)| {
            let count = self.count(&holder.group);
            let rank = match (holder.busy > 0, count > with_newcomer) {
                (false, true) => 1,
                (true, true) if count > self.room.served => 2,
                (false, false) => 3,
                (true, true) => 4,
                (true, false) => return None,
            };
            Some(((rank, Reverse(count), holder.turn), *ticket))
        });
        ranked.min().map(|(_, ticket)| ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        all: 4,
        of_group: 3,
        served: 2,
    };

    /// A crowd of these groups, who came in this order and are called by their number.
    fn crowd(groups: &[&'static str]) -> (Crowd<&'static str, usize>, Vec<Ticket>) {
        let mut crowd = Crowd::new(ROOM);
        let tickets = groups.iter().enumerate().map(|(number, group)| {
            let entered = crowd.enter(*group, number).unwrap();
            assert_eq!(entered.gives_way, None);
            entered.ticket
        });
        let tickets = tickets.collect();
        (crowd, tickets)
    }

    fn gives_way(crowd: &mut Crowd<&'static str, usize>, group: &'static str) -> Option<Option<usize>> {
        crowd.enter(group, 100).map(|entered| entered.gives_way)
    }

    #[test]
    fn the_longest_idle_of_the_largest_group_gives_way() {
        let (mut crowd, tickets) = crowd(&["a", "b", "b", "c"]);
        assert_eq!(gives_way(&mut crowd, "d"), Some(Some(1)));
        // All have one place now: who was served is later than who was not.
        crowd.begin(tickets[0]);
        crowd.end(tickets[0]);
        assert_eq!(gives_way(&mut crowd, "e"), Some(Some(2)));
        assert_eq!(crowd.len(), 4);
    }

    #[test]
    fn who_is_being_served_stays_while_others_can_go() {
        let (mut crowd, tickets) = crowd(&["b", "b", "a", "c"]);
        for ticket in &tickets[..2] {
            crowd.begin(*ticket);
        }
        assert_eq!(gives_way(&mut crowd, "d"), Some(Some(2)));
    }

    #[test]
    fn who_has_very_many_served_gives_way_before_somebody_who_just_came() {
        let (mut crowd, tickets) = crowd(&["b", "b", "b", "c"]);
        for ticket in &tickets[..3] {
            crowd.begin(*ticket);
        }
        assert_eq!(gives_way(&mut crowd, "d"), Some(Some(0)));
        // Two are no longer very many.
        assert_eq!(gives_way(&mut crowd, "e"), Some(Some(3)));
    }

    #[test]
    fn when_all_are_being_served_who_has_most_gives_way_to_who_has_fewer() {
        let (mut crowd, tickets) = crowd(&["b", "a", "b", "b"]);
        for ticket in &tickets {
            crowd.begin(*ticket);
        }
        let entered = crowd.enter("c", 9).unwrap();
        assert_eq!(entered.gives_way, Some(0));
        crowd.begin(entered.ticket);
        // Two, one and one: nobody would have fewer.
        assert_eq!(gives_way(&mut crowd, "c"), None);
        assert_eq!(gives_way(&mut crowd, "d"), Some(Some(2)));
    }

    #[test]
    fn a_full_group_makes_room_by_itself() {
        let (mut crowd, _) = crowd(&["b", "b", "b"]);
        assert_eq!(gives_way(&mut crowd, "b"), Some(Some(0)));
        assert_eq!(gives_way(&mut crowd, "a"), Some(None));
    }

    #[test]
    fn what_is_given_back_is_free_and_who_gave_way_has_nothing_to_give() {
        let (mut crowd, tickets) = crowd(&["a", "b", "b", "c"]);
        assert_eq!(gives_way(&mut crowd, "d"), Some(Some(1)));
        assert_eq!(crowd.leave(tickets[1]), None);
        assert_eq!((crowd.len(), crowd.count(&"b")), (4, 1));
        assert_eq!(crowd.leave(tickets[2]), Some(2));
        assert_eq!(gives_way(&mut crowd, "b"), Some(None));
        crowd.begin(tickets[1]);
        crowd.end(tickets[1]);
    }
}
