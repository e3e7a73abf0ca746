use std::net::SocketAddr;
use std::sync::Arc;

use audit::Actor;
use authn::Password;
use authn::Step;
use authn::TotpSeed;
use directory::Directory;
use directory::Put;
use fixtures::CountingEntropy;
use fixtures::ManualClock;
use fixtures::totp_seed;
use identity::AeadSeal;
use identity::Answer;
use identity::DirectoryPeople;
use identity::Enrolled;
use identity::Factor;
use identity::FactorKind;
use identity::Identity;
use identity::IdentityError;
use identity::Invite;
use identity::InviteFinish;
use identity::LoggedIn;
use identity::LoginFinish;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::Reauthenticate;
use identity::Refusal;
use identity::RelyingParty;
use identity::ShownProof;
use identity::Wanted;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use resource::AnyDocument;
use runtime::Clock;
use runtime::Entropy;
use serde_json::Value;
use serde_json::json;
use state::State;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::authenticator::ORIGIN;

pub(crate) const PASSWORD: &str = "seven blue doors";

/// An auth service with a directory and its users.
pub(crate) struct World {
    pub(crate) identity: Arc<Identity>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) state: Arc<state_memory::MemoryState>,
    pub(crate) ledger: Arc<ledger_memory::MemoryLedger>,
    pub(crate) clock: Arc<ManualClock>,
}

/// What a user has at home.
pub(crate) struct Home {
    pub(crate) seed: TotpSeed,
    pub(crate) recovery_codes: Vec<String>,
}

pub(crate) fn operator() -> Actor {
    Actor::Local {
        user: "root".into(),
        uid: 0,
    }
}

pub(crate) fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

pub(crate) fn at(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), 40_000)
}

/// Where users are at home.
pub(crate) fn home() -> SocketAddr {
    at("192.0.2.1")
}

/// A proof, shown by the pages that it was made for.
pub(crate) const fn shown(token: &str) -> ShownProof<'_> {
    ShownProof {
        token,
        holder: ProofHolder::Pages,
    }
}

