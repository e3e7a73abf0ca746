//! Finding keys in a token and reading what is public about them.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key::{KeyAlgorithm, KeyRef, PublicKey, SpkiSha256};
use keystore::{KeyAttributes, KeyError};

use crate::mechanisms::key_type;
use crate::quiet;
use crate::seat::Open;
use crate::token::Failure;

/// A key looked for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) id: Vec<u8>,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) spki_sha256: SpkiSha256,
}

impl Target {
    /// What a reference names; `None` where its handle is no `CKA_ID` in hexadecimal.
    pub(crate) fn of(reference: &KeyRef) -> Option<Self> {
        let id = hex::decode(&reference.handle).ok().filter(|id| !id.is_empty())?;
        Some(Self {
            id,
            algorithm: reference.algorithm,
            spki_sha256: reference.spki_sha256,
        })
    }

    pub(crate) fn not_found(&self, store: &str) -> KeyError {
        KeyError::NotFound {
            store: store.to_owned(),
            handle: hex::encode(&self.id),
        }
    }

    fn mismatch(&self, store: &str, found: impl Into<String>) -> KeyError {
        KeyError::Mismatch {
            store: store.to_owned(),
            handle: hex::encode(&self.id),
            expected: self.spki_sha256,
            found: found.into(),
        }
    }
}

/// The private key that is the one referred to, and its public key: nothing else has the id, and its public key is the
/// expected one.
pub(crate) fn find(
    session: &Session,
    store: &str,
    target: &Target,
) -> Result<(ObjectHandle, PublicKey), Failure> {
    find_all(session, store, target).map(|(private, _, public)| (private, public))
}

/// As [`find`]; the objects beside the first are the same key once more.
pub(crate) fn find_all(
    session: &Session,
    store: &str,
    target: &Target,
) -> Result<(ObjectHandle, Vec<ObjectHandle>, PublicKey), Failure> {
    let found = with_id(session, ObjectClass::PRIVATE_KEY, &target.id)?;
    let (private, others) = match found.as_slice() {
        [] => return Err(Failure::Missing(target.not_found(store))),
        [one] => (*one, Vec::new()),
        [first, others @ ..] if are_one_key(session, &found, target)? => (*first, others.to_vec()),
        several => {
            return Err(Failure::Final(
                target.mismatch(store, format!("{} keys of one id", several.len())),
            ));
        }
    };
    let facts = facts(session, private)?;
    if facts.key_type != Some(key_type(target.algorithm)) {
        return Err(Failure::Final(target.mismatch(store, "a key of another type")));
    }
    match public_key(session, private, &target.id, facts.key_type)? {
        Some(public) if public.spki_sha256() == target.spki_sha256 => Ok((private, others, public)),
        Some(other) => Err(Failure::Final(
            target.mismatch(store, other.spki_sha256().to_string()),
        )),
        None => Err(Failure::Final(target.mismatch(store, "one that cannot be read"))),
    }
}

