//! What the log says of a rotation's steps: before they are taken, and when they were not.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use ledger::Record;
use rotation::Event;
use rotation::Rotation;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::record::AuthorityRecord;
use crate::rotator::Move;

impl Cluster {
    pub(crate) fn override_event(
        &self,
        step: &Move<'_>,
        rotation_id: &str,
        from: &Rotation,
        to: &Rotation,
    ) -> Result<Option<Record>, ClusterError> {
        let Some(evidence) = &step.evidence else {
            return Ok(None);
        };
        let Some(named) = evidence.overridden_by() else {
            return Ok(None);
        };
        if evidence.overridden().is_empty() {
            return Ok(None);
        }
        let event = AuditEvent::RotationOverridden {
            authority: step.request.authority,
            rotation_id: rotation_id.to_owned(),
            from: from.phase().to_string(),
            to: to.phase().to_string(),
            reason: named.why().to_owned(),
            blocked_by: evidence.overridden().iter().map(ToString::to_string).collect(),
        };
        Ok(Some(self.journal.event(step.actor, event)?.1))
    }

    pub(crate) async fn distrust_event(
        &self,
        step: &Move<'_>,
        rotation_id: &str,
        record: &AuthorityRecord,
        to: &Rotation,
    ) -> Result<Option<Record>, ClusterError> {
        let (Event::Distrust, Some(outgoing)) = (step.event, record.desired().outgoing) else {
            return Ok(None);
        };
        let Some(reason) = step.request.reason.clone() else {
            let problem = "say why the outgoing generation is distrusted; the log keeps it".into();
            return Err(Refusal::Malformed {
                field: "reason",
                problem,
            }
            .into());
        };
        let (parties, _) = self.parties(record).await?;
        let event = AuditEvent::GenerationDistrusted {
            authority: record.authority,
            rotation_id: rotation_id.to_owned(),
            generation: outgoing.number(),
            reason,
            affected: rotation::affected(to, &parties)
                .into_iter()
                .map(|party| party.name)
                .collect(),
        };
        Ok(Some(self.journal.event(step.actor, event)?.1))
    }

    /// Says of changes announced but never saved that they did not happen: what a crash between the two left open.
    pub(crate) async fn close_interrupted(&self) -> Result<(), ClusterError> {
        for view in self.view().authorities.values() {
            let record = &view.record;
            let Some(open) = self.last_announced(record.authority).await? else {
                continue;
            };
            if open.uid == record.course.event_uid || !open.is_success {
                continue;
            }
            let event = AuditEvent::PhaseChanged {
                authority: record.authority,
                rotation_id: open.rotation_id,
                from: open.from,
                to: open.to,
                mode: open.mode,
                reason: None,
                outcome: Outcome::Failure(format!("interrupted before it took effect; see {}", open.uid)),
            };
            self.journal.record(&Actor::System, event).await?;
        }
        Ok(())
    }
}

/// The event of a step from one state to another.
pub(crate) fn phase_event(
    step: &Move<'_>,
    rotation_id: &str,
    from: &Rotation,
    to: &Rotation,
    outcome: Outcome,
) -> AuditEvent {
    AuditEvent::PhaseChanged {
        authority: step.request.authority,
        rotation_id: rotation_id.to_owned(),
        from: from.phase().to_string(),
        to: to.phase().to_string(),
        mode: step.mode.to_string(),
        reason: step.request.reason.clone(),
        outcome,
    }
}
