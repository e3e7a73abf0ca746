use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::refusal::Allowed;
use crate::{Desired, Event, Generation, Phase, Refusal, Rotation, desired, step};

/// Which side of a connection a party is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    /// Presents a credential when it connects. Moves in `update_clients`.
    Client,
    /// Presents a credential to whoever connects. Moves in `update_servers`.
    Server,
    /// Presents nothing of this authority, only trusts it.
    Verifier,
}

/// One party of an authority as it proves itself, not as it claims to be.
///
/// An agent with both sides is two parties of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The name the operator knows it by.
    pub name: String,
    /// The side it is on.
    pub kind: PartyKind,
    /// The generations it trusts.
    pub trusts: BTreeSet<Generation>,
    /// The generation of the credential it presents. `None` for a client or server means "not
    /// proved" and holds a rotation back; a verifier presents nothing.
    pub serves: Option<Generation>,
    /// Whether it was seen lately. Who is not live cannot hold a rotation back, but is warned about.
    pub live: bool,
}

/// An auth server that owns keys of its own in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name the operator knows it by.
    pub name: String,
    /// Whether it has a usable key of every kind the authority needs in the incoming generation.
    pub has_all_keys_of_incoming: bool,
    /// Whether it was seen lately.
    pub live: bool,
}

/// A named decision to go on although the evidence says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    who: String,
    why: String,
}

impl Override {
    /// An override by `who`, for the reason `why`.
    ///
    /// # Errors
    /// [`Refusal::OverrideUnnamed`] when either is empty or blank.
    pub fn new(who: impl Into<String>, why: impl Into<String>) -> Result<Self, Refusal> {
        let (who, why) = (who.into(), why.into());
        if who.trim().is_empty() {
            return Err(Refusal::OverrideUnnamed { missing: "who" });
        }
        if why.trim().is_empty() {
            return Err(Refusal::OverrideUnnamed { missing: "why" });
        }
        Ok(Self { who, why })
    }

    /// Who overrides.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// The reason given.
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// A live party or owner that holds an advance back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Its name.
    pub name: String,
    /// What is missing, in words.
    pub missing: String,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.missing)
    }
}

/// A party that an event does not wait for, and what that means for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its name.
    pub name: String,
    /// Whether it is live now.
    pub live: bool,
    /// What is missing, in words.
    pub missing: String,
    /// Whether its credential is, or may be, trusted no longer afterwards: it has to join again. If
    /// not, it catches up in one step when it returns.
    pub cut_off: bool,
}

/// The proof that an advance from one state may happen. Only [`readiness`] makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    from: Rotation,
    to: Rotation,
    parties_live: usize,
    owners_live: usize,
    warnings: Vec<Warning>,
    overridden_by: Option<Override>,
    overridden: Vec<Blocker>,
}

impl Evidence {
    /// The state the evidence was gathered in. It proves nothing about any other.
    pub const fn from(&self) -> &Rotation {
        &self.from
    }

    /// The state that the advance leads to.
    pub const fn to(&self) -> &Rotation {
        &self.to
    }

    /// How many live parties were looked at.
    pub const fn parties_live(&self) -> usize {
        self.parties_live
    }

    /// How many live owners were looked at.
    pub const fn owners_live(&self) -> usize {
        self.owners_live
    }

    /// Parties and owners that are not live and would be left behind, or cut off.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The override the advance was asked for with, needed or not.
    pub const fn overridden_by(&self) -> Option<&Override> {
        self.overridden_by.as_ref()
    }

    /// The live parties and owners that the override passed over; empty when it was not needed.
    pub fn overridden(&self) -> &[Blocker] {
        &self.overridden
    }
}

/// An advance that live parties or owners hold back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// The present phase.
    pub from: Phase,
    /// The phase the advance would lead to.
    pub to: Phase,
    /// Who holds it back, one entry for each thing missing. Never empty.
    pub by: Vec<Blocker>,
}

impl Blocked {
    /// How many blockers the message names; the rest is counted.
    pub const NAMED_MAX: usize = 5;
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, by } = self;
        let named: Vec<String> = by.iter().take(Self::NAMED_MAX).map(Blocker::to_string).collect();
        write!(
            f,
            "cannot go to \"{to}\" from \"{from}\" yet: {}",
            named.join("; ")
        )?;
        let unnamed = by.len().saturating_sub(named.len());
        if unnamed > 0 {
            write!(f, "; and {unnamed} more")?;
        }
        write!(
            f,
            "; wait for them, take them out of service, or override with a name and a reason; "
        )?;
        Allowed(*from).fmt(f)
    }
}

impl std::error::Error for Blocked {}

/// Why an advance may not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Live parties or owners hold it back.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// There is nothing to advance.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl NotReady {
    /// The stable code, for APIs and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Blocked(_) => "rotation_blocked",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// Whether the evidence allows an advance: every live party reached the present phase, so that one