/// Whether private objects of one id are one key: each says by itself that its public key is the expected one.
///
/// A key may have been copied, and opencryptoki gives one object two handles when two sessions look for it at the same time.
/// Objects that do not tell their public key, or tell another, are several keys, and none of them is used.
fn are_one_key(session: &Session, objects: &[ObjectHandle], target: &Target) -> Result<bool, Failure> {
    for object in objects {
        let public = read_public(session, *object, Some(key_type(target.algorithm)))?;
        if public.is_none_or(|public| public.spki_sha256() != target.spki_sha256) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As [`find`], remembering the handle for the life of the session.
pub(crate) fn find_once(open: &mut Open, target: &Target) -> Result<ObjectHandle, Failure> {
    let name = (target.id.clone(), target.spki_sha256);
    if let Some(handle) = open.objects.get(&name) {
        return Ok(*handle);
    }
    let _quiet = quiet::looking();
    let (handle, _) = find(&open.session, &open.store, target)?;
    open.objects.insert(name, handle);
    Ok(handle)
}

/// All objects of a class with this `CKA_ID`.
pub(crate) fn with_id(session: &Session, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Error> {
    session.find_objects(&[Attribute::Class(class), Attribute::Id(id.to_vec())])
}

/// What tells one private key from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: Vec<u8>,
    pub(crate) label: String,
    pub(crate) key_type: Option<KeyType>,
    pub(crate) signs: bool,
}

/// Reads them.
pub(crate) fn facts(session: &Session, object: ObjectHandle) -> Result<Facts, Error> {
    let wanted = [
        AttributeType::Id,
        AttributeType::Label,
        AttributeType::KeyType,
        AttributeType::Sign,
    ];
    let mut facts = Facts::default();
    for attribute in session.get_attributes(object, &wanted)? {
        if let Attribute::Id(id) = attribute {
            facts.id = id;
        } else if let Attribute::Label(label) = attribute {
            String::from_utf8_lossy(&label)
                .trim_end_matches('\0')
                .clone_into(&mut facts.label);
        } else if let Attribute::KeyType(kind) = attribute {
            facts.key_type = Some(kind);
        } else if let Attribute::Sign(signs) = attribute {
            facts.signs = signs;
        }
    }
    Ok(facts)
}

/// What keeps a private key in, as the token says.
pub(crate) fn custody(session: &Session, private: ObjectHandle) -> Result<KeyAttributes, Error> {
    let wanted = [
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
        AttributeType::Local,
    ];
    let (mut sensitive, mut always_sensitive, mut extractable, mut never_extractable, mut local) =
        (None, None, None, None, None);
    // One at a time: some tokens answer a list with an attribute they do not know by an error and nothing else.
    for kind in wanted {
        for attribute in optional(session.get_attributes(private, &[kind]))? {
            if let Attribute::Sensitive(value) = attribute {
                sensitive = Some(value);
            } else if let Attribute::AlwaysSensitive(value) = attribute {
                always_sensitive = Some(value);
            } else if let Attribute::Extractable(value) = attribute {
                extractable = Some(value);
            } else if let Attribute::NeverExtractable(value) = attribute {
                never_extractable = Some(value);
            } else if let Attribute::Local(value) = attribute {
                local = Some(value);
            }
        }
    }
    Ok(KeyAttributes::Token {
        // What a token does not say counts against it.
        sensitive: sensitive.unwrap_or(false),
        always_sensitive,
        extractable: extractable.unwrap_or(true),
        never_extractable,
        local,
    })
}

/// The public key that belongs to a private one: from the public object of the same id, or from the private object where
/// there is none. `None` where neither tells.
pub(crate) fn public_key(
    session: &Session,
    private: ObjectHandle,
    id: &[u8],
    kind: Option<KeyType>,
) -> Result<Option<PublicKey>, Failure> {
    let mut keys = Vec::new();
    for object in with_id(session, ObjectClass::PUBLIC_KEY, id)? {
        keys.extend(read_public(session, object, kind)?);
    }
    keys.dedup();
    match keys.len() {
        0 => Ok(read_public(session, private, kind)?),
        1 => Ok(keys.pop()),
        // Two different public keys of one id: no telling which is the private key's.
        _ => Ok(None),
    }
}

/// Reads a public key from an object of this key type.
pub(crate) fn read_public(
    session: &Session,
    object: ObjectHandle,
    kind: Option<KeyType>,
) -> Result<Option<PublicKey>, Error> {
    let wanted = match kind {
        Some(KeyType::RSA) => vec![AttributeType::Modulus, AttributeType::PublicExponent],
        Some(KeyType::EC | KeyType::EC_EDWARDS) => vec![AttributeType::EcPoint],
        Some(_) | None => return Ok(None),
    };
    let (mut modulus, mut exponent, mut point) = (None, None, None);
    for attribute in optional(session.get_attributes(object, &wanted))? {
        if let Attribute::Modulus(value) = attribute {
            modulus = Some(value);
        } else if let Attribute::PublicExponent(value) = attribute {
            exponent = Some(value);
        } else if let Attribute::EcPoint(value) = attribute {
            point = Some(value);
        }
    }
    Ok(match (modulus, exponent, point) {
        (Some(modulus), Some(exponent), _) => PublicKey::from_rsa(&modulus, &exponent).ok(),
        (_, _, Some(point)) if kind == Some(KeyType::EC) => {
            PublicKey::from_ec_point(unwrap_point(&point)).ok()
        }
        (_, _, Some(point)) => PublicKey::from_ed25519(unwrap_point(&point)).ok(),
        _ => None,
    })
}

/// Attributes that an object does not have, or does not show, are no failure.
fn optional(read: Result<Vec<Attribute>, Error>) -> Result<Vec<Attribute>, Error> {
    match read {
        Err(Error::Pkcs11(RvError::AttributeTypeInvalid | RvError::AttributeSensitive, _)) => Ok(Vec::new()),
        other => other,
    }
}

/// `CKA_EC_POINT` is a DER `OCTET STRING` around the point by the standard; some tokens leave the wrapping off. An
/// uncompressed point begins with the same byte as the wrapping, so the length decides.
fn unwrap_point(bytes: &[u8]) -> &[u8] {
    match bytes {
        raw if matches!(raw.len(), 32 | 65 | 97 | 133) => raw,
        [0x04, length, content @ ..] if *length < 0x80 && usize::from(*length) == content.len() => content,
        [0x04, 0x81, length, content @ ..] if usize::from(*length) == content.len() => content,
        raw => raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_taken_wrapped_and_raw() {
        for (length, prefix) in [
            (65, &[0x04, 65][..]),
            (97, &[0x04, 97]),
            (133, &[0x04, 0x81, 133]),
        ] {
            let mut point = vec![0x11; length];
            point[0] = 0x04;
            assert_eq!(unwrap_point(&point), point);
            assert_eq!(unwrap_point(&[prefix, &point].concat()), point);
        }
        // Whatever an Ed25519 key begins with, 32 bytes are the key and 34 are wrapped.
        for start in [[0x04, 0x1e], [0x04, 0x20], [0x04, 0x81]] {
            let mut key = vec![0x22; 32];
            key[..2].copy_from_slice(&start);
            assert_eq!(unwrap_point(&[&[0x04, 0x20][..], &key].concat()), key);
        }
    }
}
