use axum::http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::client::Client;
use crate::client::SESSION;
use crate::world::PASSWORD;
use crate::world::World;
use crate::world::operator;

#[tokio::test]
async fn password_and_code_log_in_and_out() {
    let world = World::new().await;
    let (seed, _) = Client::new(&world).sign_up(&world, "alice").await;
    let mut client = Client::new(&world);
    assert_eq!(client.get("/").await.location(), "/web");
    assert_eq!(client.get("/web").await.location(), "/web/login");
    let answer = client.log_in("alice", PASSWORD, &world.next_code(&seed)).await;
    assert_eq!(answer.location(), "/web");
    let bearer = client.cookies[SESSION].clone();
    assert_eq!(bearer.len(), 43);
    let login = world.events("user.login").pop().unwrap();
    assert_eq!(login["method"], "password+totp");
    assert_eq!(login["client"], "web");
    assert_eq!(login["addr.remote"], "192.0.2.1:40000");
    let page = client.get("/web").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("<span class=\"user\">alice</span>"),
        "{}",
        page.text
    );
    // Somebody who is logged in is not asked to log in.
    assert_eq!(client.get("/web/login").await.location(), "/web");
    let answer = client
        .post("/web/logout", &[("csrf", &page.hidden("csrf"))])
        .await;
    assert_eq!(answer.location(), "/web/login?said=bye");
    assert!(!client.is_logged_in());
    assert!(
        client
            .get("/web/login?said=bye")
            .await
            .text
            .contains("You are logged out.")
    );
    // The bearer is good for nothing any more.
    client.cookies.insert(SESSION.to_owned(), bearer);
    assert_eq!(client.get("/web").await.location(), "/web/login?said=ended");
}

#[tokio::test]
async fn every_wrong_log_in_gets_the_same_page() {
    let world = World::new().await;
    world.add_user("bob").await;
    let (seed, _) = Client::new(&world).sign_up(&world, "alice").await;
    let good = world.next_code(&seed);
    let mut client = Client::new(&world);
    client.remote = "198.51.100.7:1".parse().unwrap();
    let mut pages = Vec::new();
    let wrong = [
        ("alice", "wrong password", good.as_str()),
        ("alice", PASSWORD, "000000"),
        ("bobby", PASSWORD, good.as_str()),
        ("bob", PASSWORD, good.as_str()),
        ("a<b\u{1}", PASSWORD, good.as_str()),
    ];
    for (name, password, code) in wrong {
        let answer = client.log_in(name, password, code).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error(), "invalid credentials");
        assert!(!client.is_logged_in());
        assert!(!answer.text.contains(password), "a password is never shown again");
        let typed = name.replace('<', "&#60;");
        assert!(
            answer.text.contains(&format!("value=\"{typed}\"")),
            "{}",
            answer.text
        );
        pages.push(answer.text.replace(&typed, ""));
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "{pages:?}");
}

#[tokio::test]
async fn a_password_alone_is_not_looked_at() {
    let world = World::new().await;
    Client::new(&world).sign_up(&world, "alice").await;
    let mut client = Client::new(&world);
    for password in [PASSWORD, "wrong password"] {
        let answer = client.log_in("alice", password, " ").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer.error().starts_with("a second factor is missing"),
            "{}",
            answer.error()
        );
    }
    assert_eq!(world.events("user.login").len(), 1, "only the sign-up");
}

#[tokio::test]
async fn a_recovery_code_logs_in_once() {
    let world = World::new().await;
    let (_, page) = Client::new(&world).sign_up(&world, "alice").await;
    let code = &page.codes()[3];
    for is_first in [true, false] {
        let mut client = Client::new(&world);
        let csrf = client.get("/web/login").await.hidden("csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("user", "alice"),
            ("password", PASSWORD),
            ("recovery_code", code.as_str()),
        ];
        let answer = client.post("/web/login", &fields).await;
        assert_eq!(
            answer.status == StatusCode::SEE_OTHER,
            is_first,
            "{}",
            answer.text
        );
        assert_eq!(client.is_logged_in(), is_first);
    }
}

