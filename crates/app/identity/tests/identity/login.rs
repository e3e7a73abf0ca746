use authn::Password;
use identity::Factor;
use identity::FactorKind;
use identity::Granted;
use identity::IdentityError;
use identity::LoginFinish;
use identity::Refusal;
use identity::Wanted;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use crate::authenticator::Authenticator;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::at;
use crate::world::home;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;

fn code(text: &str) -> Factor {
    Factor::Totp(Zeroizing::new(text.to_owned()))
}

#[tokio::test]
async fn password_and_code_log_in_and_the_log_says_so() {
    let (world, alice) = World::with_alice().await;
    let logged_in = world.login_alice(&alice).await.unwrap();
    assert_eq!(logged_in.user, name("alice"));
    assert!(matches!(logged_in.granted, Granted::WebSession(_)));
    let login = &world.events("user.login")[0];
    assert_eq!(login["code"], "SU001I");
    assert_eq!(login["user"], "alice");
    assert_eq!(login["addr.remote"], "192.0.2.1:40000");
    assert_eq!(login["method"], "password+totp");
    assert_eq!(login["client"], "web");
    assert_eq!(login["device"], logged_in.device);
}

#[tokio::test]
async fn every_wrong_log_in_gets_the_same_answer() {
    let (world, alice) = World::with_alice().await;
    world.add_user("bob").await;
    let good = world.code(&alice.seed).to_string();
    let wrong = [
        ("nobody", PASSWORD, code(&good), "unknown user"),
        ("no\nname", PASSWORD, code(&good), "unknown user"),
        ("bob", PASSWORD, code(&good), "the user has not signed up"),
        ("alice", "wrong password", code(&good), "wrong password"),
        ("alice", PASSWORD, code("000000"), "wrong second factor"),
        (
            "alice",
            PASSWORD,
            Factor::Webauthn(json!({})),
            "wrong second factor",
        ),
        ("nobody", PASSWORD, Factor::Webauthn(json!({})), "unknown user"),
    ];
    let remote = at("198.51.100.7");
    for (user, password, factor, cause) in wrong {
        let before = world.commits().await;
        let asked = u64::from(matches!(factor, Factor::Webauthn(_)));
        let answer = world
            .login(user, password, factor, remote, Wanted::WebSession)
            .await;
        assert_eq!(refusal(answer), Refusal::InvalidCredentials);
        // The same work as well: the attempt entered, the attempt settled, and before that the question, where a key was asked one.
        assert_eq!(world.commits().await - before, 2 + asked, "{cause}");
        let told = world.events("user.login");
        let told = told.last().unwrap();
        assert_eq!(told["error"], cause);
        assert_eq!(told["code"], "SU001W");
        assert_eq!(told["actor_kind"], "claimed");
    }
    // The code was never used up by what failed.
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn a_code_logs_in_once() {
    let (world, alice) = World::with_alice().await;
    world.login_alice(&alice).await.unwrap();
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    world.pass(30);
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn of_two_at_once_with_one_code_one_logs_in() {
    let (world, alice) = World::with_alice().await;
    for _ in 0..5 {
        world.pass(30);
        let (one, other) = tokio::join!(world.login_alice(&alice), world.login_alice(&alice));
        assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    }
}

#[tokio::test]
async fn a_question_is_answered_once_and_in_time_by_whom_it_was_asked() {
    let (world, alice) = World::with_alice().await;
    world.add_user("bob").await;
    let attempt = async |challenge: &str, user: &str| {
        let finish = LoginFinish {
            challenge: Some(challenge),
            user,
            password: Password::new(PASSWORD.into()),
            factor: Factor::Totp(world.code(&alice.seed)),
            wanted: Wanted::WebSession,
            remote: home(),
        };
        world.identity.login_finish(finish).await
    };
    let question = world.identity.login_begin("alice").await.unwrap();
    for bad in ["", "../../x", &"0".repeat(32), &question.id[1..]] {
        assert_eq!(refusal(attempt(bad, "alice").await), Refusal::ChallengeGone);
    }
    assert_eq!(
        refusal(attempt(&question.id, "bob").await),
        Refusal::ChallengeGone
    );
    attempt(&question.id, "alice").await.unwrap();
    world.pass(30);
    assert_eq!(
        refusal(attempt(&question.id, "alice").await),
        Refusal::ChallengeGone
    );
    let question = world.identity.login_begin("alice").await.unwrap();
    world.pass(300);
    assert_eq!(
        refusal(attempt(&question.id, "alice").await),
        Refusal::ChallengeGone
    );
}

#[tokio::test]
async fn a_key_that_was_asked_nothing_answers_nothing() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    world.add_key(&alice, &mut key).await;
    let question = world.identity.login_begin("alice").await.unwrap();
    let answer = key.get(&question.webauthn.unwrap());
    for user in ["alice", "nobody"] {
        let finish = LoginFinish {
            challenge: None,
            user,
            password: Password::new(PASSWORD.into()),
            factor: Factor::Webauthn(answer.clone()),
            wanted: Wanted::WebSession,
            remote: home(),
        };
        assert_eq!(
            refusal(world.identity.login_finish(finish).await),
            Refusal::ChallengeGone
        );
    }
    // It was no attempt: nothing was looked at.
    assert_eq!(world.events("user.login").len(), 0);
}

#[tokio::test]
async fn a_recovery_code_logs_in_once() {
    let (world, alice) = World::with_alice().await;
    let login = async |code: &str| {
        let factor = Factor::RecoveryCode(Zeroizing::new(code.to_owned()));
        world
            .login("alice", PASSWORD, factor, home(), Wanted::WebSession)
            .await
    };
    let first = &alice.recovery_codes[0];
    assert_eq!(login(first).await.unwrap().device, "recovery_code");
    assert_eq!(refusal(login(first).await), Refusal::InvalidCredentials);
    login(&alice.recovery_codes[9].to_uppercase()).await.unwrap();
    let used = world.events("recovery_code.use");
    assert_eq!(used[0]["remaining"], 9);
    assert_eq!(used[1]["remaining"], 8);
    let account = world.identity.account(&name("alice")).await.unwrap();
    assert_eq!(account.recovery_codes_left, 8);
}

#[tokio::test]
async fn a_key_logs_in_and_a_copy_of_it_does_not() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    let device = world.add_key(&alice, &mut key).await;
    let begin = async || world.identity.login_begin("alice").await.unwrap();
    let finish = async |challenge: &str, answer: Value| {
        let finish = LoginFinish {
            challenge: Some(challenge),
            user: "alice",
            password: Password::new(PASSWORD.into()),
            factor: Factor::Webauthn(answer),
            wanted: Wanted::WebSession,
            remote: home(),
        };
        world.identity.login_finish(finish).await
    };
    let question = begin().await;
    let asked = question.webauthn.unwrap();
    assert_eq!(
        asked.pointer("/publicKey/allowCredentials/0/id").unwrap(),
        &json!(key.id())
    );
    let answer = key.get(&asked);
    assert_eq!(finish(&question.id, answer.clone()).await.unwrap().device, device);
    // The answer to one question is none to another.
    let question = begin().await;
    assert_eq!(
        refusal(finish(&question.id, answer).await),
        Refusal::InvalidCredentials
    );
    // Another site's answer.
    let question = begin().await;
    key.origin = "https://proxy.example.com.evil.example";
    let answer = key.get(&question.webauthn.unwrap());
    assert_eq!(
        refusal(finish(&question.id, answer).await),
        Refusal::InvalidCredentials
    );
    key.origin = crate::authenticator::ORIGIN;
    // A copy whose counter stands behind.
    let question = begin().await;
    key.set_counter(0);
    let answer = key.get(&question.webauthn.unwrap());
    assert_eq!(
        refusal(finish(&question.id, answer).await),
        Refusal::InvalidCredentials
    );
    key.set_counter(100);
    let question = begin().await;
    let answer = key.get(&question.webauthn.unwrap());
    finish(&question.id, answer).await.unwrap();
}

