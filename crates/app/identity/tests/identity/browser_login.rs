//! The command line let in through a browser.

use std::net::SocketAddr;

use authn::Password;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use identity::Approval;
use identity::ApprovalBegun;
use identity::ApprovalGives;
use identity::BrowserLogin;
use identity::CertificateKeys;
use identity::Factor;
use identity::Granted;
use identity::IdentityError;
use identity::LoggedIn;
use identity::PrivilegedAct;
use identity::Refusal;
use key::PublicKey;
use names::Ttl;
use names::UserName;
use serde_json::json;
use ssh_cert::ExtensionName;
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

fn keys(ttl: Option<Ttl>) -> CertificateKeys {
    let public_key = || {
        let pair = Ed25519KeyPair::generate().unwrap();
        PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap()
    };
    CertificateKeys {
        ssh: SubjectKey::from_public_key(&public_key()).unwrap(),
        tls: public_key(),
        ttl,
    }
}

/// Where the program runs: another machine than the browser's.
fn server() -> SocketAddr {
    at("198.51.100.7")
}

/// A request that waits, and what collects it.
struct Waiting {
    id: String,
    secret: String,
    code: String,
}

/// An approval at home of what waits, with its code and the password.
fn approval<'a>(
    waiting: &'a Waiting,
    user: &'a UserName,
    challenge: &'a str,
    factor: Factor,
) -> Approval<'a> {
    Approval {
        id: &waiting.id,
        code: &waiting.code,
        is_elsewhere_known: true,
        challenge,
        user,
        password: Password::new(PASSWORD.to_owned()),
        factor,
        remote: home(),
    }
}

impl World {
    async fn asks(&self, user: Option<&str>, keys: CertificateKeys) -> Waiting {
        let asked = BrowserLogin {
            user: user.map(name),
            keys,
            remote: server(),
        };
        let ApprovalBegun {
            id,
            secret,
            code,
            expires,
        } = self.identity.browser_login_begin(asked).await.unwrap();
        assert_eq!(expires.0 - self.now().0, 300);
        let secret = secret.expose().to_string();
        Waiting { id, secret, code }
    }

    async fn approves(&self, waiting: &Waiting, user: &str, factor: Factor) -> Result<(), IdentityError> {
        let challenge = self.identity.login_begin(user).await?;
        self.identity
            .approve(approval(waiting, &name(user), &challenge.id, factor))
            .await
    }

    async fn alice_approves(&self, waiting: &Waiting, alice: &Home) -> Result<(), IdentityError> {
        let code = self.code(&alice.seed);
        self.approves(waiting, "alice", Factor::Totp(code)).await
    }

    async fn alice_approves_by_key(&self, waiting: &Waiting, key: &mut Authenticator) {
        let challenge = self.identity.login_begin("alice").await.unwrap();
        let answer = Factor::Webauthn(key.get(challenge.webauthn.as_ref().unwrap()));
        let (alice, id) = (name("alice"), &challenge.id);
        let approved = self.identity.approve(approval(waiting, &alice, id, answer));
        approved.await.unwrap();
    }

    /// What alice gets for a code that she types, at an address.
    async fn alice_types(
        &self,
        waiting: &Waiting,
        home: &Home,
        code: &str,
        remote: SocketAddr,
        is_elsewhere_known: bool,
    ) -> Result<(), IdentityError> {
        let challenge = self.identity.login_begin("alice").await?;
        let factor = Factor::Totp(self.code(&home.seed));
        let alice = name("alice");
        let typed = Approval {
            code,
            is_elsewhere_known,
            remote,
            ..approval(waiting, &alice, &challenge.id, factor)
        };
        self.identity.approve(typed).await
    }

    /// How many certificates alice got.
    fn issued(&self) -> usize {
        let created = self.events("cert.create");
        created.iter().filter(|event| event["user"] == "alice").count()
    }