pub(crate) fn refusal<T>(result: Result<T, IdentityError>) -> Refusal {
    match result {
        Ok(_) => panic!("it was granted"),
        Err(IdentityError::Refused(refusal)) => refusal,
        Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(CountingEntropy::from(1));
        let state = Arc::new(state_memory::MemoryState::new(clock.clone()));
        let ledger = Arc::new(ledger_memory::MemoryLedger::new());
        let cluster = fixtures::cluster(state.clone(), ledger.clone(), clock.clone(), entropy.clone())
            .await
            .unwrap();
        let directory = Arc::new(Directory::open(cluster.clone(), state.clone()).await.unwrap());
        let parts = identity::Parts {
            cluster,
            state: state.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            people: Arc::new(DirectoryPeople::new(directory.clone(), clock.clone())),
            seal: Arc::new(AeadSeal::new(&[9; 32], entropy).unwrap()),
        };
        let settings = identity::Settings {
            relying_party: Some(RelyingParty {
                id: "proxy.example.com".into(),
                origins: vec![ORIGIN.into()],
                name: "test".into(),
            }),
            ..identity::Settings::default()
        };
        Self {
            identity: Arc::new(Identity::open(parts, settings).await.unwrap()),
            directory,
            state,
            ledger,
            clock,
        }
    }

    /// A world with a user who signed up with one-time codes.
    pub(crate) async fn with_alice() -> (Self, Home) {
        let world = Self::new().await;
        world.add_user("alice").await;
        let home = world.sign_up("alice").await;
        // The codes of the sign-up are behind.
        world.pass(60);
        (world, home)
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock
            .advance(Ttl::from_seconds(u64::try_from(seconds).unwrap()));
    }

    pub(crate) async fn put(&self, document: Value) {
        let document: AnyDocument = serde_json::from_value(document).unwrap();
        self.directory
            .put(&operator(), document, Put::Upsert)
            .await
            .unwrap();
    }

    pub(crate) async fn add_user(&self, name: &str) {
        self.put(json!({
            "kind": "role", "version": "v1", "metadata": { "name": "developer" },
            "spec": { "allow": { "logins": ["root", "{{internal.logins}}"], "node_labels": { "env": ["dev"] } } },
        }))
        .await;
        self.put(json!({
            "kind": "user", "version": "v1", "metadata": { "name": name },
            "spec": { "roles": ["developer"], "traits": { "logins": [name] } },
        }))
        .await;
    }

    pub(crate) async fn lock(&self, target: Value) {
        self.put(json!({
            "kind": "lock", "version": "v1", "metadata": { "name": "a-lock" },
            "spec": { "target": target, "message": "gone fishing" },
        }))
        .await;
    }

    /// Signs a user up with a password and one-time codes.
    /// Removes a user with all that hangs on them, as operators do.
    pub(crate) async fn remove_user(&self, name: &str) {
        let name = resource::ResourceName::parse(name).unwrap();
        let delete = directory::Delete::default();
        self.directory
            .delete(&operator(), resource::Kind::User, &name, delete)
            .await
            .unwrap();
    }

    /// A link for a user who is there.
    pub(crate) async fn invite(&self, user: &str) -> Invite {
        let user = name(user);
        self.identity.invite(&operator(), &user, None).await.unwrap()
    }

    pub(crate) async fn sign_up(&self, user: &str) -> Home {
        let invite = self.invite(user).await;
        let (seed, enrolled) = self.enrol(&invite.bearer.expose(), PASSWORD, None).await.unwrap();
        Home {
            seed,
            recovery_codes: enrolled
                .recovery_codes
                .iter()
                .map(|code| code.expose().to_owned())
                .collect(),
        }
    }

    pub(crate) async fn enrol(
        &self,
        token: &str,
        password: &str,
        wanted: Option<Wanted>,
    ) -> Result<(TotpSeed, Enrolled), IdentityError> {
        let offer = self.identity.invite_begin(token, FactorKind::Totp).await?;
        let seed = totp_seed(&offer.totp.unwrap().secret).unwrap();
        let finish = InviteFinish {
            token,
            challenge: &offer.challenge,
            password: Password::new(password.to_owned()),
            answer: Answer::Totp(self.code(&seed)),
            device_name: "phone",
            remote: home(),
            wanted,
        };
        let enrolled = self.identity.invite_finish(finish).await?;
        Ok((seed, enrolled))
    }

    /// The code an application shows now.
    pub(crate) fn code(&self, seed: &TotpSeed) -> Zeroizing<String> {
        seed.code(Step::at(self.now()))
    }

    pub(crate) async fn login(
        &self,
        user: &str,
        password: &str,
        factor: Factor,
        remote: SocketAddr,
        wanted: Wanted,
    ) -> Result<LoggedIn, IdentityError> {
        // What is typed answers no question.
        let question = match &factor {
            Factor::Webauthn(_) => Some(self.identity.login_begin(user).await?.id),
            Factor::Totp(_) | Factor::RecoveryCode(_) => None,
        };
        let finish = LoginFinish {
            challenge: question.as_deref(),
            user,
            password: Password::new(password.to_owned()),
            factor,
            wanted,
            remote,
        };
        self.identity.login_finish(finish).await
    }

    /// Logs alice in with the code of now, for a session.
    pub(crate) async fn login_alice(&self, home_of: &Home) -> Result<LoggedIn, IdentityError> {
        let factor = Factor::Totp(self.code(&home_of.seed));
        self.login("alice", PASSWORD, factor, home(), Wanted::WebSession)
            .await
    }

    pub(crate) async fn fail_alice(&self, remote: SocketAddr) -> Refusal {
        let factor = Factor::Totp(Zeroizing::new("000000".into()));
        refusal(
            self.login("alice", "wrong password", factor, remote, Wanted::WebSession)
                .await,
        )
    }

    /// A proof for an act, with the code of now; a new code is due afterwards.
    pub(crate) async fn prove(&self, home_of: &Home, act: PrivilegedAct) -> String {
        let challenge = self.identity.login_begin("alice").await.unwrap();
        let asked = Reauthenticate {
            challenge: &challenge.id,
            user: &name("alice"),
            password: Password::new(PASSWORD.to_owned()),
            factor: Factor::Totp(self.code(&home_of.seed)),
            act,
            holder: ProofHolder::Pages,
            remote: home(),
        };
        let proof = self.identity.reauthenticate(asked).await.unwrap();
        self.pass(30);
        proof.bearer.expose().to_string()
    }

    /// Adds a key to alice's second factors.
    pub(crate) async fn add_key(&self, home_of: &Home, key: &mut Authenticator) -> String {
        let token = self.prove(home_of, PrivilegedAct::ChangeSecondFactors).await;
        let alice = name("alice");
        let offer = self
            .identity
            .device_begin(&alice, shown(&token), FactorKind::Webauthn)
            .await
            .unwrap();
        let answer = Answer::Webauthn(key.create(&offer.webauthn.unwrap()));
        let name = match self.identity.account(&alice).await.unwrap().devices.len() {
            1 => "key".to_owned(),
            more => format!("key {more}"),
        };
        self.identity
            .device_finish(&operator(), &alice, &offer.challenge, answer, &name)
            .await
            .unwrap()
            .id
    }

    /// The events of a name, as they stand in the log.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        self.ledger
            .lines()
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["event"] == event)
            .collect()
    }

    /// How many commits the state has seen.
    pub(crate) async fn commits(&self) -> u64 {
        self.state.list("identity", None, 1).await.unwrap().revision.0
    }

    /// Everything that is stored below a folder, as text.
    pub(crate) async fn stored(&self, folder: &str) -> Vec<(String, String)> {
        let page = self.state.list(folder, None, 1_000).await.unwrap();
        page.entries
            .into_iter()
            .map(|entry| (entry.key.to_string(), String::from_utf8(entry.value).unwrap()))
            .collect()
    }
}