#[tokio::test]
async fn questions_do_not_tell_who_exists() {
    let (world, alice) = World::with_alice().await;
    let mut key = Authenticator::new();
    world.add_user("bob").await;
    let shape = |question: &Value| {
        let mut question = question.clone();
        let options = question["publicKey"].as_object_mut().unwrap();
        let challenge = options.remove("challenge").unwrap();
        assert_eq!(challenge.as_str().unwrap().len(), 43);
        let allowed = options.remove("allowCredentials").unwrap();
        let allowed = allowed.as_array().unwrap().clone();
        for credential in &allowed {
            let fields: Vec<&String> = credential.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["id", "type"]);
        }
        let ids: Vec<Value> = allowed
            .iter()
            .map(|credential| credential["id"].clone())
            .collect();
        (question, ids)
    };
    let ask = async |user: &str| {
        let question = world.identity.login_begin(user).await.unwrap();
        assert_eq!(question.kinds, FactorKind::ALL);
        shape(&question.webauthn.unwrap())
    };
    world.add_key(&alice, &mut key).await;
    let (with_key, _) = ask("alice").await;
    let (without_key, bob) = ask("bob").await;
    let (unknown, nobody) = ask("nobody").await;
    assert_eq!(with_key, without_key);
    assert_eq!(with_key, unknown);
    assert_eq!(nobody.len(), 1);
    assert_ne!(bob, nobody);
    // The same name gets the same answer, today and tomorrow.
    world.pass(86_400);
    assert_eq!(ask("nobody").await.1, nobody);
}

#[tokio::test]
async fn who_has_the_stand_in_key_of_a_name_is_let_in_nowhere() {
    // A user with one-time codes only is asked for a key that nobody has; another key answers.
    let (world, _alice) = World::with_alice().await;
    let question = world.identity.login_begin("alice").await.unwrap();
    let asked = question.webauthn.unwrap();
    let mut answer = Authenticator::new().get(&asked);
    let id = asked.pointer("/publicKey/allowCredentials/0/id").unwrap().clone();
    answer["id"] = id.clone();
    answer["rawId"] = id;
    let finish = LoginFinish {
        challenge: Some(&question.id),
        user: "alice",
        password: Password::new(PASSWORD.into()),
        factor: Factor::Webauthn(answer),
        wanted: Wanted::WebSession,
        remote: home(),
    };
    assert_eq!(
        refusal(world.identity.login_finish(finish).await),
        Refusal::InvalidCredentials
    );
}