    async fn collects(&self, waiting: &Waiting) -> Result<Option<LoggedIn>, IdentityError> {
        self.identity
            .browser_login_collect(&waiting.id, &waiting.secret, server())
            .await
    }
}

#[tokio::test]
async fn what_is_approved_with_a_key_is_granted_once_to_the_address_that_was_shown() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    world.add_key(&alice, &mut key).await;
    world
        .put(json!({
            "kind": "role", "version": "v1", "metadata": { "name": "developer" },
            "spec": { "options": { "pin_source_ip": true }, "allow": { "logins": ["root"] } },
        }))
        .await;
    let asked = keys(Some(Ttl::from_hours(2)));
    let waiting = world.asks(Some("alice"), asked.clone()).await;
    assert!(world.collects(&waiting).await.unwrap().is_none());

    // 1. The page shows from where, that this is elsewhere, and what it gives.
    let person = {
        let session = world.login_alice(&alice).await.unwrap();
        let Granted::WebSession(session) = session.granted else {
            panic!("no session")
        };
        let session = world.identity.session(&session.bearer.expose()).await.unwrap();
        session.person
    };
    let view = world
        .identity
        .approval_look(&person, &waiting.id, home())
        .await
        .unwrap();
    assert_eq!(
        (view.from, view.looked_from, view.is_elsewhere, view.gives),
        (
            server().ip(),
            home().ip(),
            true,
            ApprovalGives::LogIn {
                ttl: Ttl::from_hours(2)
            }
        )
    );

    // 2. Approved with the key; before the approval takes effect it is in the log.
    world.alice_approves_by_key(&waiting, &mut key).await;
    let approved = &world.events("user.login.browser")[0];
    assert_eq!(approved["success"], true, "{approved}");
    assert_eq!(approved["login_code"].as_str().unwrap(), waiting.code);
    assert_eq!(approved["asked_from"], server().to_string());
    let gone = world.identity.approval_look(&person, &waiting.id, home()).await;
    assert_eq!(refusal(gone), Refusal::ChallengeGone);

    // 3. Another secret gets nothing, and takes nothing away.
    let guess = world.asks(None, keys(None)).await.secret;
    let guessed = world
        .identity
        .browser_login_collect(&waiting.id, &guess, server())
        .await;
    assert_eq!(refusal(guessed), Refusal::ChallengeGone);

    // 4. The program gets certificates for its keys, as a log-in gives them.
    let logged_in = world.collects(&waiting).await.unwrap().unwrap();
    assert_eq!(logged_in.user, name("alice"));
    let Granted::Certificates(issued) = logged_in.granted else {
        panic!("no certificates")
    };
    let ssh = ssh_cert::Certificate::from_blob(&issued.ssh.document).unwrap();
    assert_eq!(ssh.subject_key().blob(), asked.ssh.blob());
    assert_eq!(issued.ssh.not_after.0 - world.now().0, 7_200);
    let pinned = &ssh.critical_options().source_addresses;
    assert_eq!(pinned.len(), 1);
    assert!(pinned[0].to_string().starts_with("198.51.100.7"), "{}", pinned[0]);
    let device = ExtensionName::parse("mfa-verified@signet.dev").unwrap();
    assert_eq!(ssh.extensions().custom[&device], logged_in.device);
    let login = world.events("user.login").pop().unwrap();
    assert_eq!(
        (&login["method"], &login["client"], &login["device"]),
        (&json!("browser"), &json!("cli"), &json!(logged_in.device))
    );

    // 5. Once.
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ChallengeGone);
}

#[tokio::test]
async fn of_many_that_collect_at_once_one_gets_certificates() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    world.alice_approves(&waiting, &alice).await.unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| world.collects(&waiting))).await;
    let got = all.into_iter().filter(|one| matches!(one, Ok(Some(_)))).count();
    assert_eq!(got, 1);
    assert_eq!(world.issued(), 2, "one for SSH, one for TLS");
}

