//! Proofs for the command line that are made in a browser.

use std::net::SocketAddr;

use authn::Password;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use identity::ActProof;
use identity::Approval;
use identity::ApprovalBegun;
use identity::ApprovalGives;
use identity::BrowserLogin;
use identity::BrowserProof;
use identity::BrowserProofCollect;
use identity::Carried;
use identity::CertificateKeys;
use identity::Factor;
use identity::IdentityError;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::ProofPurpose;
use identity::Refusal;
use identity::SessionAsked;
use identity::SessionPlace;
use identity::SessionShown;
use identity::ShownProof;
use key::PublicKey;
use key::SpkiSha256;
use names::Principal;
use names::UnixSeconds;
use serde_json::Value;
use serde_json::json;
use ssh_cert::Certificate;
use ssh_cert::OwnFact;
use ssh_cert::SubjectKey;

use crate::authenticator::Authenticator;
use crate::world::Home;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::at;
use crate::world::home;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;
use crate::world::shown;

const ROTATE: ProofPurpose = ProofPurpose::Act(PrivilegedAct::Rotate);
/// The key of alice's certificate, and that of another one of hers.
const KEY: SpkiSha256 = SpkiSha256([7; 32]);
const OTHER_KEY: SpkiSha256 = SpkiSha256([8; 32]);

fn place() -> SessionPlace {
    SessionPlace {
        host_id: "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11".to_owned(),
        hostname: "web-1".to_owned(),
        login: Principal::parse("root").unwrap(),
    }
}

fn public_key() -> PublicKey {
    let pair = Ed25519KeyPair::generate().unwrap();
    PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap()
}

/// What a program that asks for a log-in has.
fn log_in(remote: SocketAddr) -> BrowserLogin {
    BrowserLogin {
        user: None,
        keys: CertificateKeys {
            ssh: SubjectKey::from_public_key(&public_key()).unwrap(),
            tls: public_key(),
            ttl: None,
        },
        remote,
    }
}

/// A request that waits, and what collects it.
struct Waiting {
    id: String,
    secret: String,
    code: String,
}

impl From<ApprovalBegun> for Waiting {
    fn from(begun: ApprovalBegun) -> Self {
        Self {
            id: begun.id,
            secret: begun.secret.expose().to_string(),
            code: begun.code,
        }
    }
}

fn by<'a>(proof: &'a str, key: SpkiSha256) -> ShownProof<'a> {
    ShownProof {
        token: proof,
        holder: ProofHolder::Key(key),
    }
}

fn token(proof: &ActProof) -> String {
    proof.bearer.expose().to_string()
}

impl World {
    async fn wants(&self, purpose: ProofPurpose) -> Waiting {
        let asked = BrowserProof {
            user: &name("alice"),
            key: KEY,
            purpose,
            remote: home(),
        };
        self.identity.browser_proof_begin(asked).await.unwrap().into()
    }

    async fn accepts(&self, waiting: &Waiting, user: &str, factor: Factor) -> Result<(), IdentityError> {
        let challenge = self.identity.login_begin(user).await?;
        self.accepts_with(waiting, user, &challenge.id, &waiting.code, factor)
            .await
    }

    async fn accepts_with(
        &self,
        waiting: &Waiting,
        user: &str,
        challenge: &str,
        code: &str,
        factor: Factor,
    ) -> Result<(), IdentityError> {
        let approval = Approval {
            id: &waiting.id,
            code,
            is_elsewhere_known: false,
            challenge,
            user: &name(user),
            password: Password::new(PASSWORD.to_owned()),
            factor,
            remote: home(),
        };
        self.identity.approve(approval).await
    }

    /// Approves with the code of now; a new code is due afterwards.
    async fn alice_accepts(&self, waiting: &Waiting, alice: &Home) {
        let code = Factor::Totp(self.code(&alice.seed));
        self.accepts(waiting, "alice", code).await.unwrap();
    }