#[tokio::test]
async fn sessions_end_with_time_with_locks_and_with_their_user() {
    let world = World::new().await;
    let (seed, _) = Client::new(&world).sign_up(&world, "alice").await;
    let gone = async |client: &mut Client| {
        let answer = client.get("/web/account").await;
        assert_eq!(answer.location(), "/web/login?said=ended");
        assert!(!client.is_logged_in(), "the cookie is taken away");
    };
    let log_in = async || {
        let mut client = Client::new(&world);
        let answer = client.log_in("alice", PASSWORD, &world.next_code(&seed)).await;
        assert_eq!(answer.location(), "/web");
        client
    };
    // By rest: 30 minutes.
    let mut client = log_in().await;
    world.pass(29 * 60);
    assert_eq!(client.get("/web/account").await.status, StatusCode::OK);
    world.pass(31 * 60);
    gone(&mut client).await;
    // For good: 12 hours, however busy.
    let mut client = log_in().await;
    for _ in 0..(12 * 3 - 1) {
        world.pass(20 * 60);
        assert_eq!(client.get("/web/account").await.status, StatusCode::OK);
    }
    world.pass(20 * 60);
    gone(&mut client).await;
    // By a lock of an operator: forms too.
    let mut client = log_in().await;
    let csrf = client.get("/web").await.hidden("csrf");
    world
        .put(json!({
            "kind": "lock", "version": "v1", "metadata": { "name": "a-lock" },
            "spec": { "target": { "user": "alice" }, "message": "gone fishing" },
        }))
        .await;
    let bearer = client.cookies[SESSION].clone();
    gone(&mut client).await;
    client.cookies.insert(SESSION.to_owned(), bearer);
    let answer = client.post("/web/account/password", &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/web/login?said=ended");
    let name = resource::ResourceName::parse("a-lock").unwrap();
    world
        .directory
        .delete(
            &operator(),
            resource::Kind::Lock,
            &name,
            directory::Delete::default(),
        )
        .await
        .unwrap();
    // When the user is removed.
    let mut client = log_in().await;
    let name = resource::ResourceName::parse("alice").unwrap();
    let delete = directory::Delete::default();
    world
        .directory
        .delete(&operator(), resource::Kind::User, &name, delete)
        .await
        .unwrap();
    gone(&mut client).await;
}

#[tokio::test]
async fn the_question_for_a_key_tells_nothing_of_users() {
    let world = World::new().await;
    Client::new(&world).sign_up(&world, "alice").await;
    let mut client = Client::new(&world);
    let csrf = client.get("/web/login").await.hidden("csrf");
    let mut shapes = Vec::new();
    for name in ["alice", "nobody", "no name"] {
        let answer = client
            .post("/web/login/challenge", &[("csrf", &csrf), ("user", name)])
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        let question: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(question["challenge"].as_str().unwrap().len(), 32);
        let public = &question["webauthn"]["publicKey"];
        assert_eq!(public["rpId"], "proxy.example.com");
        let keys = public["allowCredentials"].as_array().unwrap();
        let names: Vec<&String> = keys[0].as_object().unwrap().keys().collect();
        shapes.push((keys.len(), format!("{names:?}")));
    }
    assert!(shapes.windows(2).all(|two| two[0] == two[1]), "{shapes:?}");
}

#[tokio::test]
async fn a_link_of_another_site_is_asked_for_again_from_here() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    client.sign_up(&world, "alice").await;
    // The browser keeps the strict cookie back when the link was on another site.
    let kept = std::mem::take(&mut client.cookies);
    client.fetch_site = Some("cross-site");
    let answer = client.get("/web/account").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .text
            .contains("<meta http-equiv=\"refresh\" content=\"0\">"),
        "{}",
        answer.text
    );
    client.fetch_site = Some("same-origin");
    client.cookies = kept;
    assert_eq!(client.get("/web/account").await.status, StatusCode::OK);
    client.cookies.clear();
    assert_eq!(client.get("/web/account").await.location(), "/web/login");
}

#[tokio::test]
async fn what_the_cluster_does_not_allow_is_not_offered() {
    let world = World::new().await;
    let set = async |factors: Value| {
        world
            .put(json!({
                "kind": "cluster_auth_preference", "version": "v1", "metadata": { "name": "cluster-auth-preference" },
                "spec": { "second_factors": factors },
            }))
            .await;
    };
    let mut client = Client::new(&world);
    let page = client.get("/web/login").await.text;
    assert!(
        page.contains("name=\"code\"") && page.contains("data-key-button"),
        "{page}"
    );
    set(json!(["totp"])).await;
    let page = client.get("/web/login").await.text;
    assert!(
        page.contains("name=\"code\"") && !page.contains("data-key") && !page.contains("<script"),
        "{page}"
    );
    // With one kind there is no choice to make.
    let invite = world.invite("alice").await;
    assert!(client.get(&invite).await.text.contains("class=\"qr\""));
    set(json!(["webauthn"])).await;
    let page = client.get("/web/login").await.text;
    assert!(
        !page.contains("name=\"code\"") && page.contains("data-key-button"),
        "{page}"
    );
    let answer = client.get(&format!("{invite}?factor=totp")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.error(),
        "this cluster does not allow totp as a second factor"
    );
}