#[tokio::test]
async fn a_wrong_proof_approves_nothing_and_counts_as_a_failure() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    for _ in 0..5 {
        let wrong = Factor::RecoveryCode("aaaaa-aaaaa-aaaaa-aaaaa".to_owned().into());
        assert_eq!(
            refusal(world.approves(&waiting, "alice", wrong).await),
            Refusal::InvalidCredentials
        );
    }
    assert!(world.collects(&waiting).await.unwrap().is_none());
    assert_eq!(world.events("user.login.lockout").len(), 1);
    assert_eq!(
        refusal(world.alice_approves(&waiting, &alice).await),
        Refusal::InvalidCredentials,
        "locked out"
    );
    assert!(world.events("user.login.browser").is_empty());
}

#[tokio::test]
async fn a_request_for_somebody_is_not_for_others() {
    let (world, _alice) = World::with_alice().await;
    world.add_user("bob").await;
    let bob = world.sign_up("bob").await;
    world.pass(60);
    let waiting = world.asks(Some("alice"), keys(None)).await;
    let theirs = Refusal::ApprovalOfAnother(name("alice"));
    let approved = world
        .approves(&waiting, "bob", Factor::Totp(world.code(&bob.seed)))
        .await;
    assert_eq!(refusal(approved), theirs);
    let refused = world
        .identity
        .approval_refuse(&waiting.id, &name("bob"), home())
        .await;
    assert_eq!(refusal(refused), theirs);
    assert!(world.collects(&waiting).await.unwrap().is_none());
}

#[tokio::test]
async fn what_was_refused_stays_refused() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    let alice_name = name("alice");
    let refuse = || world.identity.approval_refuse(&waiting.id, &alice_name, home());
    refuse().await.unwrap();
    assert_eq!(refusal(refuse().await), Refusal::ChallengeGone);
    assert_eq!(
        refusal(world.alice_approves(&waiting, &alice).await),
        Refusal::ChallengeGone
    );
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ApprovalRefused);
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ChallengeGone);
    assert_eq!(world.events("user.login.browser")[0]["success"], false);
}

#[tokio::test]
async fn a_lock_or_new_credentials_between_approval_and_collection_count() {
    // 1. Locked.
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    world.alice_approves(&waiting, &alice).await.unwrap();
    world.lock(json!({ "user": "alice" })).await;
    let message = "gone fishing".to_owned();
    assert_eq!(
        refusal(world.collects(&waiting).await),
        Refusal::UserLocked { message }
    );
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ChallengeGone);

    // 2. Reset by an operator, and signed up anew.
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    world.alice_approves(&waiting, &alice).await.unwrap();
    world.sign_up("alice").await;
    assert_eq!(
        refusal(world.collects(&waiting).await),
        Refusal::InvalidCredentials
    );

    // 3. Removed.
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    world.alice_approves(&waiting, &alice).await.unwrap();
    world.remove_user("alice").await;
    assert_eq!(
        refusal(world.collects(&waiting).await),
        Refusal::InvalidCredentials
    );
    assert_eq!(world.issued(), 0);
    let failed = world.events("user.login").pop().unwrap();
    assert_eq!(failed["success"], false, "{failed}");
}

#[tokio::test]
async fn a_second_factor_that_is_removed_between_approval_and_collection_counts_no_more() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    let device = world.add_key(&alice, &mut key).await;
    let waiting = world.asks(None, keys(None)).await;
    world.alice_approves_by_key(&waiting, &mut key).await;
    let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
    world
        .identity
        .device_remove(&operator(), &name("alice"), shown(&token), &device)
        .await
        .unwrap();
    assert_eq!(
        refusal(world.collects(&waiting).await),
        Refusal::InvalidCredentials
    );
    assert_eq!(world.issued(), 0);
}

