//! Rotation: loads, asks the pure machine, records, saves by compare-and-swap.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authority::AuthorityType;
use ledger::Record;
use names::Ttl;
use names::UnixSeconds;
use rotation::Event;
use rotation::Evidence;
use rotation::Fact;
use rotation::Generation;
use rotation::Mode;
use rotation::NotReady;
use rotation::Phase;
use rotation::Rotation;
use rotation::Schedule;
use state::Expect;
use state::Write;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::documents;
use crate::documents::Stored;
use crate::journal::sixteen;
use crate::record::AuthorityRecord;
use crate::record::KeySet;

/// What an operator asks of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateRequest {
    /// Which authority.
    pub authority: AuthorityType,
    /// The step asked for.
    pub step: Step,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// Why the step is to be taken although somebody is not ready.
    pub override_reason: Option<String>,
}

/// A step of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To this phase, by hand. Taking over an automatic rotation so ends its schedule.
    To(Phase),
    /// Begin, and go on by itself.
    Automatic {
        /// How long it takes in all.
        grace_period: Ttl,
    },
    /// Distrust the outgoing generation at once.
    Distrust,
}

/// A step taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Which authority.
    pub authority: AuthorityType,
    /// The rotation's id.
    pub rotation_id: String,
    /// The phase before.
    pub from: Phase,
    /// The phase now.
    pub to: Phase,
    /// When an automatic rotation goes on.
    pub schedule: Option<Schedule>,
    /// Who was not ready and is, or will be, cut off: in words.
    pub warnings: Vec<String>,
}

/// Everything one step needs to know and leaves behind.
struct Move<'a> {
    actor: &'a Actor,
    request: &'a RotateRequest,
    event: Event,
    mode: Mode,
    schedule: Option<Schedule>,
    grace_period: Option<Ttl>,
    evidence: Option<Evidence>,
}

impl Cluster {
    /// Takes one step of a rotation.
    ///
    /// # Errors
    /// A [`Refusal`] naming the present phase and what is allowed, or who holds the rotation back; otherwise whatever failed.
    /// After an error the authority is in the phase it was in.
    pub async fn rotate(&self, actor: &Actor, request: &RotateRequest) -> Result<Rotated, ClusterError> {
        let authority = request.authority;
        let stored = self.load_authority(authority).await?;
        let present = stored.value.rotation;
        let refused = |refusal| Refusal::Rotation { authority, refusal };
        let next = present.newest().next();
        let now = self.now();
        let mut mode = Mode::Manual;
        let (mut schedule, mut grace_period) = (None, None);
        let event = match request.step {
            Step::To(phase) => rotation::event_for(&present, phase, next).map_err(refused)?,
            Step::Distrust => Event::Distrust,
            Step::Automatic { grace_period: grace } => {
                mode = Mode::Automatic;
                grace_period = Some(grace);
                let started = now;
                let length = std::time::Duration::from_secs(grace.seconds());
                schedule = Some(Schedule::split(started, length).map_err(refused)?);
                rotation::event_for(&present, Phase::Init, next).map_err(refused)?
            }
        };
        let evidence = self.evidence(actor, request, &stored.value, event).await?;
        let step = Move {
            actor,
            request,
            event,
            mode,
            schedule,
            grace_period,
            evidence,
        };
        self.take(stored, step).await
    }

    /// The evidence that a step may be taken; none is asked for to begin, roll back or distrust.
    async fn evidence(
        &self,
        actor: &Actor,
        request: &RotateRequest,
        record: &AuthorityRecord,
        event: Event,
    ) -> Result<Option<Evidence>, ClusterError> {
        match event {
            Event::Begin { .. } | Event::Rollback | Event::Distrust => return Ok(None),
            Event::Advance => {}
        }
        let authority = record.authority;
        let named = match &request.override_reason {
            None => None,
            Some(why) => {
                let who = crate::status::actor_name(actor);
                let refused = |refusal| Refusal::Rotation { authority, refusal };
                Some(rotation::Override::new(who, why.clone()).map_err(refused)?)
            }
        };
        let (parties, owners) = self.parties(record).await?;
        match rotation::readiness(&record.rotation, &parties, &owners, named) {
            Ok(evidence) => Ok(Some(evidence)),
            Err(NotReady::Blocked(blocked)) => Err(Refusal::Blocked { authority, blocked }.into()),
            Err(NotReady::Refused(refusal)) => Err(Refusal::Rotation { authority, refusal }.into()),
        }
    }

