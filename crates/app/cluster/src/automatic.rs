//! Automatic rotations: a source of steps, taken when their time has come and the evidence allows it.

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use rotation::Mode;
use rotation::Phase;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::record::AuthorityRecord;
use crate::rotator::Move;
use crate::rotator::RotateRequest;
use crate::rotator::Rotated;
use crate::rotator::Step;

impl Cluster {
    /// Takes the steps of automatic rotations whose time has come. Each authority is tried; a failure of one holds no other up.
    pub async fn advance_due(&self) -> Vec<(AuthorityType, Result<Rotated, ClusterError>)> {
        let mut taken = Vec::new();
        for (authority, view) in &self.view().authorities {
            let record = &view.record;
            let Some(schedule) = &record.course.schedule else {
                continue;
            };
            if record.course.mode != Some(Mode::Automatic) {
                continue;
            }
            let now = self.now();
            if rotation::due(&record.rotation, schedule, now).is_some() {
                let result = self.advance_automatically(*authority).await;
                self.note_outcome(record, &result).await;
                taken.push((*authority, result));
            }
        }
        taken
    }

    /// Keeps the alert of a held rotation true, and records when one begins to be held.
    async fn note_outcome(&self, record: &AuthorityRecord, result: &Result<Rotated, ClusterError>) {
        let authority = record.authority;
        let blocked = match result {
            Err(ClusterError::Refused(Refusal::Blocked { blocked, .. })) => blocked,
            Ok(_) | Err(_) => return self.note_held(authority, None),
        };
        let was_held = self.held_rotations().contains_key(&authority);
        self.note_held(authority, Some(blocked.to_string()));
        if was_held {
            return;
        }
        let event = AuditEvent::RotationHeld {
            authority,
            rotation_id: record.course.rotation_id.clone().unwrap_or_default(),
            phase: record.rotation.phase().to_string(),
            blocked_by: blocked.by.iter().map(ToString::to_string).collect(),
        };
        if let Err(error) = self.journal.record(&Actor::System, event).await {
            tracing::error!(error = %error, "a held rotation could not be recorded");
        }
    }

    async fn advance_automatically(&self, authority: AuthorityType) -> Result<Rotated, ClusterError> {
        let stored = self.load_authority(authority).await?;
        let course = stored.value.course.clone();
        let now = self.now();
        let due = course
            .schedule
            .as_ref()
            .and_then(|plan| rotation::due(&stored.value.rotation, plan, now));
        let Some(event) = due else {
            return Err(Refusal::Conflict {
                what: format!("{authority} authority"),
            }
            .into());
        };
        let request = RotateRequest {
            reason: Some("its time has come".into()),
            ..RotateRequest::new(authority, Step::To(Phase::Standby))
        };
        let actor = Actor::System;
        let evidence = self.evidence(&actor, &request, &stored.value, event).await?;
        let step = Move {
            actor: &actor,
            request: &request,
            event,
            mode: Mode::Automatic,
            schedule: course.schedule,
            grace_period: course.grace_period,
            evidence,
        };
        self.take(stored, step).await
    }
}
