use authn::Password;
use authn::PasswordProblem;
use identity::Answer;
use identity::Factor;
use identity::FactorKind;
use identity::Granted;
use identity::InviteFinish;
use identity::Purpose;
use identity::Refusal;
use identity::Wanted;
use names::Ttl;
use serde_json::json;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::home;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;

#[tokio::test]
async fn a_link_signs_up_once() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    assert_eq!(invite.expires, world.now().plus(Ttl::from_hours(1)));
    let token = invite.bearer.expose();
    let view = world.identity.invite_look(&token).await.unwrap();
    assert_eq!((view.user, view.purpose), (name("alice"), Purpose::SignUp));
    let (_, enrolled) = world
        .enrol(&token, PASSWORD, Some(Wanted::WebSession))
        .await
        .unwrap();
    assert_eq!(enrolled.recovery_codes.len(), 10);
    let Some(Granted::WebSession(session)) = enrolled.granted else {
        panic!("no session");
    };
    world.identity.session(&session.bearer.expose()).await.unwrap();
    assert_eq!(
        refusal(world.identity.invite_look(&token).await),
        Refusal::LinkGone
    );
    assert_eq!(
        refusal(world.enrol(&token, PASSWORD, None).await),
        Refusal::LinkGone
    );
    for event in [
        "user.invite.create",
        "user.invite.use",
        "user.password_change",
        "mfa.add",
        "recovery_code.generate",
        "user.login",
        "web_session.create",
    ] {
        assert_eq!(world.events(event).len(), 1, "{event}");
    }
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_signs_up() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    let token = invite.bearer.expose();
    let (one, other) = tokio::join!(
        world.enrol(&token, PASSWORD, None),
        world.enrol(&token, "eight green cows", None)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    let lost = if one.is_ok() { refusal(other) } else { refusal(one) };
    assert_eq!(lost, Refusal::LinkGone);
}

#[tokio::test]
async fn links_end_are_replaced_and_are_bounded() {
    let world = World::new().await;
    world.add_user("alice").await;
    let alice = name("alice");
    let first = world.invite("alice").await;
    let second = world
        .identity
        .invite(&operator(), &alice, Some(Ttl::from_hours(48)))
        .await
        .unwrap();
    let look = async |token: &str| world.identity.invite_look(token).await;
    assert_eq!(refusal(look(&first.bearer.expose()).await), Refusal::LinkGone);
    look(&second.bearer.expose()).await.unwrap();
    world.pass(48 * 3_600);
    assert_eq!(refusal(look(&second.bearer.expose()).await), Refusal::LinkGone);
    for ttl in [Ttl::from_seconds(0), Ttl::from_seconds(48 * 3_600 + 1)] {
        let refused = world.identity.invite(&operator(), &alice, Some(ttl)).await;
        assert_eq!(refusal(refused).code(), "malformed");
    }
    let unknown = world.identity.invite(&operator(), &name("bob"), None).await;
    assert_eq!(refusal(unknown), Refusal::NoSuchUser(name("bob")));
    for bad in ["", "x", &"A".repeat(43), "../../../user/alice"] {
        assert_eq!(refusal(look(bad).await), Refusal::LinkGone);
    }
}

#[tokio::test]
async fn a_weak_password_or_a_wrong_code_does_not_use_the_link_up() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    let token = invite.bearer.expose();
    for (password, problem) in [
        ("short", PasswordProblem::TooShort),
        ("password1234!", PasswordProblem::Frequent),
        ("alicealicealice", PasswordProblem::UserName),
    ] {
        let refused = world.enrol(&token, password, None).await;
        assert_eq!(refusal(refused), Refusal::WeakPassword(problem));
    }
    let offer = world
        .identity
        .invite_begin(&token, FactorKind::Totp)
        .await
        .unwrap();
    let finish = InviteFinish {
        token: &token,
        challenge: &offer.challenge,
        password: Password::new(PASSWORD.into()),
        answer: Answer::Totp(Zeroizing::new("000000".into())),
        device_name: "",
        remote: home(),
        wanted: None,
    };
    let refused = world.identity.invite_finish(finish).await;
    assert_eq!(refusal(refused).code(), "second_factor_refused");
    world.enrol(&token, PASSWORD, None).await.unwrap();
}