    /// Approves with a key.
    async fn alice_touches(&self, waiting: &Waiting, key: &mut Authenticator) {
        let challenge = self.identity.login_begin("alice").await.unwrap();
        let answer = Factor::Webauthn(key.get(challenge.webauthn.as_ref().unwrap()));
        self.accepts_with(waiting, "alice", &challenge.id, &waiting.code, answer)
            .await
            .unwrap();
    }

    async fn fetches(
        &self,
        waiting: &Waiting,
        user: &str,
        key: SpkiSha256,
    ) -> Result<Option<ActProof>, IdentityError> {
        let collect = BrowserProofCollect {
            id: &waiting.id,
            secret: &waiting.secret,
            user: &name(user),
            key,
            remote: home(),
        };
        self.identity.browser_proof_collect(collect).await
    }

    async fn alice_fetches(&self, waiting: &Waiting) -> Result<Option<ActProof>, IdentityError> {
        self.fetches(waiting, "alice", KEY).await
    }

    /// A proof of alice's, made with the code of now.
    async fn made(&self, purpose: ProofPurpose, alice: &Home) -> String {
        let waiting = self.wants(purpose).await;
        self.alice_accepts(&waiting, alice).await;
        token(&self.alice_fetches(&waiting).await.unwrap().unwrap())
    }

    async fn may_rotate(&self, shown: ShownProof<'_>) -> Result<(), IdentityError> {
        let rotate = PrivilegedAct::Rotate;
        self.identity.require(&name("alice"), shown, rotate).await
    }

    /// What a proof is traded for, with a log-in that lasts for an hour.
    async fn opens(
        &self,
        shown: ShownProof<'_>,
        place: &SessionPlace,
    ) -> Result<cluster::Credential, IdentityError> {
        self.opens_before(shown, place, UnixSeconds(self.now().0 + 3_600))
            .await
    }

    async fn opens_before(
        &self,
        shown: ShownProof<'_>,
        place: &SessionPlace,
        login_ends: UnixSeconds,
    ) -> Result<cluster::Credential, IdentityError> {
        let carried = Carried {
            roles: vec![Principal::parse("developer").unwrap()],
            ..Carried::default()
        };
        let asked = SessionAsked {
            shown: SessionShown::Proof(shown),
            user: &name("alice"),
            carried: &carried,
            login_ends,
            key: SubjectKey::from_public_key(&public_key()).unwrap(),
            place,
            allowed_by: "role developer".to_owned(),
            remote: home(),
        };
        self.identity.session_certificate(asked).await
    }

    fn last(&self, event: &str) -> Value {
        self.events(event).last().unwrap().clone()
    }
}

