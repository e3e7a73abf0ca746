use identity::Factor;
use identity::IdentityError;
use identity::Refusal;
use identity::Wanted;
use serde_json::json;
use state::State as _;
use zeroize::Zeroizing;

use crate::world::World;
use crate::world::at;
use crate::world::home;
use crate::world::name;
use crate::world::operator;
use crate::world::refusal;

#[tokio::test]
async fn five_failures_keep_an_address_out_for_thirty_minutes() {
    let (world, alice) = World::with_alice().await;
    for _ in 0..5 {
        assert_eq!(world.fail_alice(home()).await, Refusal::InvalidCredentials);
    }
    let told = world.events("user.login.lockout");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["account"], "alice");
    assert_eq!(told[0]["source"], "192.0.2.1");
    assert_eq!(told[0]["failures"], 5);
    let status = world.identity.status(&name("alice")).await.unwrap();
    assert_eq!(
        status.locked_until,
        Some(world.now().plus(names::Ttl::from_seconds(1_800)))
    );
    // Now the right password is no better than a wrong one, and looks no different.
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    assert_eq!(
        world.events("user.login").last().unwrap()["error"],
        "locked out after too many failures"
    );
    world.pass(1_799);
    assert_eq!(
        refusal(world.login_alice(&alice).await),
        Refusal::InvalidCredentials
    );
    world.pass(1);
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn an_attacker_elsewhere_does_not_lock_a_known_operator_out() {
    let (world, alice) = World::with_alice().await;
    for attacker in 0..6 {
        for _ in 0..5 {
            world.fail_alice(at(&format!("198.51.100.{attacker}"))).await;
        }
    }
    let told = world.events("user.login.lockout");
    assert_eq!(told.last().unwrap()["source"], "addresses never seen before");
    // From an address never seen before even alice has to wait; from home she gets in.
    let factor = Factor::Totp(world.code(&alice.seed));
    let password = crate::world::PASSWORD;
    let elsewhere = world
        .login("alice", password, factor, at("203.0.113.4"), Wanted::WebSession)
        .await;
    assert_eq!(refusal(elsewhere), Refusal::InvalidCredentials);
    world.login_alice(&alice).await.unwrap();
}

#[tokio::test]
async fn an_operator_lifts_a_lock() {
    let (world, alice) = World::with_alice().await;
    for _ in 0..5 {
        world.fail_alice(home()).await;
    }
    world.identity.unlock(&operator(), &name("alice")).await.unwrap();
    world.login_alice(&alice).await.unwrap();
    assert_eq!(world.events("user.login.unlock").len(), 1);
}

#[tokio::test]
async fn an_outage_of_the_store_never_counts() {
    let (world, alice) = World::with_alice().await;
    // The store dies at every commit of the log-in in turn.
    for commits in 0..2 {
        for _ in 0..10 {
            world.state.fail_writes_after(commits);
            let factor = Factor::Totp(Zeroizing::new("000000".into()));
            let failed = world
                .login("alice", "wrong password", factor, home(), Wanted::WebSession)
                .await;
            assert!(
                matches!(failed, Err(IdentityError::State(_)))
                    || matches!(failed, Err(IdentityError::Refused(Refusal::Busy)))
            );
            world.state.fail_writes(false);
        }
        // What could be neither settled nor taken back lapses within the minute.
        world.pass(60);
        world.login_alice(&alice).await.unwrap();
        world.pass(30);
    }
}

#[tokio::test]
async fn many_guesses_at_once_count_one_by_one() {
    let (world, _alice) = World::with_alice().await;
    let guesses = (0..40).map(|_| world.fail_alice(at("198.51.100.9")));
    let answers = futures_util::future::join_all(guesses).await;
    let wrong = world
        .events("user.login")
        .iter()
        .filter(|line| line["error"] == "wrong password")
        .count();
    assert!(wrong <= 5, "{wrong} were looked at");
    let busy = answers.iter().filter(|answer| **answer == Refusal::Busy).count();
    assert!(busy >= 1, "nobody was told to wait");
    assert_eq!(answers.len(), 40);
}

#[tokio::test]
async fn unknown_users_are_counted_like_known_ones() {
    let (world, _alice) = World::with_alice().await;
    let fail = async |user: &str| {
        let factor = Factor::Totp(Zeroizing::new("000000".into()));
        let remote = at("198.51.100.1");
        let answer = world
            .login(user, "wrong password", factor, remote, Wanted::WebSession)
            .await;
        assert_eq!(refusal(answer), Refusal::InvalidCredentials);
    };
    for _ in 0..7 {
        fail("nobody").await;
        fail("alice").await;
    }
    let attempts = world.stored("identity/attempts").await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].1.len(), attempts[1].1.len());
    let accounts: Vec<_> = world
        .events("user.login.lockout")
        .iter()
        .map(|line| line["account"].clone())
        .collect();
    assert_eq!(accounts, [json!("nobody"), json!("alice")]);
    // What is remembered of attempts ends by itself.
    world.pass(3_600);
    let page = world.state.list("identity/attempts", None, 10).await.unwrap();
    assert_eq!(page.entries, []);
}
