//! Deciding who has access: a stolen certificate of an editor gives nobody more than it opens by itself.

use api_http::Peer;
use serde_json::Value;
use serde_json::json;

use crate::world::Ask;
use crate::world::Person;
use crate::world::World;
use crate::world::lock;
use crate::world::operator;
use crate::world::text;
use crate::world::user;

const NEEDED: (u16, &str) = (403, "reauthentication_needed");

fn role(name: &str) -> Value {
    json!({
        "kind": "role", "version": "v1", "metadata": {"name": name},
        "spec": {"allow": {"logins": ["root"], "node_labels": {"*": "*"}}},
    })
}

fn server(name: &str) -> Value {
    json!({
        "kind": "node", "version": "v1", "metadata": {"name": name},
        "spec": {"hostname": name, "addr": "192.0.2.9:22", "sub_kind": "openssh"},
    })
}

fn setting(kind: &str) -> Value {
    let name = kind.replace('_', "-");
    json!({"kind": kind, "version": "v1", "metadata": {"name": name}, "spec": {}})
}

/// Everything that decides who has access, each of it once, in an order in which all of it works.
fn acts() -> Vec<Ask> {
    let settings = [
        "cluster_auth_preference",
        "session_recording_config",
        "cluster_networking_config",
    ];
    let mut acts = vec![
        Ask::post_nothing("/v1/users/eve/invite"),
        Ask::post_nothing("/v1/users/alice/invite"),
        Ask::post_nothing("/v1/users/alice/unlock"),
        Ask::post("/v1/tokens", &json!({"roles": ["node"]})),
        Ask::post("/v1/resources/user", &user("mallory", &["editor"])),
        Ask::put("/v1/resources/user/mallory", &user("mallory", &["access"])),
        Ask::put("/v1/resources/user/trent", &user("trent", &["editor"])),
        Ask::delete("/v1/resources/user/carol"),
        Ask::post("/v1/resources/role", &role("wide")),
        Ask::put("/v1/resources/role/wide", &role("wide")),
        Ask::delete("/v1/resources/role/narrow"),
        Ask::post("/v1/resources/node", &server("old-2")),
        Ask::put("/v1/resources/node/old-1", &server("old-1")),
        Ask::put(
            "/v1/resources/lock/a-lock",
            &lock("a-lock", json!({"user": "carol"})),
        ),
        Ask::put(
            "/v1/resources/lock/new-lock",
            &lock("new-lock", json!({"user": "carol"})),
        ),
        Ask::delete("/v1/resources/lock/a-lock"),
    ];
    for kind in settings {
        let path = format!("/v1/resources/{kind}/{}", kind.replace('_', "-"));
        acts.push(Ask::put(path.clone(), &setting(kind)));
        acts.push(Ask::delete(path));
    }
    acts
}

struct Scene {
    world: World,
    eve: Person,
    /// Another certificate of eve's.
    other: Peer,
}

impl Scene {
    /// What is there before anybody does anything.
    async fn new() -> Self {
        let world = World::new().await;
        let eve = world.person("eve", &["editor"]).await;
        world.add_user("alice", &["access"]).await;
        world.add_user("carol", &["access"]).await;
        world.put(role("narrow")).await;
        world.put(lock("a-lock", json!({"user": "alice"}))).await;
        let made = Ask::post("/v1/resources/node", &server("old-1"));
        world.ask(&operator(), made).await.ok();
        let other = world.carrying("eve", &["editor"], &[]).await;
        Self { world, eve, other }
    }

    /// Asks for all of it in the same way; everything is refused, and nothing happens.
    async fn is_all_refused(&self, peer: &Peer, proof: Option<&str>, why: &str) {
        let before = self.world.ledger.lines().len();
        for act in acts() {
            let what = format!("{} {}, {why}", act.method, act.path);
            let act = match proof {
                Some(proof) => act.proved_by(proof),
                None => act,
            };
            let answer = self.world.ask(peer, act).await;
            let (status, code) = answer.said();
            assert_eq!((status, code.as_str()), NEEDED, "{what}: {}", answer.text());
        }
        let after = self.world.ledger.lines();
        assert_eq!(&after[before..], &[] as &[String], "{why}");
    }

