//! Making a key pair that stays in its token, once.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key::{KeyAlgorithm, KeyId, PublicKey, Signature};
use keystore::{KeyAttributes, KeyError};

use crate::mechanisms::{generation, key_type, parameters, signing, to_be_signed};
use crate::objects::{Facts, custody, facts, public_key, read_public, with_id};
use crate::recovery::blames_template;
use crate::seat::Open;
use crate::token::Failure;

const OPERATION: &str = "generate a key";
/// What a new key signs once, to show that both halves belong together.
const CHALLENGE: &[u8] = b"signet: both halves of this key pair belong together";
/// Ids of two bytes worth trying before giving up.
const SHORT_IDS_TRIED_MAX: u16 = 256;

/// A key pair to make.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: KeyId,
    pub(crate) label: String,
    pub(crate) algorithm: KeyAlgorithm,
    /// The token keeps only two bytes of an id (YubiHSM 2).
    pub(crate) has_short_ids: bool,
}

/// A key pair in the token.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: Vec<u8>,
    pub(crate) public_key: PublicKey,
}

struct Pair {
    public: Option<ObjectHandle>,
    private: ObjectHandle,
}

/// Makes the key pair, or finds it where an earlier call made it. Begun again after a failure it does not make another.
pub(crate) fn generate(open: &Open, order: &Order) -> Result<Made, Failure> {
    let _quiet = crate::quiet::making();
    let id = free_or_ours(open, order)?;
    if let Some(public_key) = finish_earlier(open, order, &id)? {
        return Ok(Made { id, public_key });
    }
    tracing::debug!(label = %order.label, id = %hex::encode(&id), algorithm = %order.algorithm, "generating a key pair in the token");
    let pair = make(open, order, &id)?;
    match accept(open, order, &id, pair.private) {
        Ok(public_key) => Ok(Made { id, public_key }),
        Err(failure) => {
            // Not fit for use: leave nothing behind that could be taken for it.
            remove(&open.session, pair.private)?;
            if let Some(public) = pair.public {
                remove(&open.session, public)?;
            }
            Err(failure)
        }
    }
}

/// The `CKA_ID`: our 16 bytes, or two bytes derived from them that nobody else uses, whatever the label.
fn free_or_ours(open: &Open, order: &Order) -> Result<Vec<u8>, Failure> {
    if !order.has_short_ids {
        return Ok(order.id.as_bytes().to_vec());
    }
    for id in short_ids(&order.id) {
        let mut is_ours_or_free = true;
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            for object in with_id(&open.session, class, &id)? {
                is_ours_or_free &= facts(&open.session, object)?.label == order.label;
            }
        }
        if is_ours_or_free {
            return Ok(id.to_vec());
        }
    }
    let reason = format!("no id of two bytes is free among the {SHORT_IDS_TRIED_MAX} tried");
    Err(Failure::Final(KeyError::fault(&open.store, OPERATION, reason)))
}

/// Ids from `0001` to `fffe`, beginning at a place the key's own id tells, so that a second call tries the same ones.
fn short_ids(id: &KeyId) -> impl Iterator<Item = [u8; 2]> {
    let [first, second, ..] = *id.as_bytes();
    let start = u16::from_be_bytes([first, second]) % 0xfffe;
    (0..SHORT_IDS_TRIED_MAX).map(move |step| {
        let number = (u32::from(start) + u32::from(step)) % 0xfffe + 1;
        u16::try_from(number).unwrap_or(1).to_be_bytes()
    })
}

