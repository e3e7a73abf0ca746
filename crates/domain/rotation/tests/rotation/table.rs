//! The transition table in the documentation is printed by the machine itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rotation::{Event, Fact, Facts, Generation, Phase, Rotation, db_server_signer, desired, event_for};

use crate::explorer::{edges, nodes};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/rotation.md");
const BEGIN: &str = "<!-- generated: transitions -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_documented_transition_table_is_the_machine() {
    let generated = format!("\n{}\n{}\n", transitions(), requests());
    println!("{generated}");

    let document = fs::read_to_string(Path::new(DOCUMENT)).expect("docs/reference/rotation.md exists");
    let (before, rest) = document.split_once(BEGIN).expect("the begin marker is there");
    let (documented, after) = rest.split_once(END).expect("the end marker is there");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(DOCUMENT, format!("{before}{BEGIN}{generated}{END}{after}"))
            .expect("the document is writable");
        return;
    }
    assert!(
        documented == generated,
        "docs/reference/rotation.md differs from the machine; run the test again with UPDATE_GOLDEN=1. \
         Documented:\n{documented}\nGenerated:\n{generated}"
    );
}

/// Every transition that is taken, with generations replaced by `a` (old) and `n` (new).
fn transitions() -> String {
    let mut rows: BTreeMap<(Phase, u8), String> = BTreeMap::new();
    for edge in edges() {
        let Ok((to, facts)) = &edge.outcome else { continue };
        let (from, to) = (edge.from.state, to.state);
        let letters = Letters::of(&from, &to);
        let desired = desired(&to);
        let list = |generations: &[Generation]| -> String {
            generations
                .iter()
                .map(|g| letters.of_generation(*g))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            letters.of_state(&from),
            word(edge.event),
            letters.of_state(&to),
            letters.of_generation(desired.signs_with),
            list(&desired.trusts),
            letters.of_generation(desired.clients_use),
            letters.of_generation(desired.servers_use),
            letters.of_generation(db_server_signer(&to)),
            letters.of_facts(facts),
        );
        let known = rows
            .entry((from.phase(), order(edge.event)))
            .or_insert_with(|| row.clone());
        assert_eq!(
            *known, row,
            "one phase and one event have one meaning, whatever the numbers"
        );
    }
    let mut table = String::from(
        "| from | event | to | signs with | trusted | clients present | servers present | db server certificates from | facts |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows.values() {
        writeln!(table, "{row}").unwrap();
    }
    table
}

/// What each `--phase` request does in each phase: the event, or the code of the refusal.
fn requests() -> String {
    let mut cells: BTreeMap<(Phase, Phase), String> = BTreeMap::new();
    for node in nodes() {
        for target in Phase::ALL {
            let cell = match event_for(&node.state, target, node.state.newest().next()) {
                Ok(event) => format!("**{}**", word(event)),
                Err(refusal) => format!("`{}`", refusal.code()),
            };
            let known = cells
                .entry((node.state.phase(), target))
                .or_insert_with(|| cell.clone());
            assert_eq!(
                *known, cell,
                "one phase and one request have one answer, whatever the numbers"
            );
        }
    }
    let mut table = String::from("| present phase |");
    for target in Phase::ALL {
        write!(table, " `--phase={target}` |").unwrap();
    }
    table.push_str("\n|---|---|---|---|---|---|\n");
    for phase in Phase::ALL {
        write!(table, "| `{phase}` |").unwrap();
        for target in Phase::ALL {
            write!(table, " {} |", cells[&(phase, target)]).unwrap();
        }
        table.push('\n');
    }
    table
}

/// The old generation of a transition, and the new one if there is one.
struct Letters {
    old: Generation,
    new: Option<Generation>,
}

impl Letters {
    fn of(from: &Rotation, to: &Rotation) -> Self {
        let under_way = if from.is_in_progress() { from } else { to };
        match *under_way {
            Rotation::Standby { active, .. } => Self {
                old: active,
                new: None,
            },
            Rotation::Init { active, next } => Self {
                old: active,
                new: Some(next),
            },
            Rotation::UpdateClients { retiring, active } | Rotation::UpdateServers { retiring, active } => {
                Self {
                    old: retiring,
                    new: Some(active),
                }
            }
            Rotation::RollingBack { active, abandoned } => Self {
                old: active,
                new: Some(abandoned),
            },
        }
    }

    fn of_generation(&self, generation: Generation) -> &'static str {
        if generation == self.old {
            "a"
        } else if Some(generation) == self.new {
            "n"
        } else {
            panic!("generation {generation} is neither the old nor the new one")
        }
    }

    fn of_state(&self, state: &Rotation) -> String {
        let letter = |generation| self.of_generation(generation);
        match *state {
            Rotation::Standby { active, newest: _ } => format!("`standby` on {}", letter(active)),
            Rotation::Init { active, next } => format!("`init` {} to {}", letter(active), letter(next)),
            Rotation::UpdateClients { retiring, active } => {
                format!("`update_clients` {} to {}", letter(retiring), letter(active))
            }
            Rotation::UpdateServers { retiring, active } => {
                format!("`update_servers` {} to {}", letter(retiring), letter(active))
            }
            Rotation::RollingBack { active, abandoned } => {
                format!("`rollback` {} to {}", letter(abandoned), letter(active))
            }
        }
    }

    fn of_facts(&self, facts: &Facts) -> String {
        let letter = |generation: &Generation| self.of_generation(*generation);
        let words: Vec<String> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Begun { next } => format!("begun {}", letter(next)),
                Fact::SignerChanged { from, to } => {
                    format!("signer changed {} to {}", letter(from), letter(to))
                }
                Fact::ServersSwitched { to } => format!("servers switched to {}", letter(to)),
                Fact::Retired(generation) => format!("retired {}", letter(generation)),
                Fact::Completed { active } => format!("completed on {}", letter(active)),
                Fact::RolledBack { abandoned } => format!("rolled back from {}", letter(abandoned)),
                Fact::Abandoned(generation) => format!("abandoned {}", letter(generation)),
                Fact::Distrusted(generation) => format!("distrusted {}", letter(generation)),
            })
            .collect();
        words.join(", ")
    }
}

fn word(event: Event) -> &'static str {
    match event {
        Event::Begin { next: _ } => "begin",
        Event::Advance => "advance",
        Event::Rollback => "roll back",
        Event::Distrust => "distrust",
    }
}

fn order(event: Event) -> u8 {
    match event {
        Event::Begin { next: _ } => 0,
        Event::Advance => 1,
        Event::Rollback => 2,
        Event::Distrust => 3,
    }
}
