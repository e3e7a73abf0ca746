//! Letting the command line in.

use std::net::SocketAddr;

use axum::http::StatusCode;
use identity::ApprovalBegun;
use identity::BrowserLogin;
use identity::BrowserProof;
use identity::BrowserProofCollect;
use identity::CertificateKeys;
use identity::PrivilegedAct;
use identity::ProofPurpose;
use identity::SessionPlace;
use key::PublicKey;
use key::SpkiSha256;
use ssh_cert::SubjectKey;

use crate::client::Answer;
use crate::client::Client;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::user;

/// A program that waits.
struct Waiting {
    id: String,
    secret: String,
    code: String,
}

impl Waiting {
    fn path(&self) -> String {
        format!("/web/cli/{}", self.id)
    }
}

fn from() -> SocketAddr {
    "198.51.100.7:40000".parse().unwrap()
}

async fn asks(world: &World, who: Option<&str>) -> Waiting {
    let public_key = || {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&pair);
        PublicKey::from_spki_der(&spki).unwrap()
    };
    let asked = BrowserLogin {
        user: who.map(user),
        keys: CertificateKeys {
            ssh: SubjectKey::from_public_key(&public_key()).unwrap(),
            tls: public_key(),
            ttl: None,
        },
        remote: from(),
    };
    world.identity.browser_login_begin(asked).await.unwrap().into()
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

/// The key of the certificate that alice's program shows.
const KEY: SpkiSha256 = SpkiSha256([7; 32]);

async fn wants(world: &World, purpose: ProofPurpose) -> Waiting {
    let asked = BrowserProof {
        user: &user("alice"),
        key: KEY,
        purpose,
        remote: from(),
    };
    world.identity.browser_proof_begin(asked).await.unwrap().into()
}

async fn has_proof(world: &World, waiting: &Waiting) -> bool {
    let collect = BrowserProofCollect {
        id: &waiting.id,
        secret: &waiting.secret,
        user: &user("alice"),
        key: KEY,
        remote: from(),
    };
    matches!(world.identity.browser_proof_collect(collect).await, Ok(Some(_)))
}

async fn is_let_in(world: &World, waiting: &Waiting) -> bool {
    let collected = world
        .identity
        .browser_login_collect(&waiting.id, &waiting.secret, from())
        .await;
    matches!(collected, Ok(Some(_)))
}

async fn approve(client: &mut Client, waiting: &Waiting, password: &str, code: &str) -> Answer {
    let more = [("login_code", waiting.code.as_str()), ("elsewhere", "known")];
    send(client, waiting, password, code, &more).await
}

async fn send(
    client: &mut Client,
    waiting: &Waiting,
    password: &str,
    code: &str,
    more: &[(&str, &str)],
) -> Answer {
    let csrf = client.get("/web/account").await.hidden("csrf");
    let fields = [("csrf", csrf.as_str()), ("password", password), ("code", code)];
    client.post(&waiting.path(), &[&fields, more].concat()).await
}

