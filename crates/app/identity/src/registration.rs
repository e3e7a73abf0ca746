//! A new second factor: what is shown, and how it proves itself before it counts.

use authn::QrPicture;
use authn::Step;
use authn::TotpSeed;
use names::UnixSeconds;
use names::UserName;
use serde_json::Value;
use state::Expect;
use state::Write;
use uuid::Uuid;
use webauthn_rs::prelude::SecurityKey;
use zeroize::Zeroizing;

use crate::FactorKind;
use crate::IdentityError;
use crate::Refusal;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::path;
use crate::documents::put;
use crate::factor::seed_context;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::login::CHALLENGE_TTL;
use crate::records::Ceremony;
use crate::records::Challenge;
use crate::records::Device;
use crate::records::Proof;
use crate::records::Under;

/// The longest name of a device, in characters.
const NAME_MAX: usize = 64;

/// A second factor that waits for its proof.
pub struct Offer {
    /// The id to answer under.
    pub challenge: String,
    /// When it ends.
    pub expires: UnixSeconds,
    /// For one-time codes.
    pub totp: Option<TotpOffer>,
    /// What to ask the browser's `navigator.credentials.create`: `{"publicKey": …}`.
    pub webauthn: Option<Value>,
}

/// The seed of one-time codes, shown once.
pub struct TotpOffer {
    /// The address that applications read.
    pub url: Zeroizing<String>,
    /// The seed as people type it.
    pub secret: Zeroizing<String>,
    /// The address as a picture.
    pub qr: QrPicture,
}

/// The proof of a new second factor. Cannot be printed.
pub enum Answer {
    /// The code the application shows now.
    Totp(Zeroizing<String>),
    /// What the browser answered, as JSON.
    Webauthn(Value),
}

impl Identity {
    /// Begins a registration, together with what is used up by it.
    pub(crate) async fn begin_registration(
        &self,
        user: &UserName,
        kind: FactorKind,
        under: Under,
        handle: Uuid,
        present: &[SecurityKey],
        used_up: Vec<Write>,
    ) -> Result<Offer, IdentityError> {
        if !self.allows(kind) {
            return Err(Refusal::FactorNotAllowed(kind.as_str()).into());
        }
        let device = hex::encode(self.random::<8>()?);
        let mut offer = Offer {
            challenge: hex::encode(self.random::<16>()?),
            expires: self.now().plus(CHALLENGE_TTL),
            totp: None,
            webauthn: None,
        };
        let ceremony = match (kind, &self.keys) {
            (FactorKind::Webauthn, Some(keys)) => {
                let (question, webauthn) = keys.begin_registration(user, handle, present)?;
                offer.webauthn = Some(question);
                Ceremony::WebauthnRegistration {
                    device,
                    handle,
                    webauthn: Box::new(webauthn),
                    under,
                }
            }
            (FactorKind::Webauthn, None) => return Err(Refusal::FactorNotAllowed(kind.as_str()).into()),
            (FactorKind::Totp, _) => {
                let seed = TotpSeed::from_random(*Zeroizing::new(self.random::<20>()?));
                offer.totp = Some(self.shown(user, &seed)?);
                let seed = self.seal.seal(&seed_context(user, &device), seed.expose())?;
                Ceremony::TotpRegistration { device, seed, under }
            }
        };
        let challenge = Challenge {
            claim: Claim::new(user.as_str()).segment,
            expires: offer.expires,
            ceremony,
        };
        let key = path(&format!("identity/challenge/{}", offer.challenge))?;
        let mut writes = used_up;
        writes.push(put(key, Expect::Absent, &challenge, Some(offer.expires))?);
        if commit(self.state.as_ref(), writes).await? {
            Ok(offer)
        } else {
            Err(Refusal::Conflict(user.clone()).into())
        }
    }

    fn shown(&self, user: &UserName, seed: &TotpSeed) -> Result<TotpOffer, IdentityError> {
        let url = seed.otpauth_url(self.cluster.name().as_str(), user.as_str());
        let qr = QrPicture::draw(&url)
            .ok_or_else(|| IdentityError::Internal("the names are too long for a QR code".to_owned()))?;
        Ok(TotpOffer {
            secret: seed.base32(),
            url,
            qr,
        })
    }

    /// The new second factor, when it proved itself. Answers also the handle a key was registered under.
    pub(crate) fn finish_registration(
        &self,
        user: &UserName,
        challenge: &Stored<Challenge>,
        under: &Under,
        answer: Answer,
        name: &str,
    ) -> Result<(Device, Option<Uuid>), IdentityError> {
        let now = self.now();
        let ceremony = challenge.value.as_ref().map(|challenge| &challenge.ceremony);
        let (id, handle, proof) = match (ceremony, answer) {
            (
                Some(Ceremony::TotpRegistration {
                    device,
                    seed,
                    under: begun,
                }),
                Answer::Totp(code),
            ) if begun == under => {
                let opened = self.open_seed(user, device, seed)?;
                let step: Step = opened.accept(&code, now, None).ok_or(Refusal::SecondFactorRefused(
                    "the code is not the one the application should show now; check the clock of the device",
                ))?;
                let proof = Proof::Totp {
                    seed: seed.clone(),
                    last_used: Some(step),
                };
                (device, None, proof)
            }
            (
                Some(Ceremony::WebauthnRegistration {
                    device,
                    handle,
                    webauthn,
                    under: begun,
                }),
                Answer::Webauthn(answer),
            ) if begun == under => {
                let keys = self.keys.as_ref();
                let key = keys
                    .and_then(|keys| keys.finish_registration(answer, webauthn))
                    .ok_or(Refusal::SecondFactorRefused(
                        "the key's answer does not belong to this page or this question; start again",
                    ))?;
                (device, Some(*handle), Proof::Webauthn { key: Box::new(key) })
            }
            (
                Some(
                    Ceremony::Authentication { .. }
                    | Ceremony::TotpRegistration { .. }
                    | Ceremony::WebauthnRegistration { .. },
                )
                | None,
                Answer::Totp(_) | Answer::Webauthn(_),
            ) => return Err(Refusal::ChallengeGone.into()),
        };
        let device = Device {
            id: id.clone(),
            name: device_name(name, proof.kind())?,
            added: now,
            used: None,
            proof,
        };
        Ok((device, handle))
    }
}

/// What the owner calls it; what it is when nothing was said.
fn device_name(text: &str, kind: FactorKind) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(kind.as_str().to_owned());
    }
    if text.chars().count() > NAME_MAX || text.contains(char::is_control) {
        return Err(Refusal::Malformed {
            field: "device_name",
            problem: "is longer than 64 characters or has a control character".to_owned(),
        });
    }
    Ok(text.to_owned())
}
