//! What users change about themselves, and what operators see and take away.

use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use authn::Bearer;
use authn::Password;
use authn::RecoveryCode;
use authn::RecoveryCodeHash;
use authn::check_new_password;
use names::UnixSeconds;
use names::UserName;
use state::Write;

use crate::Answer;
use crate::FactorKind;
use crate::IdentityError;
use crate::Offer;
use crate::PrivilegedAct;
use crate::ProofPurpose;
use crate::Refusal;
use crate::ShownProof;
use crate::documents::Stored;
use crate::documents::commit;
use crate::documents::load;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::records::Challenge;
use crate::records::Credentials;
use crate::records::Device;
use crate::records::Under;
use crate::records::user_path;
use crate::settle::forget_attempts;

/// The most second factors of a user.
const DEVICES_MAX: usize = 10;

/// What a user sees of his own credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The second factors, oldest first.
    pub devices: Vec<DeviceView>,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
    /// When the password was set.
    pub password_changed: UnixSeconds,
}

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is.
    pub kind: FactorKind,
    /// When it was added.
    pub added: UnixSeconds,
    /// When it was last used to log in.
    pub used: Option<UnixSeconds>,
}

/// How a user's credentials stand, for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialStatus {
    /// Whether there is a password.
    pub has_password: bool,
    /// How many second factors there are.
    pub second_factors: u32,
    /// Until when attempts are not listened to, when they are not.
    pub locked_until: Option<UnixSeconds>,
}

impl Device {
    fn view(&self) -> DeviceView {
        DeviceView {
            id: self.id.clone(),
            name: self.name.clone(),
            kind: self.proof.kind(),
            added: self.added,
            used: self.used,
        }
    }

    pub(crate) fn added_event(&self, user: &UserName, outcome: Outcome) -> AuditEvent {
        AuditEvent::SecondFactorAdded {
            outcome,
            account: user.to_string(),
            device: self.id.clone(),
            device_name: self.name.clone(),
            device_kind: self.proof.kind().as_str().to_owned(),
        }
    }
}

impl Credentials {
    /// Whether a second factor is called this, in whatever case.
    fn calls_one(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.devices
            .iter()
            .any(|device| device.name.to_lowercase() == name)
    }
}

impl Identity {
    /// A user's second factors.
    ///
    /// # Errors
    /// [`Refusal::NotSignedUp`].
    pub async fn account(&self, user: &UserName) -> Result<Account, IdentityError> {
        let (_, credentials) = self.signed_up(user).await?;
        Ok(Account {
            devices: credentials.devices.iter().map(Device::view).collect(),
            recovery_codes_left: credentials.recovery_codes.len(),
            password_changed: credentials.password_changed,
        })
    }

    /// How a user's credentials stand.
    ///
    /// # Errors
    /// When the state does not answer.
    pub async fn status(&self, user: &UserName) -> Result<CredentialStatus, IdentityError> {
        let key = user_path(user, "credentials")?;
        let credentials = load::<Credentials>(self.state.as_ref(), key).await?.value;
        let count = credentials
            .as_ref()
            .map_or(0, |credentials| credentials.devices.len());
        Ok(CredentialStatus {
            has_password: credentials.is_some(),
            second_factors: u32::try_from(count).unwrap_or(u32::MAX),
            locked_until: self.locked_until(user).await?,
        })
    }

    /// Offers one more second factor; uses the proof up.
    ///
    /// # Errors
    /// [`Refusal::ReauthenticationNeeded`], [`Refusal::FactorNotAllowed`], [`Refusal::TooManyDevices`].
    pub async fn device_begin(
        &self,
        user: &UserName,
        shown: ShownProof<'_>,
        kind: FactorKind,
    ) -> Result<Offer, IdentityError> {
        let (_, credentials) = self.signed_up(user).await?;
        if credentials.devices.len() >= DEVICES_MAX {
            return Err(Refusal::TooManyDevices(DEVICES_MAX).into());
        }
        let purpose = ProofPurpose::Act(PrivilegedAct::ChangeSecondFactors);
        let proof = self.proof(user, shown, &purpose).await?;
        let present = credentials.security_keys();
        let under = Under::Proof {
            epoch: credentials.epoch,
            device: proof.device,
        };
        let used_up = vec![proof.stored.delete()];
        self.begin_registration(user, kind, under, credentials.handle, &present, used_up)
            .await
    }