#[tokio::test]
async fn three_wrong_codes_end_a_request() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    for (wrong, said) in [
        ("", Refusal::WrongApprovalCode { left: 2 }),
        ("BBBB-BBBB", Refusal::WrongApprovalCode { left: 1 }),
        (&waiting.code[..8], Refusal::ApprovalVoid),
    ] {
        let typed = world.alice_types(&waiting, &alice, wrong, home(), true).await;
        assert_eq!(refusal(typed), said, "{wrong}");
    }
    assert_eq!(
        refusal(world.alice_approves(&waiting, &alice).await),
        Refusal::ChallengeGone
    );
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ApprovalRefused);
    let wrong = world.events("user.login.browser");
    assert_eq!(wrong.len(), 3);
    assert!(wrong.iter().all(|event| event["success"] == false), "{wrong:?}");
    let proofs = world.events("privilege_token.create");
    assert!(
        proofs.is_empty(),
        "nothing was looked at for a wrong code: {proofs:?}"
    );

    // Written in another way it is the same code, and what was wrong before it does not count against it.
    let waiting = world.asks(None, keys(None)).await;
    for _ in 0..2 {
        let typed = world
            .alice_types(&waiting, &alice, "nonsense", home(), true)
            .await;
        assert!(matches!(refusal(typed), Refusal::WrongApprovalCode { .. }));
    }
    let code = format!(" {} ", waiting.code.to_lowercase().replace('-', " "));
    world
        .alice_types(&waiting, &alice, &code, home(), true)
        .await
        .unwrap();
    assert!(world.collects(&waiting).await.unwrap().is_some());
}

#[tokio::test]
async fn wrong_codes_that_are_typed_at_once_count_each() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    let typed = (0..10).map(|_| world.alice_types(&waiting, &alice, "wrong", home(), true));
    let said = futures_util::future::join_all(typed).await;
    let count = |wanted: Refusal| {
        let is_wanted = |one: &&Result<(), IdentityError>| matches!(one, Err(IdentityError::Refused(said)) if *said == wanted);
        said.iter().filter(is_wanted).count()
    };
    assert_eq!(count(Refusal::WrongApprovalCode { left: 2 }), 1);
    assert_eq!(count(Refusal::WrongApprovalCode { left: 1 }), 1);
    assert_eq!(count(Refusal::ApprovalVoid), 1);
    assert_eq!(count(Refusal::ChallengeGone), 7);
}

#[tokio::test]
async fn a_program_elsewhere_is_let_in_only_by_somebody_who_says_that_they_know() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    for _ in 0..5 {
        let unsaid = world
            .alice_types(&waiting, &alice, &waiting.code, home(), false)
            .await;
        assert_eq!(refusal(unsaid), Refusal::ApprovalFromElsewhere);
    }
    assert!(world.collects(&waiting).await.unwrap().is_none());
    world
        .alice_types(&waiting, &alice, &waiting.code, home(), true)
        .await
        .unwrap();

    // In the same place there is nothing to say.
    world.pass(60);
    let waiting = world.asks(None, keys(None)).await;
    world
        .alice_types(&waiting, &alice, &waiting.code, server(), false)
        .await
        .unwrap();
}

#[tokio::test]
async fn looking_whether_somebody_decided_takes_nothing_away() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    let is_decided = || world.identity.approval_is_decided(&waiting.id, &waiting.secret);
    assert!(!is_decided().await.unwrap());
    world.alice_approves(&waiting, &alice).await.unwrap();
    for _ in 0..3 {
        assert!(is_decided().await.unwrap());
    }
    let other = world.asks(None, keys(None)).await;
    let with_other = world
        .identity
        .approval_is_decided(&waiting.id, &other.secret)
        .await;
    assert_eq!(refusal(with_other), Refusal::ChallengeGone);
    assert!(world.collects(&waiting).await.unwrap().is_some());
    assert_eq!(refusal(is_decided().await), Refusal::ChallengeGone);
}

