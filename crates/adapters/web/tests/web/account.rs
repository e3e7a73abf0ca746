use axum::http::StatusCode;

use crate::client::Answer;
use crate::client::Client;
use crate::world::PASSWORD;
use crate::world::World;

/// Answers a form that asks for a proof, with more fields of its own.
async fn prove(client: &mut Client, path: &str, password: &str, code: &str, more: &[(&str, &str)]) -> Answer {
    let csrf = client.get("/web/account").await.hidden("csrf");
    let mut fields = vec![("csrf", csrf.as_str()), ("password", password), ("code", code)];
    fields.extend_from_slice(more);
    client.post(path, &fields).await
}

#[tokio::test]
async fn a_second_factor_is_added_used_and_removed() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    assert_eq!(
        client.get("/web/account/factors/new").await.status,
        StatusCode::OK
    );
    let wrong = prove(
        &mut client,
        "/web/account/factors/new",
        "wrong",
        "000000",
        &[("factor", "totp")],
    )
    .await;
    assert_eq!(
        (wrong.status, wrong.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid credentials")
    );
    let code = world.next_code(&seed);
    let page = prove(
        &mut client,
        "/web/account/factors/new",
        PASSWORD,
        &code,
        &[("factor", "totp")],
    )
    .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let other = page.seed();
    assert_ne!(other, seed);
    let add = async |client: &mut Client, code: &str| {
        let (csrf, challenge, url) = (page.hidden("csrf"), page.hidden("challenge"), page.hidden("url"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("challenge", challenge.as_str()),
            ("factor", "totp"),
            ("url", url.as_str()),
            ("name", "tablet <2>"),
            ("code", code),
        ];
        client.post("/web/account/factors/add", &fields).await
    };
    let wrong = add(&mut client, "000000").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.seed(), other);
    let added = add(&mut client, &world.code(&other)).await;
    assert_eq!(added.location(), "/web/account?said=added");
    let account = client.get("/web/account?said=added").await;
    assert!(account.text.contains("The second factor is added."));
    assert!(account.text.contains("tablet &#60;2&#62;"), "{}", account.text);
    let again = add(&mut client, &world.next_code(&other)).await;
    assert_eq!(
        again.status,
        StatusCode::GONE,
        "an offer is good once: {}",
        again.text
    );
    let mut fresh = Client::new(&world);
    let answer = fresh.log_in("alice", PASSWORD, &world.next_code(&other)).await;
    assert_eq!(answer.location(), "/web");

    // The first one goes, proved by the second.
    let path = format!(
        "/web/account/factors/{}/remove",
        account
            .between("/web/account/factors/", "/remove")
            .replace("new\">Add one</a></div>", "")
    );
    let path = if path.len() > 80 {
        device_path(&account.text, "phone")
    } else {
        path
    };
    let question = client.get(&path).await;
    assert!(
        question.text.contains("“phone” will not be good"),
        "{}",
        question.text
    );
    let gone = prove(&mut client, &path, PASSWORD, &world.next_code(&other), &[]).await;
    assert_eq!(gone.location(), "/web/account?said=removed");
    assert_eq!(client.get(&path).await.status, StatusCode::NOT_FOUND);
    // The last one stays.
    let account = client.get("/web/account").await;
    let path = device_path(&account.text, "tablet");
    let last = prove(&mut client, &path, PASSWORD, &world.next_code(&other), &[]).await;
    assert_eq!(last.status, StatusCode::CONFLICT);
    assert_eq!(
        last.error(),
        "the last second factor cannot be removed; add another one first"
    );
}

fn device_path(account: &str, name: &str) -> String {
    let (before, _) = account
        .split_once(&format!("aria-label=\"Remove {name}"))
        .unwrap();
    let (_, href) = before.rsplit_once("href=\"").unwrap();
    href.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_password_keeps_this_session_and_ends_the_others() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let mut other = Client::new(&world);
    other.log_in("alice", PASSWORD, &world.next_code(&seed)).await;
    let new = "nine green windows";
    let path = "/web/account/password";
    assert_eq!(client.get(path).await.status, StatusCode::OK);
    let code = world.next_code(&seed);
    let refused = [
        (
            "short",
            "short",
            "the password is too short; take at least 12 characters",
        ),
        (new, PASSWORD, "the two passwords differ; type the same one twice"),
    ];
    for (first, second, words) in refused {
        let fields = [("new_password", first), ("again", second)];
        let answer = prove(&mut client, path, PASSWORD, &code, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.error(), words);
    }
    let fields = [("new_password", new), ("again", new)];
    let wrong = prove(&mut client, path, "wrong password", "000000", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    // What was refused before did not use the code up.
    let answer = prove(&mut client, path, PASSWORD, &code, &fields).await;
    assert_eq!(answer.location(), "/web/account?said=password");
    assert_eq!(
        client.get("/web/account?said=password").await.status,
        StatusCode::OK
    );
    assert_eq!(other.get("/web").await.location(), "/web/login?said=ended");
    let answer = Client::new(&world)
        .log_in("alice", new, &world.next_code(&seed))
        .await;
    assert_eq!(answer.location(), "/web");
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, page) = client.sign_up(&world, "alice").await;
    let old = page.codes();
    assert_eq!(client.get("/web/account/codes").await.status, StatusCode::OK);
    let answer = prove(
        &mut client,
        "/web/account/codes",
        PASSWORD,
        &world.next_code(&seed),
        &[],
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let new = answer.codes();
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !old.contains(code)));
    for (code, is_good) in [(&old[0], false), (&new[0], true)] {
        let path = "/web/account/codes";
        let answer = prove(&mut client, path, PASSWORD, "", &[("recovery_code", code)]).await;
        assert_eq!(answer.status == StatusCode::OK, is_good, "{}", answer.text);
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    let (seed, _) = client.sign_up(&world, "alice").await;
    let mut other = Client::new(&world);
    other.remote = "203.0.113.9:1".parse().unwrap();
    other.log_in("alice", PASSWORD, &world.next_code(&seed)).await;
    let account = client.get("/web/account").await;
    let ends: Vec<&str> = account
        .text
        .split("action=\"/web/account/sessions/")
        .skip(1)
        .collect();
    assert_eq!(ends.len(), 2);
    assert!(account.text.contains("203.0.113."), "{}", account.text);
    // The newest comes first; the older one is this one.
    let id = |text: &str| text.split('/').next().unwrap().to_owned();
    let (theirs, own) = (id(ends[0]), id(ends[1]));
    assert!(account.text.contains("this one"));
    let csrf = account.hidden("csrf");
    let end = |id: &str| format!("/web/account/sessions/{id}/end");
    let answer = client.post(&end(&theirs), &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/web/account?said=session");
    assert_eq!(other.get("/web").await.location(), "/web/login?said=ended");
    // Once more is no error.
    let answer = client.post(&end(&theirs), &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/web/account?said=session");
    let answer = client.post(&end(&own), &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/web/login?said=bye");
    assert!(!client.is_logged_in());
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let world = World::new().await;
    world.add_user("bob").await;
    let mut alice = Client::new(&world);
    alice.sign_up(&world, "alice").await;
    let mut bob = Client::new(&world);
    bob.sign_up(&world, "bob").await;
    let id = alice
        .get("/web/account")
        .await
        .between("/web/account/sessions/", "/end");
    let csrf = bob.get("/web/account").await.hidden("csrf");
    bob.post(&format!("/web/account/sessions/{id}/end"), &[("csrf", &csrf)])
        .await;
    assert_eq!(alice.get("/web").await.status, StatusCode::OK);
}