#[tokio::test]
async fn a_program_is_let_in_by_a_fresh_proof_and_the_page_says_what_it_asks() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let waiting = asks(&world, Some("alice")).await;
    let page = client.get(&waiting.path()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for shown in ["198.51.100.7", "192.0.2.1", "alice", "for 12h"] {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
    for hidden in [&waiting.secret, &waiting.code] {
        assert!(!page.text.contains(hidden.as_str()), "{}", page.text);
    }

    // A session alone is not enough.
    let wrong = approve(&mut client, &waiting, "wrong", "000000").await;
    assert_eq!(
        (wrong.status, wrong.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid credentials")
    );
    assert!(!wrong.text.contains(&waiting.code));
    assert!(!is_let_in(&world, &waiting).await);
    let approved = approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(approved.location(), "/web/cli?said=approved");
    let done = client.get("/web/cli?said=approved").await;
    assert!(done.text.contains("Approved"), "{}", done.text);
    has_ended(&client.get(&waiting.path()).await);
    assert!(is_let_in(&world, &waiting).await);
    has_ended(&approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await);
}

/// That a page says that there is nothing to decide any more, why that can be, and what to do.
fn has_ended(page: &Answer) {
    assert_eq!(page.status, StatusCode::GONE, "{}", page.text);
    for shown in [
        "This request has ended",
        "approved or refused already",
        "within five minutes",
        "mistyped three times",
        "run the command again",
        "signet login --browser",
    ] {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
}

#[tokio::test]
async fn the_code_is_typed_and_another_address_is_confirmed() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let waiting = asks(&world, None).await;
    let warning = "The program runs elsewhere";
    assert!(client.get(&waiting.path()).await.text.contains(warning));

    // 1. A box that is not ticked approves nothing, and ends nothing.
    let code = [("login_code", waiting.code.as_str())];
    for _ in 0..4 {
        let unsaid = send(&mut client, &waiting, PASSWORD, "000000", &code).await;
        assert_eq!(unsaid.status, StatusCode::FORBIDDEN);
        assert!(unsaid.error().contains("another address"), "{}", unsaid.error());
    }
    assert!(!is_let_in(&world, &waiting).await);

    // 2. Three wrong codes do.
    let wrong = [("login_code", "BBBB-BBBB"), ("elsewhere", "known")];
    for _ in 0..2 {
        let answer = send(&mut client, &waiting, PASSWORD, "000000", &wrong).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    }
    let last = send(&mut client, &waiting, PASSWORD, "000000", &wrong).await;
    assert_eq!(last.status, StatusCode::GONE, "{}", last.text);
    for shown in [
        "This request has ended",
        "Nothing was approved",
        "run the command again",
    ] {
        assert!(last.text.contains(shown), "{shown} is not in {}", last.text);
    }
    has_ended(&approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await);
    assert!(!is_let_in(&world, &waiting).await);

    // 3. In the place that it asked from nothing has to be confirmed.
    let waiting = asks(&world, None).await;
    client.remote = from();
    let page = client.get(&waiting.path()).await;
    assert!(
        !page.text.contains(warning) && !page.text.contains("checkbox"),
        "{}",
        page.text
    );
    let code = [("login_code", waiting.code.as_str())];
    let approved = send(&mut client, &waiting, PASSWORD, &world.next_code(&seed), &code).await;
    assert_eq!(approved.location(), "/web/cli?said=approved");
    assert!(is_let_in(&world, &waiting).await);
}

#[tokio::test]
async fn a_cluster_that_has_it_off_shows_no_page() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    client.sign_up(&world, "alice").await;
    let waiting = asks(&world, None).await;
    world
        .put(serde_json::json!({
            "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
            "spec": { "allow_browser_login": false },
        }))
        .await;
    let page = client.get(&waiting.path()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(
        page.text.contains("does not let the command line in"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn refusing_needs_no_proof_but_a_form_of_ours() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let waiting = asks(&world, None).await;
    let refuse = format!("{}/refuse", waiting.path());
    let foreign = client.post(&refuse, &[("csrf", "x")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let csrf = client.get(&waiting.path()).await.hidden("csrf");
    let refused = client.post(&refuse, &[("csrf", &csrf)]).await;
    assert_eq!(refused.location(), "/web/cli?said=refused");
    has_ended(&approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await);
    has_ended(&client.post(&refuse, &[("csrf", &csrf)]).await);
    assert!(!is_let_in(&world, &waiting).await);
    assert_eq!(client.get("/web/cli").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_logs_in_first_comes_back_and_nowhere_else() {
    let world = World::new().await;
    let (seed, _) = Client::new(&world).sign_up(&world, "alice").await;
    let waiting = asks(&world, None).await;
    let mut client = Client::new(&world);
    let login = format!("/web/login?cli={}", waiting.id);
    assert_eq!(client.get(&waiting.path()).await.location(), login);
    let form = client.get(&login).await;
    assert_eq!(form.hidden("cli"), waiting.id);
    let csrf = form.hidden("csrf");
    let log_in = async |client: &mut Client, cli: &str, code: &str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("user", "alice"),
            ("password", PASSWORD),
            ("code", code),
            ("cli", cli),
        ];
        client.post("/web/login", &fields).await
    };
    let wrong = log_in(&mut client, &waiting.id, "000000").await;
    assert_eq!(wrong.hidden("cli"), waiting.id, "it is kept through a failure");
    let back = log_in(&mut client, &waiting.id, &world.next_code(&seed)).await;
    assert_eq!(back.location(), waiting.path());
    assert_eq!(client.get(&login).await.location(), waiting.path());

    // What is no id leads to the first page.
    for elsewhere in ["//evil.example.com", "../account", "https://evil.example.com/"] {
        let mut client = Client::new(&world);
        let form = client.get(&format!("/web/login?cli={elsewhere}")).await;
        assert!(!form.text.contains("name=\"cli\""), "{}", form.text);
        let csrf = form.hidden("csrf");
        let code = world.next_code(&seed);
        let fields = [
            ("csrf", csrf.as_str()),
            ("user", "alice"),
            ("password", PASSWORD),
            ("code", code.as_str()),
            ("cli", elsewhere),
        ];
        assert_eq!(client.post("/web/login", &fields).await.location(), "/web");
    }
}

#[tokio::test]
async fn what_is_for_somebody_else_or_nobody_is_not_shown() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let of_bob = asks(&world, Some("bob")).await;
    let page = client.get(&of_bob.path()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(!page.text.contains(&of_bob.code), "{}", page.text);
    let approved = approve(&mut client, &of_bob, PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(approved.status, StatusCode::FORBIDDEN);
    for id in [
        "0".repeat(32),
        "A".repeat(32),
        "x".repeat(4_000),
        "%2e%2e".to_owned(),
    ] {
        has_ended(&client.get(&format!("/web/cli/{id}")).await);
    }
}

#[tokio::test]
async fn a_page_says_which_act_is_approved_and_for_whom() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    for (act, words) in [
        (
            PrivilegedAct::Rotate,
            "rotate authorities, revoke certificates and manage keys",
        ),
        (PrivilegedAct::Sign, "issue certificates and other credentials"),
        (
            PrivilegedAct::ReadSecrets,
            "be given the private keys of the cluster&#39;s authorities, unencrypted: with these anybody can issue certificates for any user and \
             host",
        ),
        (
            PrivilegedAct::Admin,
            "decide who has access: change users, roles, machines and settings",
        ),
        (PrivilegedAct::ChangeSecondFactors, "one of your second factors"),
        (PrivilegedAct::ChangePassword, "change your password"),
    ] {
        let waiting = wants(&world, ProofPurpose::Act(act)).await;
        let page = client.get(&waiting.path()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        for shown in [
            words,
            "<strong>alice</strong>",
            "five minutes",
            "198.51.100.7",
            "The program runs elsewhere",
            "Approve only what you began yourself",
        ] {
            assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
        }
        assert!(!page.text.contains("Log in on the command line"), "{}", page.text);
        assert!(!page.text.contains(&waiting.code), "{}", page.text);
    }

    let waiting = wants(&world, ProofPurpose::Act(PrivilegedAct::Rotate)).await;
    let wrong = approve(&mut client, &waiting, "wrong", "000000").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!has_proof(&world, &waiting).await);
    let approved = approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(approved.location(), "/web/cli?said=proved");
    assert!(has_proof(&world, &waiting).await);
    has_ended(&client.get(&waiting.path()).await);
    let done = client.get("/web/cli?said=proved").await;
    assert!(done.text.contains("Approved"), "{}", done.text);
}

#[tokio::test]
async fn a_page_says_which_session_is_opened_and_takes_no_recovery_code() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, signed_up) = client.sign_up(&world, "alice").await;
    let place = SessionPlace {
        host_id: "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11".to_owned(),
        hostname: "web-<1>".to_owned(),
        login: "root".parse().unwrap(),
    };
    let waiting = wants(&world, ProofPurpose::Session(place)).await;
    let page = client.get(&waiting.path()).await;
    for shown in [
        "web-&#60;1&#62;",
        "<strong>root</strong>",
        "0c5a3f1e-52a8",
        "198.51.100.7",
    ] {
        assert!(page.text.contains(shown), "{shown} is not in {}", page.text);
    }
    assert!(!page.text.contains("recovery"), "{}", page.text);
    let recovery_code = &signed_up.codes()[0];
    let more = [
        ("login_code", waiting.code.as_str()),
        ("elsewhere", "known"),
        ("recovery_code", recovery_code.as_str()),
    ];
    let refused = send(&mut client, &waiting, PASSWORD, "", &more).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.error().contains("recovery code"), "{}", refused.error());
    assert!(!has_proof(&world, &waiting).await);
    let approved = approve(&mut client, &waiting, PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(approved.location(), "/web/cli?said=proved");
    assert!(has_proof(&world, &waiting).await);
}

#[tokio::test]
async fn a_proof_is_nobody_elses_to_see_to_approve_or_to_refuse() {
    let world = World::new().await;
    Client::new(&world).sign_up(&world, "alice").await;
    let waiting = wants(&world, ProofPurpose::Act(PrivilegedAct::Rotate)).await;
    world.add_user("bob").await;
    let mut bob = Client::new(&world);
    let (seed, _) = bob.sign_up(&world, "bob").await;
    let page = bob.get(&waiting.path()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("only alice can approve"), "{}", page.text);
    let approved = approve(&mut bob, &waiting, PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(approved.status, StatusCode::FORBIDDEN);
    let csrf = bob.get("/web/account").await.hidden("csrf");
    let refuse = format!("{}/refuse", waiting.path());
    let refused = bob.post(&refuse, &[("csrf", &csrf)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