#[tokio::test]
async fn a_key_in_a_browser_makes_a_proof_for_one_act_one_user_and_one_certificate() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    let device = world.add_key(&alice, &mut key).await;
    let waiting = world.wants(ROTATE).await;
    assert!(world.alice_fetches(&waiting).await.unwrap().is_none());
    world.pass(30);

    // 1. The page says what it is for.
    let person = {
        let logged_in = world.login_alice(&alice).await.unwrap();
        let identity::Granted::WebSession(session) = logged_in.granted else {
            panic!("no session")
        };
        let session = world.identity.session(&session.bearer.expose()).await.unwrap();
        session.person
    };
    let view = world.identity.approval_look(&person, &waiting.id, home()).await;
    let view = view.unwrap();
    assert_eq!(view.gives, ApprovalGives::Proof(ROTATE));
    assert!(!view.is_elsewhere);

    // 2. Approved, it is in the log like any other proof, with the code and where it was asked from.
    world.alice_touches(&waiting, &mut key).await;
    let proven = world.last("privilege_token.create");
    assert_eq!(
        (&proven["success"], &proven["purpose"], &proven["method"]),
        (&json!(true), &json!("rotate"), &json!("password+webauthn"))
    );
    let approved = world.last("privilege_token.browser");
    assert_eq!(approved["code"], "SU017I");
    assert_eq!(approved["user"], "alice");
    assert_eq!(approved["purpose"], "rotate");
    assert_eq!(approved["shown_code"], waiting.code);
    assert_eq!(approved["asked_from"], home().to_string());

    // 3. It is collected once, which is in the log, and is good for that.
    assert!(world.events("privilege_token.collect").is_empty());
    let proof = token(&world.alice_fetches(&waiting).await.unwrap().unwrap());
    assert_eq!(
        refusal(world.alice_fetches(&waiting).await),
        Refusal::ChallengeGone
    );
    world.may_rotate(by(&proof, KEY)).await.unwrap();
    let collected = world.events("privilege_token.collect");
    assert_eq!(collected.len(), 1);
    assert_eq!(
        [
            &collected[0]["code"],
            &collected[0]["user"],
            &collected[0]["purpose"],
            &collected[0]["device"],
            &collected[0]["addr.remote"]
        ],
        [
            &json!("SU018I"),
            &json!("alice"),
            &json!("rotate"),
            &json!(device),
            &json!(home().to_string())
        ]
    );

    // 4. And for nothing else, nobody else, and no other certificate.
    let needed = Refusal::ReauthenticationNeeded;
    for act in PrivilegedAct::ALL
        .into_iter()
        .filter(|act| *act != PrivilegedAct::Rotate)
    {
        let other = world.identity.require(&name("alice"), by(&proof, KEY), act).await;
        assert_eq!(refusal(other), needed, "{act:?}");
    }
    world.add_user("bob").await;
    world.sign_up("bob").await;
    let of_bob = world
        .identity
        .require(&name("bob"), by(&proof, KEY), PrivilegedAct::Rotate)
        .await;
    assert_eq!(refusal(of_bob), needed);
    assert_eq!(refusal(world.may_rotate(by(&proof, OTHER_KEY)).await), needed);
    assert_eq!(refusal(world.may_rotate(shown(&proof)).await), needed);
    assert_eq!(refusal(world.opens(by(&proof, KEY), &place()).await), needed);
}

#[tokio::test]
async fn it_is_good_for_five_minutes_from_when_it_was_approved() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.wants(ROTATE).await;
    world.alice_accepts(&waiting, &alice).await;
    world.pass(200);
    let proof = world.alice_fetches(&waiting).await.unwrap().unwrap();
    assert_eq!(proof.expires.0 - world.now().0, 100);
    world.pass(99);
    world.may_rotate(by(&token(&proof), KEY)).await.unwrap();
    world.pass(1);
    assert_eq!(
        refusal(world.may_rotate(by(&token(&proof), KEY)).await),
        Refusal::ReauthenticationNeeded
    );

    // What nobody decides ends after five minutes.
    let late = world.wants(ROTATE).await;
    world.pass(300);
    let code = Factor::Totp(world.code(&alice.seed));
    assert_eq!(
        refusal(world.accepts(&late, "alice", code).await),
        Refusal::ChallengeGone
    );
    assert_eq!(refusal(world.alice_fetches(&late).await), Refusal::ChallengeGone);
}

#[tokio::test]
async fn nobody_else_sees_approves_refuses_or_collects_it() {
    let (world, alice) = World::with_alice().await;
    world.add_user("bob").await;
    let bob = world.sign_up("bob").await;
    world.pass(60);
    let waiting = world.wants(ROTATE).await;
    let theirs = Refusal::ApprovalOfAnother(name("alice"));
    let factor = Factor::Totp(world.code(&bob.seed));
    let logged_in = world
        .login("bob", PASSWORD, factor, home(), identity::Wanted::WebSession)
        .await
        .unwrap();
    let identity::Granted::WebSession(session) = logged_in.granted else {
        panic!("no session")
    };
    let session = world.identity.session(&session.bearer.expose()).await.unwrap();
    let seen = world
        .identity
        .approval_look(&session.person, &waiting.id, home())
        .await;
    assert_eq!(refusal(seen), theirs);
    world.pass(30);
    let code = Factor::Totp(world.code(&bob.seed));
    assert_eq!(refusal(world.accepts(&waiting, "bob", code).await), theirs);
    let refused = world
        .identity
        .approval_refuse(&waiting.id, &name("bob"), home())
        .await;
    assert_eq!(refusal(refused), theirs);

    // With the secret, too, it is for the certificate that asked; and whoever tries takes nothing away.
    world.alice_accepts(&waiting, &alice).await;
    for (user, key) in [("bob", KEY), ("alice", OTHER_KEY)] {
        assert_eq!(
            refusal(world.fetches(&waiting, user, key).await),
            Refusal::ChallengeGone
        );
    }
    let as_log_in = world
        .identity
        .browser_login_collect(&waiting.id, &waiting.secret, home())
        .await;
    assert_eq!(refusal(as_log_in), Refusal::ChallengeGone);
    assert!(world.alice_fetches(&waiting).await.unwrap().is_some());
}