/// phase of lag is all there ever is.
///
/// | advance | held back by |
/// |---|---|
/// | `init` to `update_clients` | a live owner without all keys of the incoming generation, no live owner at all, a live party that does not trust the incoming generation |
/// | `update_clients` to `update_servers` | a live client that does not present the new generation |
/// | `update_servers` to `standby` | a live client or server that does not present the new generation |
/// | `rollback` to `standby` | a live client or server that does not present the generation returned to |
///
/// and in each by a live party that does not trust the generation in use afterwards. An override
/// lets the advance pass and stays in the evidence with all it passed over.
///
/// # Errors
/// [`NotReady::Blocked`] with everybody who holds it back; [`NotReady::Refused`] in `standby`.
pub fn readiness(
    rotation: &Rotation,
    parties: &[Party],
    owners: &[Owner],
    overridden_by: Option<Override>,
) -> Result<Evidence, NotReady> {
    let (to, _) = step(rotation, Event::Advance)?;
    let wanted = Wanted::by(rotation);
    let after = desired(&to);

    let mut blockers = Vec::new();
    let mut warnings = Vec::new();
    for party in parties {
        for missing in wanted.missing_of(party) {
            if party.live {
                blockers.push(Blocker {
                    name: party.name.clone(),
                    missing,
                });
            } else {
                warnings.push(warning(party, missing, &after));
            }
        }
    }
    if let Some(incoming) = wanted.keys_of {
        judge_owners(owners, incoming, &mut blockers, &mut warnings);
    }

    if !blockers.is_empty() && overridden_by.is_none() {
        return Err(Blocked {
            from: rotation.phase(),
            to: to.phase(),
            by: blockers,
        }
        .into());
    }
    Ok(Evidence {
        from: *rotation,
        to,
        parties_live: parties.iter().filter(|party| party.live).count(),
        owners_live: owners.iter().filter(|owner| owner.live).count(),
        warnings,
        overridden_by,
        overridden: blockers,
    })
}

/// Everybody, live or not, whom a change to `target` at this moment would cut off or leave behind.
///
/// This is the list shown before a rotation is planned and before an emergency distrust is confirmed.
pub fn affected(target: &Rotation, parties: &[Party]) -> Vec<Warning> {
    let after = desired(target);
    let mut warnings = Vec::new();
    for party in parties {
        if !party.trusts.contains(&after.signs_with) {
            warnings.push(warning(party, does_not_trust(party, after.signs_with), &after));
        }
        if is_cut_off(party, &after) {
            warnings.push(warning(party, does_not_serve(party, after.signs_with), &after));
        }
    }
    warnings
}

/// What has to be true of every live party and owner before the advance out of a state.
struct Wanted {
    trusted: Option<Generation>,
    served_by_clients: Option<Generation>,
    served_by_servers: Option<Generation>,
    keys_of: Option<Generation>,
}

impl Wanted {
    fn by(rotation: &Rotation) -> Self {
        match *rotation {
            Rotation::Standby { .. } => Self {
                trusted: None,
                served_by_clients: None,
                served_by_servers: None,
                keys_of: None,
            },
            Rotation::Init { active: _, next } => Self {
                trusted: Some(next),
                served_by_clients: None,
                served_by_servers: None,
                keys_of: Some(next),
            },
            Rotation::UpdateClients { retiring: _, active } => Self {
                trusted: Some(active),
                served_by_clients: Some(active),
                served_by_servers: None,
                keys_of: None,
            },
            Rotation::UpdateServers { retiring: _, active }
            | Rotation::RollingBack { active, abandoned: _ } => Self {
                trusted: Some(active),
                served_by_clients: Some(active),
                served_by_servers: Some(active),
                keys_of: None,
            },
        }
    }

    fn missing_of(&self, party: &Party) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(generation) = self.trusted
            && !party.trusts.contains(&generation)
        {
            missing.push(does_not_trust(party, generation));
        }
        let served = match party.kind {
            PartyKind::Client => self.served_by_clients,
            PartyKind::Server => self.served_by_servers,
            PartyKind::Verifier => None,
        };
        if let Some(generation) = served
            && party.serves != Some(generation)
        {
            missing.push(does_not_serve(party, generation));
        }
        missing
    }
}

fn judge_owners(
    owners: &[Owner],
    incoming: Generation,
    blockers: &mut Vec<Blocker>,
    warnings: &mut Vec<Warning>,
) {
    for owner in owners.iter().filter(|owner| !owner.has_all_keys_of_incoming) {
        let missing =
            format!("does not have a key of every kind in generation {incoming} and could not sign");
        if owner.live {
            blockers.push(Blocker {
                name: owner.name.clone(),
                missing,
            });
        } else {
            warnings.push(Warning {
                name: owner.name.clone(),
                live: false,
                missing,
                cut_off: false,
            });
        }
    }
    if !owners.iter().any(|owner| owner.live) {
        blockers.push(Blocker {
            name: "the cluster".to_owned(),
            missing: format!("has no live auth server that could sign with generation {incoming}"),
        });
    }
}

fn warning(party: &Party, missing: String, after: &Desired) -> Warning {
    Warning {
        name: party.name.clone(),
        live: party.live,
        missing,
        cut_off: is_cut_off(party, after),
    }
}

/// Whether the party's credential is not, or not provably, trusted afterwards.
fn is_cut_off(party: &Party, after: &Desired) -> bool {
    match party.kind {
        PartyKind::Client | PartyKind::Server => {
            !party.serves.is_some_and(|served| after.trusts.contains(&served))
        }
        PartyKind::Verifier => false,
    }
}

fn does_not_trust(party: &Party, wanted: Generation) -> String {
    let trusted: Vec<String> = party.trusts.iter().map(Generation::to_string).collect();
    if trusted.is_empty() {
        format!("does not trust generation {wanted} yet (it trusts none)")
    } else {
        format!(
            "does not trust generation {wanted} yet (it trusts {})",
            trusted.join(", ")
        )
    }
}

fn does_not_serve(party: &Party, wanted: Generation) -> String {
    let side = match party.kind {
        PartyKind::Client => "as a client",
        PartyKind::Server => "as a server",
        PartyKind::Verifier => "as a verifier",
    };
    match party.serves {
        Some(served) => format!("still presents generation {served} {side}, not generation {wanted}"),
        None => format!("has not proved {side} that it presents generation {wanted}"),
    }
}
