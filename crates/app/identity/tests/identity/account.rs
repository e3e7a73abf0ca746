use authn::Password;
use identity::Answer;
use identity::Factor;
use identity::FactorKind;
use identity::Granted;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::Reauthenticate;
use identity::Refusal;

use crate::authenticator::Authenticator;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::home;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;
use crate::world::shown;

#[tokio::test]
async fn a_proof_is_for_one_user_one_act_and_five_minutes() {
    let (world, alice) = World::with_alice().await;
    world.add_user("bob").await;
    let token = world.prove(&alice, PrivilegedAct::Rotate).await;
    let require =
        async |user: &str, token: &str, act| world.identity.require(&name(user), shown(token), act).await;
    require("alice", &token, PrivilegedAct::Rotate).await.unwrap();
    require("alice", &token, PrivilegedAct::Rotate).await.unwrap();
    let needed = Refusal::ReauthenticationNeeded;
    for act in PrivilegedAct::ALL
        .into_iter()
        .filter(|act| *act != PrivilegedAct::Rotate)
    {
        assert_eq!(refusal(require("alice", &token, act).await), needed);
    }
    assert_eq!(
        refusal(require("bob", &token, PrivilegedAct::Rotate).await),
        needed
    );
    assert_eq!(refusal(require("alice", "", PrivilegedAct::Rotate).await), needed);
    world.pass(300);
    assert_eq!(
        refusal(require("alice", &token, PrivilegedAct::Rotate).await),
        needed
    );
    let told = world.events("privilege_token.create");
    assert_eq!(
        (&told[0]["purpose"], &told[0]["code"]),
        (&"rotate".into(), &"SU010I".into())
    );
}

#[tokio::test]
async fn the_last_second_factor_stays() {
    let (world, alice) = World::with_alice().await;
    let user = name("alice");
    let first = world.identity.account(&user).await.unwrap().devices[0].id.clone();
    let remove = async |device: &str| {
        let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
        world
            .identity
            .device_remove(&operator(), &user, shown(&token), device)
            .await
    };
    assert_eq!(refusal(remove(&first).await), Refusal::LastFactor);
    assert_eq!(refusal(remove("unknown").await), Refusal::NoSuchDevice);
    let mut key = Authenticator::new();
    let second = world.add_key(&alice, &mut key).await;
    assert_eq!(world.identity.account(&user).await.unwrap().devices.len(), 2);
    // What is refused anyway asks for no proof, which may have cost a recovery code.
    let unproven = world
        .identity
        .device_remove(&operator(), &user, shown(""), "unknown")
        .await;
    assert_eq!(refusal(unproven), Refusal::NoSuchDevice);
    remove(&second).await.unwrap();
    let unproven = world
        .identity
        .device_remove(&operator(), &user, shown(""), &first)
        .await;
    assert_eq!(refusal(unproven), Refusal::LastFactor);
    assert_eq!(world.identity.account(&user).await.unwrap().devices.len(), 1);
    assert_eq!(world.events("mfa.add").len(), 2);
    assert_eq!(world.events("mfa.delete").len(), 1);
}

