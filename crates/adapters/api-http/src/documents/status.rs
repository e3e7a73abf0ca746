use api_types::AuthorityStatus;
use api_types::Custody;
use api_types::KeyRow;
use api_types::KeyUse;
use api_types::RotationState;
use api_types::RotationStatus;
use authority::KeyForm;
use cluster::AuthorityRecord;
use cluster::Cluster;
use cluster::Course;
use cluster::KeyLine;
use cluster::KeyPart;
use key::SpkiSha256;

use crate::documents::rotations;

/// An authority with its trusted keys.
pub(crate) fn authority(record: &AuthorityRecord) -> AuthorityStatus {
    AuthorityStatus {
        authority: record.authority.to_string(),
        rotation: rotation(record),
        keys: Cluster::key_lines(record).into_iter().map(key_row).collect(),
    }
}

/// Where an authority's rotation stands.
pub(crate) fn rotation(record: &AuthorityRecord) -> RotationStatus {
    let Course {
        rotation_id,
        mode,
        started,
        grace_period,
        schedule,
        last_rotated,
        event_uid: _,
    } = &record.course;
    let is_in_progress = record.rotation.is_in_progress();
    let mut status = RotationStatus {
        state: if is_in_progress {
            RotationState::InProgress
        } else {
            RotationState::Standby
        },
        phase: rotations::phase(record.rotation.phase()),
        mode: mode.map(rotations::mode),
        current_id: rotation_id.clone(),
        started: started.map(|at| at.to_string()),
        grace_period_seconds: grace_period.map(names::Ttl::seconds),
        schedule: schedule.as_ref().map(rotations::schedule),
        last_rotated: last_rotated.map(|at| at.to_string()),
        text: String::new(),
    };
    status.text = status.words();
    status
}

fn key_row(line: KeyLine) -> KeyRow {
    let KeyLine {
        part,
        generation,
        key,
        expires,
    } = line;
    KeyRow {
        protocol: key.form.protocol().to_owned(),
        status: match part {
            KeyPart::Active => KeyUse::Active,
            KeyPart::Trusted => KeyUse::Trusted,
        },
        algorithm: key.reference.algorithm.to_string(),
        storage: key.reference.backend.to_string(),
        key_id: key.reference.id.to_string(),
        generation: generation.number(),
        owner: key.owner,
        handle: key.reference.handle,
        public_key_sha256: key.reference.spki_sha256.to_string(),
        expires: expires.map(|at| at.to_string()),
    }
}

/// A pin as operators give it to whoever joins.
pub(crate) fn ca_pin(pin: &SpkiSha256) -> String {
    format!("sha256:{pin}")
}

/// A key that signs.
pub(crate) struct SigningKey {
    /// Whose it is.
    pub(crate) authority: authority::AuthorityType,
    /// What it signs.
    pub(crate) form: KeyForm,
    /// What holds it.
    pub(crate) storage: key::BackendKind,
    /// Whether it lives where new keys are made.
    pub(crate) is_preferred: bool,
}

/// Where keys are configured to live, and whether those that sign do. Judged key by key.
pub(crate) fn custody(configured: key::BackendKind, signing: &[SigningKey]) -> Custody {
    let mut elsewhere: Vec<(key::BackendKind, Vec<String>)> = Vec::new();
    for key in signing.iter().filter(|key| !key.is_preferred) {
        let name = format!("{} {}", key.authority, key.form.protocol());
        match elsewhere.iter_mut().find(|(storage, _)| *storage == key.storage) {
            Some((_, names)) => names.push(name),
            None => elsewhere.push((key.storage, vec![name])),
        }
    }
    let summary = if elsewhere.is_empty() {
        format!("all {} signing keys live where configured", signing.len())
    } else {
        let count = signing.iter().filter(|key| !key.is_preferred).count();
        let groups: Vec<String> = elsewhere
            .iter()
            .map(|(storage, names)| format!("{storage}: {}", names.join(", ")))
            .collect();
        format!(
            "{count} of {} signing keys live elsewhere ({})",
            signing.len(),
            groups.join("; ")
        )
    };
    Custody {
        configured: configured.to_string(),
        summary,
    }
}

#[cfg(test)]
mod tests;
