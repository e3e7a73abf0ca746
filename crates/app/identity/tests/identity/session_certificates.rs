use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use cluster::Credential;
use identity::Carried;
use identity::Factor;
use identity::IdentityError;
use identity::Refusal;
use identity::SessionAsked;
use identity::SessionPlace;
use identity::SessionShown;
use key::PublicKey;
use names::Principal;
use names::UnixSeconds;
use serde_json::Value;
use serde_json::json;
use ssh_cert::Certificate;
use ssh_cert::OwnFact;
use ssh_cert::SubjectKey;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::world::World;
use crate::world::home;
use crate::world::name;
use crate::world::refusal;

const HOST: &str = "0c5a3f1e-52a8-4a0e-8f0e-0f0d1d1f6a11";

fn place() -> SessionPlace {
    SessionPlace {
        host_id: HOST.to_owned(),
        hostname: "web-1".to_owned(),
        login: Principal::parse("root").unwrap(),
    }
}

async fn ask(world: &World, factor: Factor, login_ends: UnixSeconds) -> Result<Credential, IdentityError> {
    let question = world.identity.login_begin("alice").await.unwrap();
    answer(world, &question.id, factor, login_ends).await
}

async fn answer(
    world: &World,
    challenge: &str,
    factor: Factor,
    login_ends: UnixSeconds,
) -> Result<Credential, IdentityError> {
    answer_within(world, challenge, factor, login_ends, &everything()).await
}

/// What a certificate of alice's carries.
fn everything() -> Carried {
    Carried {
        roles: vec![Principal::parse("developer").unwrap()],
        ..Carried::default()
    }
}

async fn answer_within(
    world: &World,
    challenge: &str,
    factor: Factor,
    login_ends: UnixSeconds,
    carried: &Carried,
) -> Result<Credential, IdentityError> {
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap();
    world
        .identity
        .session_certificate(SessionAsked {
            shown: SessionShown::Factor { challenge, factor },
            user: &name("alice"),
            carried,
            login_ends,
            key: SubjectKey::from_public_key(&key).unwrap(),
            place: &place(),
            allowed_by: "role developer".to_owned(),
            remote: home(),
        })
        .await
}

fn in_an_hour(world: &World) -> UnixSeconds {
    UnixSeconds(world.now().0 + 3_600)
}

fn told(world: &World) -> Value {
    world.events("mfa.session").last().unwrap().clone()
}

fn wrong() -> Factor {
    Factor::Totp(Zeroizing::new("000000".to_owned()))
}

#[tokio::test]
async fn a_code_gives_a_certificate_for_one_session() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let ends = in_an_hour(&world);
    let issued = ask(&world, Factor::Totp(world.code(&alice.seed)), ends)
        .await
        .unwrap();
    let certificate = Certificate::from_blob(&issued.document).unwrap();
    assert_eq!(certificate.key_id(), "alice");
    let principals: Vec<_> = certificate.principals().iter().map(Principal::as_str).collect();
    assert_eq!(principals, ["root"]);
    assert_eq!(certificate.fact(OwnFact::SessionNode), Some(HOST));
    assert_eq!(
        certificate.fact(OwnFact::LoginExpires),
        Some(ends.0.to_string().as_str())
    );
    assert_eq!(certificate.fact(OwnFact::Roles), Some("developer"));
    assert_eq!(issued.not_after.0 - world.now().0, 120);
    let event = told(&world);
    assert_eq!(event["code"], "SU015I");
    assert_eq!(event["user"], "alice");
    assert_eq!(event["method"], "totp");
    assert_eq!(event["login"], "root");
    assert_eq!(event["server_id"], HOST);
    assert_eq!(event["server_hostname"], "web-1");
    assert_eq!(event["device"], certificate.fact(OwnFact::MfaVerified).unwrap());
    let created = world.events("cert.create").last().unwrap().clone();
    assert_eq!(created["cert_type"], "session");
    assert_eq!(created["allowed_by"], "role developer");
}

#[tokio::test]
async fn it_never_outlives_the_log_in_that_it_rests_on() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let soon = UnixSeconds(world.now().0 + 7);
    let issued = ask(&world, Factor::Totp(world.code(&alice.seed)), soon)
        .await
        .unwrap();
    assert_eq!(issued.not_after, soon);
    world.pass(30);
    let over = ask(&world, Factor::Totp(world.code(&alice.seed)), world.now()).await;
    assert_eq!(refusal(over), Refusal::ReauthenticationNeeded);
}

#[tokio::test]
async fn a_code_is_good_once_and_a_wrong_one_for_nothing() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let ends = in_an_hour(&world);
    let code = || Factor::Totp(world.code(&alice.seed));
    let _issued = ask(&world, code(), ends).await.unwrap();
    assert_eq!(
        refusal(ask(&world, code(), ends).await),
        Refusal::InvalidCredentials
    );
    let event = told(&world);
    assert_eq!(event["code"], "SU015W");
    assert_eq!(event["error"], "wrong second factor");
    assert_eq!(
        refusal(ask(&world, wrong(), ends).await),
        Refusal::InvalidCredentials
    );
    // Nor is one that a log-in used up, and the other way round.
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    world.pass(30);
    world.login_alice(&alice).await.unwrap();
    assert_eq!(
        refusal(ask(&world, code(), ends).await),
        Refusal::InvalidCredentials
    );
}