#[tokio::test]
async fn a_decision_that_came_too_late_is_in_the_log_as_one_that_does_not_count() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    let alice_name = name("alice");
    let refuse = world.identity.approval_refuse(&waiting.id, &alice_name, home());
    // While the password is hashed, the other tab refuses.
    let (approved, refused) =
        futures_util::future::join(world.alice_approves(&waiting, &alice), refuse).await;
    refused.unwrap();
    assert_eq!(refusal(approved), Refusal::ChallengeGone);
    let said = world.events("user.login.browser");
    let successes: Vec<_> = said.iter().map(|event| event["success"].clone()).collect();
    assert_eq!(successes, [false, true, false], "{said:?}");
    assert_eq!(refusal(world.collects(&waiting).await), Refusal::ApprovalRefused);
}

#[tokio::test]
async fn a_cluster_may_have_no_log_ins_through_a_browser() {
    let (world, alice) = World::with_alice().await;
    let approved = world.asks(None, keys(None)).await;
    world.alice_approves(&approved, &alice).await.unwrap();
    let waiting = world.asks(None, keys(None)).await;
    world
        .put(json!({
            "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
            "spec": { "allow_browser_login": false },
        }))
        .await;
    world.pass(60);
    let asked = BrowserLogin {
        user: None,
        keys: keys(None),
        remote: server(),
    };
    let begun = world.identity.browser_login_begin(asked).await;
    assert_eq!(refusal(begun), Refusal::BrowserLoginOff);
    assert_eq!(
        refusal(world.alice_approves(&waiting, &alice).await),
        Refusal::BrowserLoginOff
    );
    assert_eq!(refusal(world.collects(&approved).await), Refusal::BrowserLoginOff);
    assert_eq!(world.issued(), 0);
}

#[tokio::test]
async fn requests_end_after_five_minutes_and_approvals_soon_after() {
    let (world, alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    world.pass(299);
    assert!(world.collects(&waiting).await.unwrap().is_none());
    world.alice_approves(&waiting, &alice).await.unwrap();
    world.pass(59);
    assert!(world.collects(&waiting).await.unwrap().is_some());

    let late = world.asks(None, keys(None)).await;
    world.pass(300);
    assert_eq!(
        refusal(world.alice_approves(&late, &alice).await),
        Refusal::ChallengeGone
    );
    assert_eq!(refusal(world.collects(&late).await), Refusal::ChallengeGone);
}

#[tokio::test]
async fn ids_that_are_none_are_gone_and_the_secret_is_kept_as_a_hash() {
    let (world, _alice) = World::with_alice().await;
    let waiting = world.asks(None, keys(None)).await;
    let huge = "a".repeat(1 << 20);
    for id in ["", "../user/alice", &"A".repeat(32), &"0".repeat(32), &huge] {
        let collected = world
            .identity
            .browser_login_collect(id, &waiting.secret, server())
            .await;
        assert_eq!(refusal(collected), Refusal::ChallengeGone);
    }
    for secret in ["", "x", &huge] {
        let collected = world
            .identity
            .browser_login_collect(&waiting.id, secret, server())
            .await;
        assert_eq!(refusal(collected), Refusal::ChallengeGone);
    }
    let stored = world.stored("identity/approval").await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].1.contains(&waiting.secret));
    assert!(world.events("user.login.browser").is_empty());
}

#[tokio::test]
async fn an_address_has_so_many_requests_and_no_more() {
    let (world, _alice) = World::with_alice().await;
    let ask = async |remote: SocketAddr| {
        let asked = BrowserLogin {
            user: None,
            keys: keys(None),
            remote,
        };
        world.identity.browser_login_begin(asked).await.map(|_| ())
    };
    for _ in 0..32 {
        ask(server()).await.unwrap();
    }
    assert_eq!(refusal(ask(server()).await), Refusal::Busy);
    ask(home()).await.unwrap();
    world.pass(300);
    ask(server()).await.unwrap();
    let short = BrowserLogin {
        user: None,
        keys: keys(Some(Ttl::from_seconds(5))),
        remote: home(),
    };
    assert!(matches!(
        refusal(world.identity.browser_login_begin(short).await),
        Refusal::Malformed { field: "ttl", .. }
    ));
}