/// What an interrupted call left under the id: a whole key is taken over, a half-made one is removed.
fn finish_earlier(open: &Open, order: &Order, id: &[u8]) -> Result<Option<PublicKey>, Failure> {
    let session = &open.session;
    let private = match with_id(session, ObjectClass::PRIVATE_KEY, id)?.as_slice() {
        [] => None,
        [one] => Some(*one),
        several => {
            return Err(taken(
                open,
                id,
                &format!("{} keys have it already", several.len()),
            ));
        }
    };
    let is_ours = |facts: &Facts| facts.label == order.label;
    if let Some(private) = private {
        let known = facts(session, private)?;
        if !is_ours(&known) || known.key_type != Some(key_type(order.algorithm)) {
            return Err(taken(
                open,
                id,
                &format!("a key labelled {:?} has it", known.label),
            ));
        }
        match public_key(session, private, id, known.key_type)? {
            Some(key) if key.algorithm() == order.algorithm => {
                return accept(open, order, id, private).map(Some);
            }
            Some(key) => return Err(taken(open, id, &format!("it is a key of {}", key.algorithm()))),
            None => remove(session, private)?,
        }
    } else {
        // Never take a key we cannot see for one that is not there.
        open.must_see_everything()?;
    }
    for public in with_id(session, ObjectClass::PUBLIC_KEY, id)? {
        if !is_ours(&facts(session, public)?) {
            return Err(taken(open, id, "somebody else's public key has it"));
        }
        remove(session, public)?;
    }
    Ok(None)
}

fn taken(open: &Open, id: &[u8], why: &str) -> Failure {
    let reason = format!("the id {} is taken: {why}; nothing was changed", hex::encode(id));
    Failure::Final(KeyError::fault(&open.store, OPERATION, reason))
}

/// Asks for the key with all that should be said about it, then with less where the token will not hear of it. What came
/// of it is checked afterwards, in [`accept`].
fn make(open: &Open, order: &Order, id: &[u8]) -> Result<Pair, Failure> {
    let mechanism = generation(order.algorithm);
    let mut refused = None;
    for detail in [Detail::Full, Detail::Plain, Detail::Least] {
        for parameters in parameters(order.algorithm) {
            let (public, private) = templates(order, id, parameters, detail);
            match open.session.generate_key_pair(&mechanism, &public, &private) {
                Ok((public, private)) => {
                    return Ok(Pair {
                        public: Some(public),
                        private,
                    });
                }
                Err(Error::Pkcs11(value, function)) if blames_template(value) => {
                    tracing::debug!(?detail, ?value, "the token refused a key template");
                    refused.get_or_insert(Error::Pkcs11(value, function));
                }
                Err(error) => return Err(Failure::Call(error)),
            }
        }
    }
    Err(refused.map_or_else(
        || Failure::Final(KeyError::fault(&open.store, OPERATION, "no template")),
        Failure::Call,
    ))
}

/// How much a template says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Everything, and that the key serves to sign and nothing else.
    Full,
    /// That it stays in the token, and signs.
    Plain,
    /// What the token cannot guess; the rest is its own custom.
    Least,
}