    /// Adds the second factor that was offered, when it proves itself, and while the one that the proof for it was made with is still the
    /// user's and no lock is on it: whoever removes a stolen one ends what was begun with it.
    ///
    /// # Errors
    /// [`Refusal::ChallengeGone`], [`Refusal::SecondFactorRefused`], [`Refusal::ReauthenticationNeeded`], [`Refusal::DeviceNameTaken`], whose
    /// case does not matter.
    pub async fn device_finish(
        &self,
        actor: &Actor,
        user: &UserName,
        challenge: &str,
        answer: Answer,
        name: &str,
    ) -> Result<DeviceView, IdentityError> {
        let (stored, mut credentials) = self.signed_up(user).await?;
        let challenge = self.challenge(challenge, &Claim::new(user.as_str())).await?;
        let under = self.still_allowed(user, &challenge, &credentials).await?;
        let (mut device, _) = self.finish_registration(user, &challenge, &under, answer, name)?;
        if credentials.calls_one(&device.name) {
            if !name.trim().is_empty() {
                return Err(Refusal::DeviceNameTaken(device.name).into());
            }
            // Nobody gave it that name: it gets a number.
            let numbered = (2..=DEVICES_MAX + 1).map(|number| format!("{} {number}", device.name));
            let free = numbered.filter(|name| !credentials.calls_one(name)).take(1);
            device.name = free.collect();
        }
        if credentials.devices.len() >= DEVICES_MAX {
            return Err(Refusal::TooManyDevices(DEVICES_MAX).into());
        }
        let view = device.view();
        credentials.devices.push(device.clone());
        let writes = vec![challenge.delete(), stored.put(&credentials, None)?];
        let event = |outcome| Some(device.added_event(user, outcome));
        self.act(actor, user, &event, writes).await?;
        Ok(view)
    }

    /// What a registration was begun under, while that is as it was by these credentials.
    async fn still_allowed(
        &self,
        user: &UserName,
        challenge: &Stored<Challenge>,
        credentials: &Credentials,
    ) -> Result<Under, IdentityError> {
        let begun = challenge.value.as_ref().and_then(Challenge::under);
        let Some(under @ Under::Proof { epoch, device }) = begun else {
            return Err(Refusal::ChallengeGone.into());
        };
        if *epoch != credentials.epoch {
            return Err(Refusal::ChallengeGone.into());
        }
        match self.still_good_by(Some(credentials), user, epoch, device).await? {
            Ok(_) => Ok(under.clone()),
            Err(_) => Err(Refusal::ReauthenticationNeeded.into()),
        }
    }

    /// Removes a second factor; uses the proof up. The last one that may be used stays.
    ///
    /// # Errors
    /// [`Refusal::ReauthenticationNeeded`], [`Refusal::NoSuchDevice`], [`Refusal::LastFactor`].
    pub async fn device_remove(
        &self,
        actor: &Actor,
        user: &UserName,
        shown: ShownProof<'_>,
        device: &str,
    ) -> Result<(), IdentityError> {
        let (stored, mut credentials) = self.signed_up(user).await?;
        let place = credentials.devices.iter().position(|other| other.id == device);
        let removed = credentials.devices.remove(place.ok_or(Refusal::NoSuchDevice)?);
        let is_usable = |device: &Device| self.allows(device.proof.kind());
        if !credentials.devices.iter().any(is_usable) {
            return Err(Refusal::LastFactor.into());
        }
        // Last: who is refused for another reason need not have proven anything.
        let purpose = ProofPurpose::Act(PrivilegedAct::ChangeSecondFactors);
        let proof = self.proof(user, shown, &purpose).await?.stored;
        let event = |outcome| {
            Some(AuditEvent::SecondFactorDeleted {
                outcome,
                account: user.to_string(),
                device: removed.id.clone(),
                device_name: removed.name.clone(),
                device_kind: removed.proof.kind().as_str().to_owned(),
            })
        };
        let writes = vec![proof.delete(), stored.put(&credentials, None)?];
        self.act(actor, user, &event, writes).await
    }