    async fn is_all_done(&self, peer: &Peer, proof: Option<&str>) {
        for act in acts() {
            let what = format!("{} {}", act.method, act.path);
            let act = match proof {
                Some(proof) => act.proved_by(proof),
                None => act,
            };
            let answer = self.world.ask(peer, act).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_certificate_alone_decides_nothing() {
    let scene = Scene::new().await;
    let (world, eve) = (&scene.world, &scene.eve);
    scene.is_all_refused(&eve.peer, None, "without a proof").await;
    scene
        .is_all_refused(&eve.peer, Some("nonsense"), "with nonsense")
        .await;
    for other in [
        "rotate",
        "sign",
        "read_secrets",
        "change_password",
        "change_second_factors",
    ] {
        let proof = world.proof(eve, other).await;
        scene.is_all_refused(&eve.peer, Some(&proof), other).await;
    }
    // A certificate by which nobody gave a second factor is one of eve's all the same.
    scene
        .is_all_refused(&scene.other, None, "with another certificate")
        .await;
    // Nor does a good proof help whoever has another certificate, or is somebody else.
    let proof = world.proof(eve, "admin").await;
    scene
        .is_all_refused(&scene.other, Some(&proof), "a proof for another certificate")
        .await;
    let bob = world.person("bob", &["editor"]).await;
    scene
        .is_all_refused(&bob.peer, Some(&proof), "a proof of somebody else")
        .await;
    // It ends.
    world.pass(5 * 60);
    scene
        .is_all_refused(&eve.peer, Some(&proof), "a proof of before")
        .await;
    // A lock ends it, too.
    let proof = world.proof(eve, "admin").await;
    world.put(lock("on-eve", json!({"user": "eve"}))).await;
    let locked = Ask::post_nothing("/v1/users/eve/invite").proved_by(&proof);
    world.ask(&eve.peer, locked).await.is(403, "locked");
}

#[tokio::test]
async fn one_proof_serves_a_series_and_each_act_is_in_the_log() {
    let scene = Scene::new().await;
    let (world, eve) = (&scene.world, &scene.eve);
    let proof = world.proof(eve, "admin").await;
    let before = world.ledger.lines().len();
    scene.is_all_done(&eve.peer, Some(&proof)).await;
    for number in 0..30 {
        let document = Ask::post("/v1/resources/role", &role(&format!("r-{number}")));
        world.ask(&eve.peer, document.proved_by(&proof)).await.ok();
    }
    let told: Vec<Value> = world.ledger.lines()[before..]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(told.iter().all(|event| event["user"] == "eve"), "{told:#?}");
    let count = |name: &str| told.iter().filter(|event| event["event"] == name).count();
    assert_eq!(count("user.invite.create"), 2);
    assert_eq!(count("role.created"), 31);
    assert_eq!(count("user.login.unlock"), 1);
    let proved = world.events("privilege_token.create");
    assert_eq!(proved.len(), 1);
    assert_eq!(
        [&proved[0]["code"], &proved[0]["purpose"], &proved[0]["user"]],
        [&json!("SU010I"), &json!("admin"), &json!("eve")]
    );
    // For nothing else.
    let sign = Ask::post("/v1/sign", &json!({})).proved_by(&proof);
    assert_eq!(
        world.ask(&eve.peer, sign).await.said(),
        (NEEDED.0, NEEDED.1.to_owned())
    );
}

#[tokio::test]
async fn what_only_takes_access_away_is_not_asked_about() {
    let scene = Scene::new().await;
    let (world, eve) = (&scene.world, &scene.eve.peer);
    let urgent = Ask::post("/v1/resources/lock", &lock("urgent", json!({"user": "carol"})));
    world.ask(eve, urgent).await.ok();
    // One that is there is not made again.
    let again = Ask::post("/v1/resources/lock", &lock("urgent", json!({"user": "alice"})));
    world.ask(eve, again).await.is(409, "already_exists");
    let token = world
        .ask(&operator(), Ask::post("/v1/tokens", &json!({"roles": ["node"]})))
        .await
        .ok();
    assert!(text(&token["name"]).len() >= 8);
    let tokens = world.ask(eve, Ask::get("/v1/resources/token")).await.ok();
    let name = text(&tokens["documents"][0]["metadata"]["name"]);
    let path = format!("/v1/resources/token/{name}");
    world.ask(eve, Ask::delete(path)).await.ok();
    // A machine never comes back.
    let machine = world.ask(eve, Ask::delete("/v1/resources/node/old-1")).await;
    machine.is(NEEDED.0, NEEDED.1);
    assert!(world.events("privilege_token.create").is_empty());
}

#[tokio::test]
async fn the_operator_of_the_host_and_who_never_signed_up_are_not_asked() {
    let scene = Scene::new().await;
    scene.is_all_done(&operator(), None).await;
    // A machine account, known by a certificate of `auth sign` alone.
    let scene = Scene::new().await;
    let robot = scene.world.certified("robot", &["editor"]).await;
    scene.is_all_done(&robot, None).await;
}

#[tokio::test]
async fn who_may_not_is_not_asked_for_a_proof() {
    let scene = Scene::new().await;
    let bob = scene.world.person("bob", &["access"]).await;
    let machine = scene.world.machine("web-1", &["node"]).await;
    for peer in [&bob.peer, &machine.peer] {
        for act in acts() {
            let what = format!("{} {}", act.method, act.path);
            let answer = scene.world.ask(peer, act).await;
            assert_eq!(answer.said(), (403, "access_denied".to_owned()), "{what}");
        }
    }
}
