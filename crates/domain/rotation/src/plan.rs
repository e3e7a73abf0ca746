use serde::Serialize;

use crate::{Desired, Event, Facts, Generation, Phase, Refusal, Rotation, desired, step};

/// Where a plan leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A whole new rotation, from `standby` to `standby`.
    Rotate {
        /// The generation to rotate to.
        next: Generation,
    },
    /// What is left of the rotation, or of the rollback, under way.
    Finish,
    /// The way back from the rotation under way.
    RollBack,
}

/// What would happen, step by step, before anything does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The state the plan starts from.
    pub from: Rotation,
    /// The steps, in order. Never empty.
    pub steps: Vec<PlanStep>,
}

/// One step of a plan: the phase it enters, and what that means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// The event that leads here.
    pub event: Event,
    /// The state entered.
    pub to: Rotation,
    /// The phase entered.
    pub phase: Phase,
    /// The generation that signs from then on.
    pub signs_with: Generation,
    /// The generations trusted from then on, the signer first.
    pub trusts: Vec<Generation>,
    /// What becomes true with the step.
    pub facts: Facts,
    /// What it means for whoever presents a credential of the authority. It does not tell
    /// [`db_server_signer`](crate::db_server_signer): add that for the `db` authority.
    pub holders: String,
    /// What it means for whoever trusts the authority.
    pub verifiers: String,
}

/// The steps from the present state to the goal. Takes the same [`step`]s as the rotation itself.
///
/// # Errors
/// The [`Refusal`] that the first step would meet.
pub fn plan(rotation: &Rotation, goal: Goal) -> Result<Plan, Refusal> {
    let first = match goal {
        Goal::Rotate { next } => Event::Begin { next },
        Goal::Finish => Event::Advance,
        Goal::RollBack => match rotation {
            Rotation::RollingBack { .. } => Event::Advance,
            Rotation::Standby { .. }
            | Rotation::Init { .. }
            | Rotation::UpdateClients { .. }
            | Rotation::UpdateServers { .. } => Event::Rollback,
        },
    };
    let mut steps = vec![plan_step(rotation, first)?];
    // Advancing leads to standby from every phase, so this ends.
    while let Some(last) = steps.last()
        && last.to.is_in_progress()
    {
        let following = plan_step(&last.to, Event::Advance)?;
        steps.push(following);
    }
    Ok(Plan {
        from: *rotation,
        steps,
    })
}

fn plan_step(from: &Rotation, event: Event) -> Result<PlanStep, Refusal> {
    let (to, facts) = step(from, event)?;
    let Desired {
        signs_with,
        trusts,
        clients_use: _,
        servers_use: _,
        incoming: _,
        outgoing: _,
    } = desired(&to);
    let dropped = desired(from)
        .trusts
        .into_iter()
        .find(|generation| !trusts.contains(generation));
    let (holders, verifiers) = meaning(&to, dropped);
    Ok(PlanStep {
        event,
        to,
        phase: to.phase(),
        signs_with,
        trusts,
        facts,
        holders,
        verifiers,
    })
}

/// What entering a state means for holders and for verifiers.
fn meaning(to: &Rotation, dropped: Option<Generation>) -> (String, String) {
    match *to {
        Rotation::Standby { active, newest: _ } => match dropped {
            Some(dropped) => (
                format!("present generation {active}; credentials of generation {dropped} stop working"),
                format!("trust generation {active} alone; remove generation {dropped}"),
            ),
            None => (
                format!("present generation {active}"),
                format!("trust generation {active} alone"),
            ),
        },
        Rotation::Init { active, next } => (
            format!("go on presenting generation {active}"),
            format!("learn generation {next} and trust it beside generation {active}"),
        ),
        Rotation::UpdateClients { retiring, active } => (
            format!(
                "fetch new credentials; client sides present generation {active}, server sides still generation {retiring}"
            ),
            format!("go on trusting generations {active} and {retiring}"),
        ),
        Rotation::UpdateServers { retiring, active } => (
            format!(
                "server sides present generation {active} too; re-issue what is still of generation {retiring}"
            ),
            format!("go on trusting generations {active} and {retiring}"),
        ),
        Rotation::RollingBack { active, abandoned } => (
            format!(
                "return to generation {active} on both sides; re-issue what is of generation {abandoned}"
            ),
            format!("go on trusting generations {active} and {abandoned}"),
        ),
    }
}
