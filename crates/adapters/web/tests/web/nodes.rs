use axum::http::StatusCode;
use serde_json::json;

use crate::client::Client;
use crate::world::World;

#[tokio::test]
async fn nodes_are_shown_with_how_to_reach_them() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    client.sign_up(&world, "alice").await;
    let page = client.get("/web").await;
    assert!(
        page.text
            .contains("There is no node that your roles let you log in to."),
        "{}",
        page.text
    );
    world
        .online_node("web-1", &[("env", "dev"), ("team", "a&b")])
        .await;
    world
        .offline_node(
            "00000000-0000-4000-8000-000000000001",
            "db-1",
            json!({ "env": "dev" }),
        )
        .await;
    world.openssh_node("old-1", json!({ "env": "dev" })).await;
    world
        .offline_node(
            "00000000-0000-4000-8000-000000000002",
            "bank-1",
            json!({ "env": "prod" }),
        )
        .await;
    let page = client.get("/web").await;
    for words in [
        "<code>signet ssh alice@web-1</code>",
        "<code>ssh alice@web-1.test.example.com</code>",
        "<span class=\"standing online\">online</span>",
        "<span class=\"standing offline\">offline</span>",
        "<span class=\"standing agentless\">no agent</span>",
        "signet login --proxy=proxy.example.com:3080 --user=alice",
        "href=\"/web?q=team%3Da%26b\">team=a&#38;b</a>",
        "<dd>alice, root</dd>",
    ] {
        assert!(page.text.contains(words), "{words} in {}", page.text);
    }
    assert!(
        !page.text.contains("bank-1"),
        "a node without a login there is not shown"
    );
    let page = client.get("/web?q=ENV%3Ddev+web").await;
    assert!(
        page.text.contains("web-1") && !page.text.contains("old-1"),
        "{}",
        page.text
    );
    let page = client.get("/web?q=%3Cb%3E").await;
    assert!(page.text.contains("matches “&#60;b&#62;”"), "{}", page.text);
    for odd in [
        "/web?after=a%20b",
        "/web?q=%ff%fe&x",
        &format!("/web?q={}", "a".repeat(300)),
    ] {
        let answer = client.get(odd).await;
        assert!(
            matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::OK),
            "{odd}"
        );
    }
}

#[tokio::test]
async fn many_nodes_come_in_pages() {
    let world = World::new().await;
    let mut client = Client::new(&world);
    client.sign_up(&world, "alice").await;
    for number in 0..205 {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        world
            .offline_node(&id, &format!("n-{number}"), json!({ "env": "dev" }))
            .await;
    }
    let mut path = "/web?q=n-".to_owned();
    let mut counts = Vec::new();
    loop {
        let page = client.get(&path).await;
        counts.push(page.text.matches("<div class=\"node-head\">").count());
        if !page.text.contains(">Next page</a>") {
            assert!(page.text.contains(">First page</a>"));
            break;
        }
        let (before, _) = page.text.split_once(">Next page</a>").unwrap();
        let (_, href) = before.rsplit_once("href=\"").unwrap();
        path = href.trim_end_matches('"').replace("&amp;", "&");
    }
    assert_eq!(counts, [100, 100, 5]);
}