    /// Takes a step that may be taken: makes keys if it begins, records, saves.
    async fn take(&self, stored: Stored<AuthorityRecord>, step: Move<'_>) -> Result<Rotated, ClusterError> {
        let authority = step.request.authority;
        let present = stored.value.rotation;
        let (to, facts) = rotation::step(&present, step.event)
            .map_err(|refusal| Refusal::Rotation { authority, refusal })?;
        let mut writes = Vec::new();
        let mut incoming = None;
        if let Event::Begin { next } = step.event {
            let prepared = self.prepare(step.actor, authority, next).await?;
            writes = prepared.writes;
            incoming = Some((next, prepared.keys));
        }
        let rotation_id = match (&stored.value.course.rotation_id, step.event) {
            (Some(id), Event::Advance | Event::Rollback | Event::Distrust) => id.clone(),
            (_, Event::Begin { .. }) | (None, _) => {
                key::KeyId::from_random(sixteen(self.entropy.as_ref())?).to_string()
            }
        };
        let mut events = Vec::new();
        events.extend(self.override_event(&step, &rotation_id, &present, &to)?);
        events.extend(
            self.distrust_event(&step, &rotation_id, &stored.value, &to)
                .await?,
        );
        let (event_uid, changed) = self.journal.event(
            step.actor,
            phase_event(&step, &rotation_id, &present, &to, Outcome::Success),
        )?;
        events.push(changed);

        let mut record = stored.value;
        apply(&mut record, to, incoming, &rotation_id, &step, &facts, self.now());
        record.course.event_uid.clone_from(&event_uid);
        for (write, event) in self.retire_untrusted(step.actor, &mut record, &facts)? {
            writes.push(write);
            events.push(event);
        }
        let path = documents::path("authority", authority)?;
        writes.push(documents::put(path, Expect::At(stored.revision), &record)?);
        // Nothing can fail any more between the record of the step and the step but the save itself.
        self.journal.append(events).await?;
        self.save(&step, &rotation_id, &event_uid, &present, &to, writes)
            .await?;
        self.note_held(authority, None);
        self.refresh().await?;
        Ok(Rotated {
            authority,
            rotation_id,
            from: present.phase(),
            to: to.phase(),
            schedule: record.course.schedule,
            warnings: warnings(step.evidence.as_ref()),
        })
    }

    /// Saves a step; when somebody else was first, the log says that this one, and all that was announced with it, did not happen.
    async fn save(
        &self,
        step: &Move<'_>,
        rotation_id: &str,
        event_uid: &str,
        from: &Rotation,
        to: &Rotation,
        writes: Vec<Write>,
    ) -> Result<(), ClusterError> {
        let what = format!("{} authority", step.request.authority);
        let Err(error) = documents::commit(self.state.as_ref(), &what, writes).await else {
            return Ok(());
        };
        let words = format!("{error}; nothing that was recorded with {event_uid} happened");
        let failed = phase_event(step, rotation_id, from, to, Outcome::Failure(words));
        // The step did not happen; the error tells the caller even when the log cannot.
        if let Err(silent) = self.journal.record(step.actor, failed).await {
            tracing::error!(error = %silent, "a step that did not happen could not be recorded as such");
        }
        Err(error)
    }

    fn override_event(
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

    async fn distrust_event(
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
            authority,
            step: Step::To(Phase::Standby),
            reason: Some("its time has come".into()),
            override_reason: None,
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

    pub(crate) async fn load_authority(
        &self,
        authority: AuthorityType,
    ) -> Result<Stored<AuthorityRecord>, ClusterError> {
        let path = documents::path("authority", authority)?;
        let missing = || Refusal::NoUsableKey {
            authority,
            form: "",
            reason: "the authority does not exist yet; restart signetd".into(),
        };
        Ok(documents::load(self.state.as_ref(), &path)
            .await?
            .ok_or_else(missing)?)
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

fn phase_event(
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

/// Brings a record to its new state. The generations no longer trusted are taken out by `retire_untrusted`.
fn apply(
    record: &mut AuthorityRecord,
    to: Rotation,
    incoming: Option<(Generation, KeySet)>,
    rotation_id: &str,
    step: &Move<'_>,
    facts: &[Fact],
    now: UnixSeconds,
) {
    record.rotation = to;
    record.generations.extend(incoming);
    let course = &mut record.course;
    course.rotation_id = Some(rotation_id.to_owned());
    match to {
        Rotation::Standby { .. } => {
            if facts.iter().any(|fact| matches!(fact, Fact::Completed { .. })) {
                course.last_rotated = Some(now);
            }
            course.mode = None;
            course.started = None;
            course.grace_period = None;
            course.schedule = None;
        }
        Rotation::RollingBack { .. } => {
            course.mode = Some(Mode::Manual);
            course.schedule = None;
        }
        Rotation::Init { .. } => {
            course.mode = Some(step.mode);
            course.started = Some(now);
            course.grace_period = step.grace_period;
            course.schedule = step.schedule;
        }
        Rotation::UpdateClients { .. } | Rotation::UpdateServers { .. } => {
            course.mode = Some(step.mode);
            let at = now;
            course.schedule = step.schedule.map(|schedule| schedule.rebased(to.phase(), at));
            if step.mode == Mode::Manual {
                course.grace_period = None;
            }
        }
    }
}

fn warnings(evidence: Option<&Evidence>) -> Vec<String> {
    let words = |warning: &rotation::Warning| {
        let rotation::Warning {
            name,
            live: _,
            missing,
            cut_off,
        } = warning;
        let then = if *cut_off {
            "; it is cut off and has to join again"
        } else {
            "; it catches up when it returns"
        };
        format!("{name} {missing}{then}")
    };
    evidence.map_or_else(Vec::new, |evidence| {
        evidence.warnings().iter().map(words).collect()
    })
}

/// Why a generation left use.
pub(crate) fn reason_retired(facts: &[Fact], generation: Generation) -> &'static str {
    for fact in facts {
        match fact {
            Fact::Distrusted(gone) if *gone == generation => return "distrusted in an emergency",
            Fact::Abandoned(gone) if *gone == generation => return "abandoned by a rollback",
            Fact::Distrusted(_)
            | Fact::Abandoned(_)
            | Fact::Retired(_)
            | Fact::Begun { .. }
            | Fact::SignerChanged { .. }
            | Fact::ServersSwitched { .. }
            | Fact::Completed { .. }
            | Fact::RolledBack { .. } => {}
        }
    }
    "replaced by a rotation"
}
