//! Rotation: loads, asks the pure machine, records, saves by compare-and-swap.

use audit::Actor;
use audit::Outcome;
use authority::AuthorityType;
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
use crate::announce::phase_event;
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
    /// The names of those who were seen not to be ready when that was decided, when it was decided about them alone.
    pub override_only: Option<Vec<String>>,
}

impl RotateRequest {
    /// A step without a word on why, and without an override.
    #[must_use]
    pub const fn new(authority: AuthorityType, step: Step) -> Self {
        Self {
            authority,
            step,
            reason: None,
            override_reason: None,
            override_only: None,
        }
    }
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
    /// What the step rested on; nothing where none is asked for (to begin, to roll back, to distrust).
    pub evidence: Option<Evidence>,
    /// Unexpired certificates that stopped being trusted with this step: in words.
    pub cut_off: Vec<String>,
}

/// Everything one step needs to know and leaves behind.
pub(crate) struct Move<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) request: &'a RotateRequest,
    pub(crate) event: Event,
    pub(crate) mode: Mode,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) grace_period: Option<Ttl>,
    pub(crate) evidence: Option<Evidence>,
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
    pub(crate) async fn evidence(
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
                let decided = rotation::Override::new(who, why.clone()).map_err(refused)?;
                Some(match &request.override_only {
                    Some(seen) => decided.only_over(seen.iter().cloned()),
                    None => decided,
                })
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
    pub(crate) async fn take(
        &self,
        stored: Stored<AuthorityRecord>,
        step: Move<'_>,
    ) -> Result<Rotated, ClusterError> {
        let authority = step.request.authority;
        let present = stored.value.rotation;
        let (to, facts) = rotation::step(&present, step.event)
            .map_err(|refusal| Refusal::Rotation { authority, refusal })?;
        let is_ending = !to.is_in_progress();
        let cut_off = if is_ending {
            self.dependants(authority).await?
        } else {
            Vec::new()
        };
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
            evidence: step.evidence,
            cut_off,
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
