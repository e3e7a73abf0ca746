use std::collections::BTreeMap;

use api_types::KeyState;
use api_types::KeyVerdict;
use api_types::SweepAnswer;
use api_types::SweepRow;
use cluster::Fate;
use cluster::KeyDetail;
use cluster::KeyStatus;
use cluster::SweepVerdict;
use cluster::Swept;
use key::BackendKind;
use keystore::KeyAttributes;
use names::UnixSeconds;

/// A key with everything known of it.
pub(crate) fn detail(detail: &KeyDetail) -> api_types::KeyDetail {
    let KeyDetail {
        authority,
        generation,
        status,
        key,
        fate,
        used,
        attributes,
    } = detail;
    let (destroy_after, fate_words) = match fate {
        None => (None, None),
        Some(Fate::Quarantined { destroy_after }) => (Some(destroy_after.to_string()), None),
        Some(Fate::Destroying { since }) => (None, Some(format!("being destroyed since {since}"))),
        Some(Fate::Held { since }) => (
            None,
            Some(format!("restored {since}; kept until it is retired again")),
        ),
        Some(Fate::Destroyed { at }) => (None, Some(format!("destroyed {at}"))),
    };
    let (attributes, silence) = match attributes {
        Ok(attributes) => (attribute_words(*attributes), None),
        Err(words) => (
            BTreeMap::new(),
            (*status != KeyStatus::Destroyed).then(|| words.clone()),
        ),
    };
    let unknown = (*status == KeyStatus::Unknown)
        .then(|| "it carries this cluster's label, but no document names it: what an interrupted preparation left, or a restored backup forgot".to_owned());
    let notes: Vec<String> = [fate_words, unknown, silence].into_iter().flatten().collect();
    api_types::KeyDetail {
        id: key.reference.id.to_string(),
        authority: Some(authority.to_string()),
        protocol: Some(key.form.protocol().to_owned()),
        generation: Some(generation.number()),
        status: state(*status),
        algorithm: key.reference.algorithm.to_string(),
        backend: key.reference.backend.to_string(),
        store: key.reference.store.clone(),
        handle: key.reference.handle.clone(),
        owner: key.owner.clone(),
        made_at: (key.made_at > UnixSeconds(0)).then(|| key.made_at.to_string()),
        last_used: used.map(|used| used.last.to_string()),
        attributes,
        public_key_sha256: key.reference.spki_sha256.to_string(),
        destroy_after,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

const fn state(status: KeyStatus) -> KeyState {
    match status {
        KeyStatus::Active => KeyState::Active,
        KeyStatus::Incoming => KeyState::Incoming,
        KeyStatus::Outgoing => KeyState::Outgoing,
        KeyStatus::Quarantined => KeyState::Quarantined,
        KeyStatus::Held => KeyState::Held,
        KeyStatus::Destroyed => KeyState::Destroyed,
        KeyStatus::Unknown => KeyState::Unknown,
    }
}

/// What keeps a key in, name by name.
fn attribute_words(attributes: KeyAttributes) -> BTreeMap<String, String> {
    let custody = |words: &str| BTreeMap::from([("custody".to_owned(), words.to_owned())]);
    match attributes {
        KeyAttributes::Sealed => custody("sealed"),
        KeyAttributes::AssertedByApi => custody("asserted by the API"),
        KeyAttributes::Token {
            sensitive,
            always_sensitive,
            extractable,
            never_extractable,
            local,
        } => {
            let told =
                |value: Option<bool>| value.map_or_else(|| "not told".to_owned(), |value| value.to_string());
            BTreeMap::from([
                ("sensitive".to_owned(), sensitive.to_string()),
                ("always_sensitive".to_owned(), told(always_sensitive)),
                ("extractable".to_owned(), extractable.to_string()),
                ("never_extractable".to_owned(), told(never_extractable)),
                ("local".to_owned(), told(local)),
            ])
        }
    }
}

/// What a key proved, and how long that took.
pub(crate) fn verdict(verdict: cluster::KeyVerdict, micros: u64) -> KeyVerdict {
    let cluster::KeyVerdict {
        id,
        public_key_matches,
        challenge_signed,
        error,
    } = verdict;
    KeyVerdict {
        id: id.to_string(),
        ok: public_key_matches && challenge_signed,
        public_key_matches,
        challenge_signed,
        error,
        micros,
    }
}

/// What a sweep did, or would do.
pub(crate) fn sweep(swept: &[Swept], dry_run: bool) -> SweepAnswer {
    SweepAnswer {
        dry_run,
        keys: swept.iter().map(sweep_row).collect(),
    }
}

fn sweep_row(swept: &Swept) -> SweepRow {
    let Swept {
        id,
        authority,
        generation,
        locator,
        verdict,
    } = swept;
    let (prefix, handle) = locator.split_once(':').unwrap_or(("", locator));
    let backend = match prefix {
        "software" => BackendKind::Software.as_str(),
        "pkcs11" => BackendKind::Pkcs11.as_str(),
        "awskms" => BackendKind::AwsKms.as_str(),
        other => other,
    };
    let (destroyed, destroy_after, reason) = match verdict {
        SweepVerdict::Waits(until) => (
            false,
            Some(until.to_string()),
            format!("its quarantine lasts until {until}"),
        ),
        SweepVerdict::Held => (false, None, "it is held until it is retired again".to_owned()),
        SweepVerdict::Destroyed => (true, None, "its quarantine has passed".to_owned()),
        SweepVerdict::WouldBeDestroyed => (true, None, "its quarantine has passed".to_owned()),
        SweepVerdict::Kept(why) => (false, None, format!("kept: {why}")),
    };
    SweepRow {
        id: id.to_string(),
        authority: Some(authority.to_string()),
        backend: backend.to_owned(),
        handle: handle.to_owned(),
        destroy_after,
        destroyed,
        reason: format!("{reason} (generation {generation})"),
    }
}

#[cfg(test)]
mod tests;
