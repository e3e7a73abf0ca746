use axum::http::StatusCode;

use crate::client::Client;
use crate::world::PASSWORD;
use crate::world::World;

#[tokio::test]
async fn a_link_leads_to_a_password_a_second_factor_and_recovery_codes() {
    let world = World::new().await;
    let link = world.invite("alice").await;
    let mut client = Client::new(&world);
    let choice = client.get(&link).await;
    assert_eq!(choice.status, StatusCode::OK);
    assert!(choice.text.contains("Welcome, alice"), "{}", choice.text);
    assert!(
        choice.text.contains("href=\"?factor=totp\"") && choice.text.contains("href=\"?factor=webauthn\"")
    );
    let path = format!("{link}?factor=totp");
    let page = client.get(&path).await;
    assert!(page.text.contains("src=\"data:image/svg+xml;base64,"));
    assert!(!page.text.contains("<script"), "one-time codes need no script");
    let answer = client
        .answer_invite(&path, &page, &world.code(&page.seed()), PASSWORD)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.codes().len(), 10);
    assert!(client.is_logged_in());
    let account = client.get("/web/account").await;
    assert!(
        account.text.contains(">phone<") && account.text.contains("10 are left."),
        "{}",
        account.text
    );
    // The link is good once.
    for gone in [client.get(&link).await, client.get(&path).await] {
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        assert_eq!(gone.error(), "the link is not valid any more; ask for a new one");
    }
    let gone = client.answer_invite(&path, &page, "123456", PASSWORD).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_refused_is_asked_again_with_the_same_seed() {
    let world = World::new().await;
    let path = format!("{}?factor=totp", world.invite("alice").await);
    let mut client = Client::new(&world);
    let page = client.get(&path).await;
    let seed = page.seed();
    let refused = [
        (
            "tiny-pw",
            world.code(&seed),
            "the password is too short; take at least 12 characters",
        ),
        (
            PASSWORD,
            "000000".to_owned(),
            "the second factor was not accepted: the code is not the one the application should show now; \
             check the clock of the device",
        ),
        (
            PASSWORD,
            String::new(),
            "the proof of the second factor is missing: give the code that the application shows, or use the key",
        ),
    ];
    let mut shown = page;
    for (password, code, words) in refused {
        shown = client.answer_invite(&path, &shown, &code, password).await;
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(shown.error(), words);
        assert_eq!(shown.seed(), seed);
        assert!(!shown.text.contains(password), "a password is never shown again");
        assert!(shown.text.contains("value=\"phone\""), "the name is kept");
    }
    let csrf = shown.hidden("csrf");
    let differing = [
        ("csrf", csrf.as_str()),
        ("new_password", PASSWORD),
        ("again", "seven blue door"),
    ];
    let answer = client.post(&path, &differing).await;
    assert_eq!(
        answer.error(),
        "the two passwords differ; type the same one twice"
    );
    // A picture that was shown for too long is replaced.
    world.pass(301);
    let late = client
        .answer_invite(&path, &shown, &world.code(&seed), PASSWORD)
        .await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(
        late.error().starts_with("this page was open for too long"),
        "{}",
        late.error()
    );
    assert_ne!(late.seed(), seed);
    let answer = client
        .answer_invite(&path, &late, &world.code(&late.seed()), PASSWORD)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn a_link_to_begin_anew_ends_what_was() {
    let world = World::new().await;
    let mut before = Client::new(&world);
    let (old_seed, _) = before.sign_up(&world, "alice").await;
    let link = world.invite("alice").await;
    let mut client = Client::new(&world);
    assert!(
        client
            .get(&link)
            .await
            .text
            .contains("New password and second factor")
    );
    let path = format!("{link}?factor=totp");
    let page = client.get(&path).await;
    let password = "nine green windows";
    let answer = client
        .answer_invite(&path, &page, &world.code(&page.seed()), password)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(before.get("/web").await.location(), "/web/login?said=ended");
    let old = Client::new(&world)
        .log_in("alice", password, &world.next_code(&old_seed))
        .await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    let new = Client::new(&world)
        .log_in("alice", password, &world.next_code(&page.seed()))
        .await;
    assert_eq!(new.location(), "/web");
}

#[tokio::test]
async fn links_that_are_none_are_all_the_same() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    for token in ["x", &"A".repeat(43), "..%2f..%2fweb", "%00", &"A".repeat(5_000)] {
        let answer = client.get(&format!("/web/invite/{token}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{token}");
        assert_eq!(
            answer.error(),
            "the link is not valid any more; ask for a new one"
        );
    }
}