#[tokio::test]
async fn a_question_is_answered_once() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let ends = in_an_hour(&world);
    let question = world.identity.login_begin("alice").await.unwrap();
    let refused = answer(&world, &question.id, wrong(), ends).await;
    assert_eq!(refusal(refused), Refusal::InvalidCredentials);
    let again = answer(&world, &question.id, Factor::Totp(world.code(&alice.seed)), ends).await;
    assert_eq!(refusal(again), Refusal::ChallengeGone);
}

#[tokio::test]
async fn failures_count_as_those_of_log_ins_do() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let ends = in_an_hour(&world);
    for _ in 0..5 {
        assert_eq!(
            refusal(ask(&world, wrong(), ends).await),
            Refusal::InvalidCredentials
        );
    }
    let right = ask(&world, Factor::Totp(world.code(&alice.seed)), ends).await;
    assert_eq!(refusal(right), Refusal::InvalidCredentials);
    assert_eq!(told(&world)["error"], "locked out after too many failures");
    assert_eq!(world.events("user.login.lockout").len(), 1);
}

#[tokio::test]
async fn recovery_codes_are_for_logging_in() {
    let (world, alice) = World::with_alice().await;
    let code = Factor::RecoveryCode(Zeroizing::new(alice.recovery_codes[0].clone()));
    let refused = ask(&world, code, in_an_hour(&world)).await;
    assert_eq!(refusal(refused).code(), "factor_not_allowed");
    // And the code was not used up by it.
    assert_eq!(world.events("recovery_code.use").len(), 0);
}

#[tokio::test]
async fn a_key_in_an_authenticator_is_taken_as_well() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    let device = world.add_key(&alice, &mut key).await;
    let question = world.identity.login_begin("alice").await.unwrap();
    let answered = key.get(question.webauthn.as_ref().unwrap());
    let issued = answer(
        &world,
        &question.id,
        Factor::Webauthn(answered),
        in_an_hour(&world),
    )
    .await
    .unwrap();
    let certificate = Certificate::from_blob(&issued.document).unwrap();
    assert_eq!(certificate.fact(OwnFact::MfaVerified), Some(device.as_str()));
    assert_eq!(told(&world)["method"], "webauthn");
}

#[tokio::test]
async fn a_lock_on_the_second_factor_or_the_user_refuses_it() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let ends = in_an_hour(&world);
    let issued = ask(&world, Factor::Totp(world.code(&alice.seed)), ends)
        .await
        .unwrap();
    let certificate = Certificate::from_blob(&issued.document).unwrap();
    let device = certificate.fact(OwnFact::MfaVerified).unwrap();
    world.lock(json!({ "mfa_device": device })).await;
    world.pass(30);
    let refused = ask(&world, Factor::Totp(world.code(&alice.seed)), ends).await;
    assert_eq!(refusal(refused).code(), "user_locked");
    assert_eq!(told(&world)["error"], "locked by an operator");
}

#[tokio::test]
async fn certificates_of_a_log_in_name_the_second_factor_for_ssh_and_for_tls() {
    let (world, alice) = World::with_alice().await;
    world.pass(30);
    let pair = || {
        let pair = Ed25519KeyPair::generate().unwrap();
        PublicKey::from_ed25519(pair.public_key().as_ref()).unwrap()
    };
    let keys = identity::CertificateKeys {
        ssh: SubjectKey::from_public_key(&pair()).unwrap(),
        tls: pair(),
        ttl: None,
    };
    let wanted = identity::Wanted::Certificates(Box::new(keys));
    let factor = Factor::Totp(world.code(&alice.seed));
    let logged_in = world
        .login("alice", crate::world::PASSWORD, factor, home(), wanted)
        .await;
    let logged_in = logged_in.unwrap();
    let identity::Granted::Certificates(certificates) = logged_in.granted else {
        panic!("no certificates");
    };
    let ssh = Certificate::from_blob(&certificates.ssh.document).unwrap();
    assert_eq!(ssh.fact(OwnFact::MfaVerified), Some(logged_in.device.as_str()));
    assert_eq!(ssh.fact(OwnFact::SessionNode), None);
    let tls = x509::Certificate::from_der(&certificates.tls.document).unwrap();
    let identity = tls.identity().unwrap();
    assert_eq!(identity.mfa_device.as_deref(), Some(logged_in.device.as_str()));
}

#[tokio::test]
async fn it_carries_no_more_than_the_certificate_that_was_shown() {
    let (world, alice) = World::with_alice().await;
    let narrow = Carried {
        // One that she does not have, and not the one that she has.
        roles: vec![Principal::parse("operators").unwrap()],
        traits: [("team".to_owned(), vec!["everything".to_owned()])].into(),
    };
    world.pass(30);
    let question = world.identity.login_begin("alice").await.unwrap();
    let factor = Factor::Totp(world.code(&alice.seed));
    let issued = answer_within(&world, &question.id, factor, in_an_hour(&world), &narrow).await;
    let certificate = Certificate::from_blob(&issued.unwrap().document).unwrap();
    assert_eq!(certificate.fact(OwnFact::Roles).unwrap_or_default(), "");
    assert_eq!(certificate.fact(OwnFact::Traits), None);
}