#[tokio::test]
async fn a_log_in_is_no_proof() {
    let (world, alice) = World::with_alice().await;
    let begun = world.identity.browser_login_begin(log_in(home())).await.unwrap();
    let waiting = Waiting::from(begun);
    world.alice_accepts(&waiting, &alice).await;
    assert_eq!(
        refusal(world.alice_fetches(&waiting).await),
        Refusal::ChallengeGone
    );
    let collected = world
        .identity
        .browser_login_collect(&waiting.id, &waiting.secret, home())
        .await;
    assert!(collected.unwrap().is_some());
}

#[tokio::test]
async fn what_was_refused_or_mistyped_too_often_gives_nothing() {
    let (world, alice) = World::with_alice().await;
    let refused = world.wants(ROTATE).await;
    let of_alice = name("alice");
    world
        .identity
        .approval_refuse(&refused.id, &of_alice, home())
        .await
        .unwrap();
    assert_eq!(
        refusal(world.alice_fetches(&refused).await),
        Refusal::ApprovalRefused
    );
    assert_eq!(
        refusal(world.alice_fetches(&refused).await),
        Refusal::ChallengeGone
    );
    let said = world.last("privilege_token.browser");
    assert_eq!(
        (&said["code"], &said["success"]),
        (&json!("SU017W"), &json!(false))
    );

    let mistyped = world.wants(ROTATE).await;
    for left in [2, 1, 0] {
        let factor = Factor::Totp(world.code(&alice.seed));
        let typed = world
            .accepts_with(&mistyped, "alice", "", "BBBB-BBBB", factor)
            .await;
        let wanted = match left {
            0 => Refusal::ApprovalVoid,
            left => Refusal::WrongApprovalCode { left },
        };
        assert_eq!(refusal(typed), wanted);
    }
    assert_eq!(
        refusal(world.alice_fetches(&mistyped).await),
        Refusal::ApprovalRefused
    );
    assert_eq!(world.events("privilege_token.browser").len(), 4);
    assert!(world.events("privilege_token.create").is_empty());
}