fn templates(
    order: &Order,
    id: &[u8],
    parameters: Vec<Attribute>,
    detail: Detail,
) -> (Vec<Attribute>, Vec<Attribute>) {
    let named = [
        Attribute::Token(true),
        Attribute::Id(id.to_vec()),
        Attribute::Label(order.label.clone().into_bytes()),
    ];
    let (mut public, mut private) = (named.to_vec(), named.to_vec());
    public.extend(parameters);
    if detail != Detail::Least {
        public.push(Attribute::Verify(true));
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
    }
    if detail == Detail::Full {
        public.extend([
            Attribute::Private(false),
            Attribute::Encrypt(false),
            Attribute::Wrap(false),
        ]);
        private.extend([
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
    }
    (public, private)
}

/// Checks that the private key cannot leave, that its public key is readable and of the right kind, and that they belong
/// together.
fn accept(open: &Open, order: &Order, id: &[u8], private: ObjectHandle) -> Result<PublicKey, Failure> {
    let session = &open.session;
    if let Some(reason) = way_out(custody(session, private)?) {
        return Err(Failure::Final(KeyError::NotKept {
            store: open.store.clone(),
            reason: reason.to_owned(),
        }));
    }
    let fault = |reason: String| Failure::Final(KeyError::fault(&open.store, OPERATION, reason));
    let kind = Some(key_type(order.algorithm));
    let key = public_key(session, private, id, kind)?
        .ok_or_else(|| fault("the public key of the new key cannot be read".into()))?;
    if key.algorithm() != order.algorithm {
        return Err(fault(format!(
            "the token made {} instead of {}",
            key.algorithm(),
            order.algorithm
        )));
    }
    let scheme = order.algorithm.default_scheme();
    let mechanism: Mechanism<'_> = signing(scheme);
    let raw = session.sign(&mechanism, private, &to_be_signed(scheme, CHALLENGE))?;
    let signature = Signature::from_raw(scheme, raw).map_err(|error| fault(error.to_string()))?;
    key.verify(CHALLENGE, &signature)
        .map_err(|error| fault(error.to_string()))?;
    Ok(key)
}

/// Which attribute lets the key out, if one does.
fn way_out(attributes: KeyAttributes) -> Option<&'static str> {
    match attributes {
        KeyAttributes::Token { sensitive: false, .. } => Some("CKA_SENSITIVE is false"),
        KeyAttributes::Token {
            extractable: true, ..
        } => Some("CKA_EXTRACTABLE is true"),
        KeyAttributes::Token {
            always_sensitive: Some(false),
            ..
        } => Some("CKA_ALWAYS_SENSITIVE is false"),
        KeyAttributes::Token {
            never_extractable: Some(false),
            ..
        } => Some("CKA_NEVER_EXTRACTABLE is false"),
        KeyAttributes::Token { .. } => None,
        KeyAttributes::AssertedByApi | KeyAttributes::Sealed => Some("it is no key of a token"),
    }
}

/// Removes the public objects of an id that hold this public key, and no others.
pub(crate) fn remove_public(
    session: &Session,
    id: &[u8],
    algorithm: KeyAlgorithm,
    is_it: impl Fn(&PublicKey) -> bool,
) -> Result<(), Failure> {
    for object in with_id(session, ObjectClass::PUBLIC_KEY, id)? {
        let key = read_public(session, object, Some(key_type(algorithm)))?;
        if key.is_some_and(|key| is_it(&key)) {
            remove(session, object)?;
        }
    }
    Ok(())
}

/// Destroys an object; one already gone is gone.
pub(crate) fn remove(session: &Session, object: ObjectHandle) -> Result<(), Failure> {
    match session.destroy_object(object) {
        Ok(()) | Err(Error::Pkcs11(cryptoki::error::RvError::ObjectHandleInvalid, _)) => Ok(()),
        Err(error) => Err(Failure::Call(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn short_ids_stay_in_range_and_repeat() {
        for start in [[0, 0], [0xff, 0xfd], [0xff, 0xff], [0x12, 0x34]] {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&start);
            let id = KeyId::from_random(bytes);
            let ids: Vec<_> = short_ids(&id).collect();
            assert_eq!(ids, short_ids(&id).collect::<Vec<_>>());
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
            assert!(
                ids.iter()
                    .all(|id| (1..=0xfffe).contains(&u16::from_be_bytes(*id)))
            );
        }
    }

    #[test]
    fn any_way_out_is_seen() {
        let kept = KeyAttributes::Token {
            sensitive: true,
            always_sensitive: Some(true),
            extractable: false,
            never_extractable: None,
            local: Some(false),
        };
        assert_eq!(way_out(kept), None);
        for (sensitive, always, extractable, never) in [
            (false, Some(true), false, Some(true)),
            (true, Some(false), false, Some(true)),
            (true, Some(true), true, Some(true)),
            (true, Some(true), false, Some(false)),
        ] {
            let open = KeyAttributes::Token {
                sensitive,
                always_sensitive: always,
                extractable,
                never_extractable: never,
                local: Some(true),
            };
            assert!(way_out(open).is_some(), "{open:?}");
        }
    }
}