    /// Makes new recovery codes, shown once; the old ones end. Uses the proof up.
    ///
    /// # Errors
    /// [`Refusal::ReauthenticationNeeded`].
    pub async fn recovery_codes_renew(
        &self,
        actor: &Actor,
        user: &UserName,
        shown: ShownProof<'_>,
    ) -> Result<Vec<RecoveryCode>, IdentityError> {
        let (stored, mut credentials) = self.signed_up(user).await?;
        let purpose = ProofPurpose::Act(PrivilegedAct::ChangeSecondFactors);
        let proof = self.proof(user, shown, &purpose).await?.stored;
        let (codes, hashes) = self.new_recovery_codes()?;
        credentials.recovery_codes = hashes;
        let made = AuditEvent::RecoveryCodesMade {
            account: user.to_string(),
            count: codes.len() as u64,
        };
        let event = |outcome| (outcome == Outcome::Success).then(|| made.clone());
        let writes = vec![proof.delete(), stored.put(&credentials, None)?];
        self.act(actor, user, &event, writes).await?;
        Ok(codes)
    }

    /// Sets another password; uses the proof up. Every session of the web ends but the one whose bearer is given.
    ///
    /// # Errors
    /// [`Refusal::ReauthenticationNeeded`], [`Refusal::WeakPassword`].
    pub async fn password_change(
        &self,
        actor: &Actor,
        user: &UserName,
        shown: ShownProof<'_>,
        new: Password,
        keep: Option<&str>,
    ) -> Result<(), IdentityError> {
        let (stored, mut credentials) = self.signed_up(user).await?;
        let purpose = ProofPurpose::Act(PrivilegedAct::ChangePassword);
        let proof = self.proof(user, shown, &purpose).await?.stored;
        check_new_password(&new, user).map_err(Refusal::WeakPassword)?;
        let salt = self.random()?;
        credentials.password = self.hashing.hash(new, salt).await?;
        credentials.password_changed = self.now();
        let before = std::mem::replace(&mut credentials.epoch, hex::encode(self.random::<16>()?));
        let mut writes = vec![proof.delete(), stored.put(&credentials, None)?];
        if let Some(bearer) = keep.and_then(Bearer::parse) {
            writes.extend(
                self.carried_over(&bearer, user, &before, &credentials.epoch)
                    .await?,
            );
        }
        let event = |outcome| {
            Some(AuditEvent::PasswordChanged {
                outcome,
                account: user.to_string(),
                cause: "change".to_owned(),
            })
        };
        self.act(actor, user, &event, writes).await
    }

    /// Listens to attempts of a user again.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`].
    pub async fn unlock(&self, actor: &Actor, user: &UserName) -> Result<(), IdentityError> {
        self.existing(user).await?;
        let lifted = AuditEvent::LockoutLifted {
            account: user.to_string(),
        };
        self.record(actor, lifted).await?;
        commit(self.state.as_ref(), vec![forget_attempts(user)?]).await?;
        Ok(())
    }

    pub(crate) fn new_recovery_codes(
        &self,
    ) -> Result<(Vec<RecoveryCode>, Vec<RecoveryCodeHash>), IdentityError> {
        let mut random = zeroize::Zeroizing::new([[0; 10]; authn::RECOVERY_CODES]);
        for bytes in random.iter_mut() {
            self.entropy.fill(bytes)?;
        }
        Ok(authn::recovery_codes(&random))
    }

    /// The credentials of a user who signed up.
    pub(crate) async fn signed_up(
        &self,
        user: &UserName,
    ) -> Result<(Stored<Credentials>, Credentials), IdentityError> {
        let key = user_path(user, "credentials")?;
        let stored = load::<Credentials>(self.state.as_ref(), key).await?;
        let credentials = stored.value.clone();
        let credentials = credentials.ok_or_else(|| Refusal::NotSignedUp(user.clone()))?;
        Ok((stored, credentials))
    }

    /// Records, then commits; when somebody else was first, records that it did not happen, where there is an event to say so.
    async fn act(
        &self,
        actor: &Actor,
        user: &UserName,
        event: &(dyn Fn(Outcome) -> Option<AuditEvent> + Sync),
        writes: Vec<Write>,
    ) -> Result<(), IdentityError> {
        self.record_all(actor, event(Outcome::Success).into_iter().collect())
            .await?;
        if commit(self.state.as_ref(), writes).await? {
            return Ok(());
        }
        let why = "somebody else changed the credentials at the same moment".to_owned();
        let undone = event(Outcome::Failure(why));
        self.record_all(actor, undone.into_iter().collect()).await?;
        Err(Refusal::Conflict(user.clone()).into())
    }
}