#[tokio::test]
async fn locks_of_operators_refuse_by_user_role_and_device() {
    let (world, alice) = World::with_alice().await;
    let device = world.identity.account(&name("alice")).await.unwrap().devices[0]
        .id
        .clone();
    for target in [
        json!({ "user": "alice" }),
        json!({ "role": "developer" }),
        json!({ "mfa_device": device }),
    ] {
        world.lock(target).await;
        world.pass(30);
        // Who proves everything is told, each time: it is no guess that would count.
        for _ in 0..6 {
            world.pass(30);
            let refused = refusal(world.login_alice(&alice).await);
            assert!(matches!(refused, Refusal::UserLocked { .. }), "{refused:?}");
        }
        assert_eq!(
            world.events("user.login").last().unwrap()["error"],
            "locked by an operator"
        );
    }
    // Nobody who lacks either is.
    for (password, factor) in [
        ("wrong password", Factor::Totp(world.code(&alice.seed))),
        (PASSWORD, code("000000")),
    ] {
        let refused = world
            .login("alice", password, factor, home(), Wanted::WebSession)
            .await;
        assert_eq!(refusal(refused), Refusal::InvalidCredentials);
    }
    world.lock(json!({ "user": "bob" })).await;
    world.pass(1_800);
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn a_kind_the_cluster_no_longer_allows_is_not_accepted() {
    let (world, alice) = World::with_alice().await;
    world
        .put(json!({
            "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
            "spec": { "second_factors": ["webauthn"] },
        }))
        .await;
    let question = world.identity.login_begin("alice").await.unwrap();
    assert_eq!(question.kinds, [FactorKind::Webauthn]);
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
}

#[tokio::test]
async fn a_removed_user_loses_everything_at_once_and_a_new_one_inherits_nothing() {
    let (world, alice) = World::with_alice().await;
    let logged_in = world.login_alice(&alice).await.unwrap();
    let Granted::WebSession(session) = logged_in.granted else {
        panic!("no session");
    };
    let bearer = session.bearer.expose();
    world.identity.session(&bearer).await.unwrap();
    let invite = world.invite("alice").await;
    let document = resource::ResourceName::parse("alice").unwrap();
    world
        .directory
        .delete(
            &operator(),
            resource::Kind::User,
            &document,
            directory::Delete::default(),
        )
        .await
        .unwrap();
    assert_eq!(world.stored("identity/user/alice").await, []);
    let check = async || {
        world.pass(30);
        assert_eq!(
            refusal(world.identity.session(&bearer).await),
            Refusal::SessionGone
        );
        assert_eq!(
            refusal(world.login_alice(&alice).await),
            Refusal::InvalidCredentials
        );
        let token = invite.bearer.expose();
        assert_eq!(
            refusal(world.identity.invite_look(&token).await),
            Refusal::LinkGone
        );
    };
    check().await;
    world.add_user("alice").await;
    check().await;
    let status = world.identity.status(&name("alice")).await.unwrap();
    assert!(!status.has_password);
}

#[tokio::test]
async fn i7_a_log_in_that_cannot_be_recorded_does_not_happen() {
    let (world, alice) = World::with_alice().await;
    world.ledger.fail_writes(true);
    for _ in 0..10 {
        let unrecorded = world.login_alice(&alice).await;
        assert!(matches!(unrecorded, Err(IdentityError::Cluster(_))));
    }
    world.ledger.fail_writes(false);
    // Neither is the code used up, nor anybody locked out.
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn an_old_hash_is_made_anew_at_the_next_log_in() {
    let (world, alice) = World::with_alice().await;
    let key = state::StateKey::parse("identity/user/alice/credentials").unwrap();
    let read = async || -> Value {
        let entry = state::State::get(world.state.as_ref(), &key)
            .await
            .unwrap()
            .unwrap();
        serde_json::from_slice(&entry.value).unwrap()
    };
    let mut credentials = read().await;
    // "password" under the parameters of another time.
    credentials["password"] =
        json!("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    let write = state::Write {
        key: key.clone(),
        expect: state::Expect::Anything,
        change: state::Change::Put {
            value: serde_json::to_vec(&credentials).unwrap(),
            expires: None,
        },
    };
    state::State::commit(world.state.as_ref(), vec![write])
        .await
        .unwrap();
    let login = async || {
        let factor = Factor::Totp(world.code(&alice.seed));
        world
            .login("alice", "password", factor, home(), Wanted::WebSession)
            .await
    };
    login().await.unwrap();
    let hash = read().await["password"].as_str().unwrap().to_owned();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    world.pass(30);
    login().await.unwrap();
}
