use serde::Serialize;

use crate::{Generation, Rotation};

/// What a state asks of the world. Reconcilers make it so, idempotently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Desired {
    /// The generation the authority signs with.
    pub signs_with: Generation,
    /// Every generation that verifiers trust, the signer first.
    pub trusts: Vec<Generation>,
    /// The generation client sides present.
    pub clients_use: Generation,
    /// The generation server sides present.
    pub servers_use: Generation,
    /// The generation that is trusted and will sign if the rotation goes on.
    pub incoming: Option<Generation>,
    /// The generation that is trusted and will be dropped if the rotation, or the rollback, goes on.
    pub outgoing: Option<Generation>,
}

/// What signs, what is trusted and what is presented in this state.
pub fn desired(rotation: &Rotation) -> Desired {
    match *rotation {
        Rotation::Standby { active, newest: _ } => Desired {
            signs_with: active,
            trusts: vec![active],
            clients_use: active,
            servers_use: active,
            incoming: None,
            outgoing: None,
        },
        Rotation::Init { active, next } => Desired {
            signs_with: active,
            trusts: vec![active, next],
            clients_use: active,
            servers_use: active,
            incoming: Some(next),
            outgoing: None,
        },
        Rotation::UpdateClients { retiring, active } => Desired {
            signs_with: active,
            trusts: vec![active, retiring],
            clients_use: active,
            servers_use: retiring,
            incoming: None,
            outgoing: Some(retiring),
        },
        Rotation::UpdateServers { retiring, active } => Desired {
            signs_with: active,
            trusts: vec![active, retiring],
            clients_use: active,
            servers_use: active,
            incoming: None,
            outgoing: Some(retiring),
        },
        Rotation::RollingBack { active, abandoned } => Desired {
            signs_with: active,
            trusts: vec![active, abandoned],
            clients_use: active,
            servers_use: active,
            incoming: None,
            outgoing: Some(abandoned),
        },
    }
}

/// Whether the private keys of `generation` may be destroyed, as far as trust is concerned.
///
/// True for a generation that exists and is trusted no longer. Material made ahead of
/// [`Event::Begin`](crate::Event::Begin) has a newer number than any state knows and is never swept.
/// Quarantine and positive identification of the key come on top and are the caller's.
pub fn may_destroy(rotation: &Rotation, generation: Generation) -> bool {
    generation <= rotation.newest() && !desired(rotation).trusts.contains(&generation)
}

/// The generation that issues server certificates of databases, for the `db` authority alone.
///
/// In `init` that is the incoming one already, in every other phase the signer. People reconfigure
/// databases by hand; so each database is touched twice in a rotation, not three times. The database agents
/// have to trust the incoming generation first, which is what `init` is waiting for anyway.
pub fn db_server_signer(rotation: &Rotation) -> Generation {
    match *rotation {
        Rotation::Init { active: _, next } => next,
        Rotation::Standby { active, .. }
        | Rotation::UpdateClients { active, .. }
        | Rotation::UpdateServers { active, .. }
        | Rotation::RollingBack { active, .. } => active,
    }
}