#[tokio::test]
async fn a_wrong_proof_counts_as_a_failure() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.wants(ROTATE).await;
    for _ in 0..5 {
        let wrong = Factor::Totp("000000".to_owned().into());
        assert_eq!(
            refusal(world.accepts(&waiting, "alice", wrong).await),
            Refusal::InvalidCredentials
        );
    }
    assert_eq!(world.events("user.login.lockout").len(), 1);
    let code = Factor::Totp(world.code(&alice.seed));
    assert_eq!(
        refusal(world.accepts(&waiting, "alice", code).await),
        Refusal::InvalidCredentials
    );
    assert!(world.alice_fetches(&waiting).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lock_or_other_credentials_count_until_it_is_collected_and_after() {
    let remove = async |world: &World, alice: &Home, device: &str| {
        let proof = world.prove(alice, PrivilegedAct::ChangeSecondFactors).await;
        world
            .identity
            .device_remove(&operator(), &name("alice"), shown(&proof), device)
            .await
            .unwrap();
    };
    let locked = Refusal::UserLocked {
        message: "gone fishing".to_owned(),
    };
    for is_collected in [false, true] {
        // 1. Locked.
        let (world, alice) = World::with_alice().await;
        let waiting = world.wants(ROTATE).await;
        world.alice_accepts(&waiting, &alice).await;
        if is_collected {
            let proof = token(&world.alice_fetches(&waiting).await.unwrap().unwrap());
            world.lock(json!({ "user": "alice" })).await;
            let used = world.may_rotate(by(&proof, KEY)).await;
            assert_eq!(refusal(used), Refusal::ReauthenticationNeeded);
        } else {
            world.lock(json!({ "user": "alice" })).await;
            assert_eq!(refusal(world.alice_fetches(&waiting).await), locked);
            let failed = world.last("privilege_token.collect");
            assert_eq!(
                (&failed["code"], &failed["error"]),
                (&json!("SU018W"), &json!("locked by an operator"))
            );
            assert_eq!(
                refusal(world.alice_fetches(&waiting).await),
                Refusal::ChallengeGone
            );
        }

        // 2. The second factor is removed.
        let (world, alice) = World::with_alice().await;
        let mut key = Authenticator::new();
        let device = world.add_key(&alice, &mut key).await;
        let waiting = world.wants(ROTATE).await;
        world.alice_touches(&waiting, &mut key).await;
        if is_collected {
            let proof = token(&world.alice_fetches(&waiting).await.unwrap().unwrap());
            remove(&world, &alice, &device).await;
            let used = world.may_rotate(by(&proof, KEY)).await;
            assert_eq!(refusal(used), Refusal::ReauthenticationNeeded);
        } else {
            remove(&world, &alice, &device).await;
            assert_eq!(
                refusal(world.alice_fetches(&waiting).await),
                Refusal::InvalidCredentials
            );
        }
    }
}

#[tokio::test]
async fn a_proof_for_a_session_opens_that_session_once() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    let device = world.add_key(&alice, &mut key).await;
    world.pass(30);
    let waiting = world.wants(ProofPurpose::Session(place())).await;
    world.alice_touches(&waiting, &mut key).await;
    let proven = world.last("mfa.session");
    assert_eq!(
        (&proven["code"], &proven["method"], &proven["login"]),
        (&json!("SU015I"), &json!("password+webauthn"), &json!("root"))
    );
    let approved = world.last("privilege_token.browser");
    assert_eq!(
        (
            &approved["purpose"],
            &approved["login"],
            &approved["server_hostname"]
        ),
        (&json!("session"), &json!("root"), &json!("web-1"))
    );
    let proof = token(&world.alice_fetches(&waiting).await.unwrap().unwrap());

    // 1. Nowhere else, as nobody else, with no other certificate, and for no act.
    let mut elsewhere = place();
    elsewhere.host_id = "11111111-2222-4333-8444-555555555555".to_owned();
    let mut otherwise = place();
    otherwise.login = Principal::parse("alice").unwrap();
    let needed = Refusal::ReauthenticationNeeded;
    for other in [&elsewhere, &otherwise] {
        assert_eq!(refusal(world.opens(by(&proof, KEY), other).await), needed);
    }
    assert_eq!(world.last("mfa.session")["code"], "SU015W");
    assert_eq!(
        refusal(world.opens(by(&proof, OTHER_KEY), &place()).await),
        needed
    );
    assert_eq!(refusal(world.may_rotate(by(&proof, KEY)).await), needed);
    let over = world.opens_before(by(&proof, KEY), &place(), world.now()).await;
    assert_eq!(refusal(over), needed, "the log-in has ended");

    // 2. There, once.
    let issued = world.opens(by(&proof, KEY), &place()).await.unwrap();
    let certificate = Certificate::from_blob(&issued.document).unwrap();
    assert_eq!(certificate.fact(OwnFact::MfaVerified), Some(device.as_str()));
    assert_eq!(
        certificate.fact(OwnFact::SessionNode),
        Some(place().host_id.as_str())
    );
    assert_eq!(refusal(world.opens(by(&proof, KEY), &place()).await), needed);
}

#[tokio::test]
async fn of_many_that_use_a_proof_for_a_session_at_once_one_gets_a_certificate() {
    let (world, alice) = World::with_alice().await;
    let proof = world.made(ProofPurpose::Session(place()), &alice).await;
    let place = place();
    let all = (0..10).map(|_| world.opens(by(&proof, KEY), &place));
    let got = futures_util::future::join_all(all).await;
    assert_eq!(got.iter().filter(|one| one.is_ok()).count(), 1);
}

