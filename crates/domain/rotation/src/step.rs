use serde::{Deserialize, Serialize};

use crate::{Generation, Phase, Refusal, Rotation};

/// What happens to a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A rotation begins. The keys of `next` exist already, at every live owner that can make them.
    Begin {
        /// The generation to rotate to; newer than every generation before it.
        next: Generation,
    },
    /// The rotation moves to its next phase; a rollback completes.
    ///
    /// The caller holds the [`Evidence`](crate::Evidence) that every live party reached the present phase.
    Advance,
    /// The rotation is given up: back to the generation from before it.
    Rollback,
    /// Emergency: the outgoing generation is distrusted at once, from `update_clients` or
    /// `update_servers`, straight to `standby`.
    ///
    /// It is for a compromised generation, where waiting is worse than cutting parties off. It breaks
    /// "one phase of lag is safe" on purpose: whoever still presents the outgoing generation is
    /// locked out in this moment, verifiers and holders alike, and no evidence is asked for. That is
    /// why it is an event of its own and never what a schedule, an `Advance` or a `--phase` request
    /// turns into: the operator is shown [`affected`](crate::affected) and confirms it by name.
    /// From `init` it is refused, because the incoming generation signs nothing yet; advance first.
    Distrust,
}

/// Something a step made true. Facts go into the audit event that is saved with the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A rotation began; `next` is trusted from now on.
    Begun {
        /// The incoming generation.
        next: Generation,
    },
    /// The authority signs with another generation from now on; client sides present it.
    SignerChanged {
        /// The generation that signed until now.
        from: Generation,
        /// The generation that signs from now on.
        to: Generation,
    },
    /// Server sides present another generation from now on.
    ServersSwitched {
        /// The generation they present from now on.
        to: Generation,
    },
    /// The generation was replaced and is trusted no longer; its quarantine begins.
    Retired(Generation),
    /// The rotation is complete: this, and only this, moves the date of the last rotation.
    Completed {
        /// The generation that signs and is trusted, alone.
        active: Generation,
    },
    /// The rotation was given up and is rolling back.
    RolledBack {
        /// The generation given up, still trusted until the rollback completes.
        abandoned: Generation,
    },
    /// The rollback is complete: the generation given up is trusted no longer.
    Abandoned(Generation),
    /// The generation lost its trust by emergency, without evidence that nobody depends on it.
    Distrusted(Generation),
}

/// What one step made true, in order.
pub type Facts = Vec<Fact>;