#[tokio::test]
async fn a_key_signs_up_too() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    let token = invite.bearer.expose();
    let mut key = Authenticator::new();
    let mut elsewhere = Authenticator::new();
    elsewhere.origin = "https://evil.example";
    let finish = async |key: &mut Authenticator| {
        let offer = world
            .identity
            .invite_begin(&token, FactorKind::Webauthn)
            .await
            .unwrap();
        assert!(offer.totp.is_none());
        let finish = InviteFinish {
            token: &token,
            challenge: &offer.challenge,
            password: Password::new(PASSWORD.into()),
            answer: Answer::Webauthn(key.create(&offer.webauthn.unwrap())),
            device_name: "yellow key",
            remote: home(),
            wanted: None,
        };
        world.identity.invite_finish(finish).await
    };
    assert_eq!(
        refusal(finish(&mut elsewhere).await).code(),
        "second_factor_refused"
    );
    finish(&mut key).await.unwrap();
    let device = world.identity.account(&name("alice")).await.unwrap().devices[0].clone();
    assert_eq!(
        (device.name.as_str(), device.kind),
        ("yellow key", FactorKind::Webauthn)
    );
    let question = world.identity.login_begin("alice").await.unwrap();
    let answer = key.get(&question.webauthn.unwrap());
    let finish = identity::LoginFinish {
        challenge: Some(&question.id),
        user: "alice",
        password: Password::new(PASSWORD.into()),
        factor: Factor::Webauthn(answer),
        wanted: Wanted::WebSession,
        remote: home(),
    };
    world.identity.login_finish(finish).await.unwrap();
}

#[tokio::test]
async fn a_reset_ends_what_was_before_when_it_is_used() {
    let (world, alice) = World::with_alice().await;
    let logged_in = world.login_alice(&alice).await.unwrap();
    let Granted::WebSession(session) = logged_in.granted else {
        panic!("no session");
    };
    for _ in 0..5 {
        world.fail_alice(home()).await;
    }
    let invite = world.invite("alice").await;
    assert_eq!(invite.purpose, Purpose::Reset);
    // Until then nothing has changed.
    world.identity.session(&session.bearer.expose()).await.unwrap();
    world.pass(30);
    let token = invite.bearer.expose();
    let (seed, _) = world.enrol(&token, "eight green cows", None).await.unwrap();
    assert_eq!(
        refusal(world.identity.session(&session.bearer.expose()).await),
        Refusal::SessionGone
    );
    world.pass(30);
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    let factor = Factor::Totp(world.code(&seed));
    world
        .login("alice", "eight green cows", factor, home(), Wanted::WebSession)
        .await
        .unwrap();
    let old_code = Factor::RecoveryCode(Zeroizing::new(alice.recovery_codes[0].clone()));
    let with_old = world
        .login("alice", "eight green cows", old_code, home(), Wanted::WebSession)
        .await;
    assert_eq!(refusal(with_old), Refusal::InvalidCredentials);
}

#[tokio::test]
async fn locked_users_do_not_sign_up() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    world.lock(json!({ "user": "alice" })).await;
    let refused = world.identity.invite_look(&invite.bearer.expose()).await;
    assert_eq!(refusal(refused).code(), "user_locked");
}

#[tokio::test]
async fn i9_nothing_that_is_stored_or_logged_is_a_secret() {
    let world = World::new().await;
    world.add_user("alice").await;
    let invite = world.invite("alice").await;
    let token = invite.bearer.expose().to_string();
    let offer = world
        .identity
        .invite_begin(&token, FactorKind::Totp)
        .await
        .unwrap();
    let offered = offer.totp.unwrap().secret.to_string();
    let (seed, enrolled) = world
        .enrol(&token, PASSWORD, Some(Wanted::WebSession))
        .await
        .unwrap();
    let Some(Granted::WebSession(session)) = enrolled.granted else {
        panic!("no session");
    };
    let mut secrets = vec![
        token,
        offered,
        PASSWORD.to_owned(),
        seed.base32().to_string(),
        session.bearer.expose().to_string(),
        session.bearer.csrf_token().as_str().to_owned(),
    ];
    for code in &enrolled.recovery_codes {
        secrets.push(code.expose().to_owned());
        secrets.push(code.expose().replace('-', ""));
    }
    let mut places = world.stored("identity").await;
    assert!(places.len() >= 6, "{places:?}");
    places.extend(
        world
            .ledger
            .lines()
            .into_iter()
            .map(|line| ("ledger".to_owned(), line)),
    );
    for (place, text) in places {
        for secret in &secrets {
            assert!(
                !text.contains(secret) && !place.contains(secret),
                "{place} has a secret"
            );
        }
    }
}