#[tokio::test]
async fn recovery_codes_are_for_acts_and_not_for_sessions() {
    let (world, alice) = World::with_alice().await;
    let code = |at: usize| Factor::RecoveryCode(alice.recovery_codes[at].clone().into());
    let session = world.wants(ProofPurpose::Session(place())).await;
    let refused = world.accepts(&session, "alice", code(0)).await;
    assert_eq!(refusal(refused).code(), "factor_not_allowed");
    assert!(world.events("recovery_code.use").is_empty());
    let act = world.wants(ROTATE).await;
    world.accepts(&act, "alice", code(0)).await.unwrap();
    let proof = token(&world.alice_fetches(&act).await.unwrap().unwrap());
    world.may_rotate(by(&proof, KEY)).await.unwrap();
}

#[tokio::test]
async fn a_change_of_second_factors_uses_it_up() {
    let (world, alice) = World::with_alice().await;
    let purpose = ProofPurpose::Act(PrivilegedAct::ChangeSecondFactors);
    let proof = world.made(purpose, &alice).await;
    let user = name("alice");
    let begin = || {
        let kind = identity::FactorKind::Totp;
        world.identity.device_begin(&user, by(&proof, KEY), kind)
    };
    begin().await.unwrap();
    assert_eq!(refusal(begin().await), Refusal::ReauthenticationNeeded);
}

#[tokio::test]
async fn a_cluster_that_has_it_off_and_people_without_credentials_get_none() {
    let (world, alice) = World::with_alice().await;
    world.add_user("bob").await;
    let begin = async |user: &str| {
        let asked = BrowserProof {
            user: &name(user),
            key: KEY,
            purpose: ROTATE,
            remote: home(),
        };
        world.identity.browser_proof_begin(asked).await.map(|_| ())
    };
    assert_eq!(refusal(begin("bob").await), Refusal::NotSignedUp(name("bob")));
    let approved = world.wants(ROTATE).await;
    world.alice_accepts(&approved, &alice).await;
    world
        .put(json!({
            "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
            "spec": { "allow_browser_login": false },
        }))
        .await;
    assert_eq!(refusal(begin("alice").await), Refusal::BrowserLoginOff);
    assert_eq!(
        refusal(world.alice_fetches(&approved).await),
        Refusal::BrowserLoginOff
    );
}

#[tokio::test]
async fn strangers_who_wait_for_log_ins_take_no_room_from_proofs() {
    let (world, _alice) = World::with_alice().await;
    for _ in 0..32 {
        world.identity.browser_login_begin(log_in(home())).await.unwrap();
    }
    let one_more = world.identity.browser_login_begin(log_in(home())).await;
    assert_eq!(refusal(one_more.map(|_| ())), Refusal::Busy);
    // A person has so many, and more from no other address; somebody else has their own.
    world.add_user("bob").await;
    world.sign_up("bob").await;
    let ask = async |user: &str, remote: SocketAddr| {
        let asked = BrowserProof {
            user: &name(user),
            key: KEY,
            purpose: ROTATE,
            remote,
        };
        world.identity.browser_proof_begin(asked).await.map(|_| ())
    };
    for _ in 0..16 {
        ask("alice", home()).await.unwrap();
    }
    for remote in [home(), at("198.51.100.7"), at("2001:db8::7")] {
        assert_eq!(refusal(ask("alice", remote).await), Refusal::Busy);
    }
    for _ in 0..16 {
        ask("bob", home()).await.unwrap();
    }
    // Other log-ins that somebody says are alice's do not count as hers.
    world.pass(300);
    for number in 1..=20 {
        let mut asked = log_in(at(&format!("198.51.100.{number}")));
        asked.user = Some(name("alice"));
        world.identity.browser_login_begin(asked).await.unwrap();
    }
    ask("alice", home()).await.unwrap();
}