/// Takes one event in one state: the next state and what became true, or why not.
///
/// Total: every state answers every event.
///
/// # Errors
/// [`Refusal`] when the event does not follow from the present phase; the state is then unchanged.
pub fn step(rotation: &Rotation, event: Event) -> Result<(Rotation, Facts), Refusal> {
    use Event::{Advance, Begin, Distrust, Rollback};
    use Rotation::{Init, RollingBack, Standby, UpdateClients, UpdateServers};

    match (*rotation, event) {
        (Standby { active, newest }, Begin { next }) => begin(active, newest, next),
        (
            Init { .. } | UpdateClients { .. } | UpdateServers { .. } | RollingBack { .. },
            Begin { next: _ },
        ) => Err(Refusal::AlreadyInProgress {
            phase: rotation.phase(),
        }),

        (Standby { .. }, Advance) => Err(Refusal::NotInProgress),
        (Init { active, next }, Advance) => Ok((
            UpdateClients {
                retiring: active,
                active: next,
            },
            vec![Fact::SignerChanged {
                from: active,
                to: next,
            }],
        )),
        (UpdateClients { retiring, active }, Advance) => Ok((
            UpdateServers { retiring, active },
            vec![Fact::ServersSwitched { to: active }],
        )),
        (UpdateServers { retiring, active }, Advance) => Ok((
            Standby {
                active,
                newest: active,
            },
            vec![Fact::Retired(retiring), Fact::Completed { active }],
        )),
        (RollingBack { active, abandoned }, Advance) => Ok((
            Standby {
                active,
                newest: abandoned,
            },
            vec![Fact::Abandoned(abandoned)],
        )),

        (Init { active, next }, Rollback) => Ok((
            RollingBack {
                active,
                abandoned: next,
            },
            vec![Fact::RolledBack { abandoned: next }],
        )),
        (UpdateClients { retiring, active }, Rollback) => Ok((
            RollingBack {
                active: retiring,
                abandoned: active,
            },
            vec![
                Fact::SignerChanged {
                    from: active,
                    to: retiring,
                },
                Fact::RolledBack { abandoned: active },
            ],
        )),
        (UpdateServers { retiring, active }, Rollback) => Ok((
            RollingBack {
                active: retiring,
                abandoned: active,
            },
            vec![
                Fact::SignerChanged {
                    from: active,
                    to: retiring,
                },
                Fact::ServersSwitched { to: retiring },
                Fact::RolledBack { abandoned: active },
            ],
        )),
        (Standby { .. } | RollingBack { .. }, Rollback) => Err(Refusal::NotAllowed {
            from: rotation.phase(),
            to: Phase::Rollback,
        }),

        (UpdateClients { retiring, active }, Distrust) => Ok((
            Standby {
                active,
                newest: active,
            },
            vec![
                Fact::Distrusted(retiring),
                Fact::ServersSwitched { to: active },
                Fact::Retired(retiring),
                Fact::Completed { active },
            ],
        )),
        (UpdateServers { retiring, active }, Distrust) => Ok((
            Standby {
                active,
                newest: active,
            },
            vec![
                Fact::Distrusted(retiring),
                Fact::Retired(retiring),
                Fact::Completed { active },
            ],
        )),
        (Standby { .. } | Init { .. } | RollingBack { .. }, Distrust) => Err(Refusal::NothingToDistrust {
            from: rotation.phase(),
        }),
    }
}

/// The event that an operator's `--phase=target` asks for in the present state.
///
/// `next` is the generation whose keys were made for this request; it matters for `init` alone.
/// Whether it is new is checked by [`step`].
///
/// # Errors
/// [`Refusal::AlreadyInProgress`] for `init` during a rotation, [`Refusal::NotAllowed`] for any other
/// phase that does not follow from the present one.
pub fn event_for(current: &Rotation, target: Phase, next: Generation) -> Result<Event, Refusal> {
    let from = current.phase();
    match (from, target) {
        (Phase::Standby, Phase::Init) => Ok(Event::Begin { next }),
        (Phase::Init | Phase::UpdateClients | Phase::UpdateServers | Phase::Rollback, Phase::Init) => {
            Err(Refusal::AlreadyInProgress { phase: from })
        }
        (Phase::Init, Phase::UpdateClients)
        | (Phase::UpdateClients, Phase::UpdateServers)
        | (Phase::UpdateServers | Phase::Rollback, Phase::Standby) => Ok(Event::Advance),
        (Phase::Init | Phase::UpdateClients | Phase::UpdateServers, Phase::Rollback) => Ok(Event::Rollback),
        (Phase::Standby, Phase::Standby | Phase::UpdateClients | Phase::UpdateServers | Phase::Rollback)
        | (Phase::Init, Phase::Standby | Phase::UpdateServers)
        | (Phase::UpdateClients, Phase::Standby | Phase::UpdateClients)
        | (Phase::UpdateServers, Phase::UpdateClients | Phase::UpdateServers)
        | (Phase::Rollback, Phase::UpdateClients | Phase::UpdateServers | Phase::Rollback) => {
            Err(Refusal::NotAllowed { from, to: target })
        }
    }
}

fn begin(active: Generation, newest: Generation, next: Generation) -> Result<(Rotation, Facts), Refusal> {
    if next <= newest {
        return Err(Refusal::GenerationNotNew { next, newest });
    }
    Ok((Rotation::Init { active, next }, vec![Fact::Begun { next }]))
}