#[tokio::test]
async fn second_factors_of_a_user_have_names_of_their_own() {
    let (world, alice) = World::with_alice().await;
    let user = name("alice");
    world.add_key(&alice, &mut Authenticator::new()).await;
    // Whoever says nothing gets a name that is free.
    for (name, is_taken) in [
        ("key", true),
        ("KEY", true),
        ("other key", false),
        ("", false),
        ("webauthn", true),
        ("", false),
    ] {
        let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
        let offer = world
            .identity
            .device_begin(&user, shown(&token), FactorKind::Webauthn)
            .await
            .unwrap();
        let answer = Answer::Webauthn(Authenticator::new().create(&offer.webauthn.unwrap()));
        let finished = world
            .identity
            .device_finish(&operator(), &user, &offer.challenge, answer, name)
            .await;
        match finished {
            Ok(added) => assert!(!is_taken, "{added:?}"),
            refused => {
                assert!(is_taken, "{refused:?}");
                assert_eq!(refusal(refused), Refusal::DeviceNameTaken(name.to_owned()));
            }
        }
    }
    let devices = world.identity.account(&user).await.unwrap().devices;
    let names = devices
        .iter()
        .map(|device| device.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(names[1..], ["key", "other key", "webauthn", "webauthn 2"]);
}

#[tokio::test]
async fn changes_need_a_proof_each() {
    let (world, alice) = World::with_alice().await;
    let user = name("alice");
    let needed = Refusal::ReauthenticationNeeded;
    let begun = world
        .identity
        .device_begin(&user, shown(""), FactorKind::Totp)
        .await;
    assert_eq!(refusal(begun), needed);
    let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
    let codes = world
        .identity
        .recovery_codes_renew(&operator(), &user, shown(&token))
        .await
        .unwrap();
    assert_eq!(codes.len(), 10);
    assert_ne!(codes[0].expose(), alice.recovery_codes[0]);
    let again = world
        .identity
        .recovery_codes_renew(&operator(), &user, shown(&token))
        .await;
    assert_eq!(refusal(again), needed);
    let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
    let offer = world
        .identity
        .device_begin(&user, shown(&token), FactorKind::Totp)
        .await
        .unwrap();
    let again = world
        .identity
        .device_begin(&user, shown(&token), FactorKind::Totp)
        .await;
    assert_eq!(refusal(again), needed);
    // An offer is answered in its own kind.
    let wrong = Answer::Webauthn(serde_json::json!({}));
    let wrong = world
        .identity
        .device_finish(&operator(), &user, &offer.challenge, wrong, "x")
        .await;
    assert_eq!(refusal(wrong), Refusal::ChallengeGone);
}

#[tokio::test]
async fn what_was_begun_with_a_second_factor_that_is_gone_adds_none() {
    let user = name("alice");
    for (goes, wanted) in [
        ("nothing", None),
        ("the device", Some(Refusal::ReauthenticationNeeded)),
        ("by a lock", Some(Refusal::ReauthenticationNeeded)),
        ("the password", Some(Refusal::ChallengeGone)),
    ] {
        let (world, alice) = World::with_alice().await;
        let mut stolen = Authenticator::new();
        let device = world.add_key(&alice, &mut stolen).await;
        // Whoever has the stolen key begins to add one of their own.
        let challenge = world.identity.login_begin("alice").await.unwrap();
        let asked = Reauthenticate {
            challenge: &challenge.id,
            user: &user,
            password: Password::new(PASSWORD.to_owned()),
            factor: Factor::Webauthn(stolen.get(challenge.webauthn.as_ref().unwrap())),
            act: PrivilegedAct::ChangeSecondFactors,
            holder: ProofHolder::Pages,
            remote: home(),
        };
        let proof = world.identity.reauthenticate(asked).await.unwrap();
        let offer = world
            .identity
            .device_begin(&user, shown(&proof.bearer.expose()), FactorKind::Webauthn)
            .await
            .unwrap();
        match goes {
            "the device" => {
                let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
                let removed = world
                    .identity
                    .device_remove(&operator(), &user, shown(&token), &device)
                    .await;
                removed.unwrap();
            }
            "by a lock" => world.lock(serde_json::json!({ "mfa_device": device })).await,
            "the password" => {
                let token = world.prove(&alice, PrivilegedAct::ChangePassword).await;
                let new = Password::new("eight green cows".to_owned());
                let changed = world
                    .identity
                    .password_change(&operator(), &user, shown(&token), new, None)
                    .await;
                changed.unwrap();
            }
            _ => {}
        }
        let added = world.events("mfa.add").len();
        let answer = Answer::Webauthn(Authenticator::new().create(&offer.webauthn.unwrap()));
        let finished = world
            .identity
            .device_finish(&operator(), &user, &offer.challenge, answer, "theirs")
            .await;
        match wanted {
            None => assert_eq!(finished.unwrap().name, "theirs"),
            Some(wanted) => {
                assert_eq!(refusal(finished), wanted, "{goes}");
                assert_eq!(world.events("mfa.add").len(), added, "{goes}");
            }
        }
    }
}

#[tokio::test]
async fn another_password_ends_every_other_session_and_proof() {
    let (world, mut alice) = World::with_alice().await;
    let user = name("alice");
    let mut bearers = Vec::new();
    for _ in 0..2 {
        let Granted::WebSession(session) = world.login_alice(&alice).await.unwrap().granted else {
            panic!("no session");
        };
        bearers.push(session.bearer.expose().to_string());
        world.pass(30);
    }
    let rotate = world.prove(&alice, PrivilegedAct::Rotate).await;
    let token = world.prove(&alice, PrivilegedAct::ChangePassword).await;
    let change = async |token: &str, password: &str| {
        let new = Password::new(password.to_owned());
        world
            .identity
            .password_change(&operator(), &user, shown(token), new, Some(&bearers[0]))
            .await
    };
    assert_eq!(refusal(change(&token, "short").await).code(), "weak_password");
    change(&token, "eight green cows").await.unwrap();
    assert_eq!(
        refusal(change(&token, "nine red birds").await),
        Refusal::ReauthenticationNeeded
    );
    let session = world.identity.session(&bearers[0]).await.unwrap();
    assert_eq!(session.person.user, user);
    assert_eq!(
        refusal(world.identity.session(&bearers[1]).await),
        Refusal::SessionGone
    );
    let after = world
        .identity
        .require(&user, shown(&rotate), PrivilegedAct::Rotate)
        .await;
    assert_eq!(refusal(after), Refusal::ReauthenticationNeeded);
    world.pass(30);
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    let factor = identity::Factor::Totp(world.code(&alice.seed));
    let wanted = identity::Wanted::WebSession;
    world
        .login("alice", "eight green cows", factor, home(), wanted)
        .await
        .unwrap();
    alice.recovery_codes.clear();
}

#[tokio::test]
async fn what_hung_on_a_removed_user_is_gone_and_the_next_of_the_name_signs_up() {
    let (world, alice) = World::with_alice().await;
    let user = name("alice");
    world.remove_user("alice").await;
    assert_eq!(world.stored("identity/user/alice").await, []);
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    assert_eq!(
        refusal(world.identity.account(&user).await),
        Refusal::NotSignedUp(user.clone())
    );
    world.add_user("alice").await;
    assert!(!world.identity.status(&user).await.unwrap().has_password);
    world.sign_up("alice").await;
    assert!(world.identity.status(&user).await.unwrap().has_password);
}

#[tokio::test]
async fn ten_second_factors_are_enough() {
    let (world, alice) = World::with_alice().await;
    for _ in 0..9 {
        world.add_key(&alice, &mut Authenticator::new()).await;
    }
    let token = world.prove(&alice, PrivilegedAct::ChangeSecondFactors).await;
    let eleventh = world
        .identity
        .device_begin(&name("alice"), shown(&token), FactorKind::Webauthn)
        .await;
    assert_eq!(refusal(eleventh), Refusal::TooManyDevices(10));
}
