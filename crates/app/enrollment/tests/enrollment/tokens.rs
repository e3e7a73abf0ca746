use enrollment::CreateToken;
use enrollment::JoinSecret;
use enrollment::SecretSource;
use enrollment::parse_static_token;
use names::Ttl;
use resource::Kind;
use resource::SystemRole;

use crate::support::Machine;
use crate::support::STATIC_SECRET;
use crate::support::World;
use crate::support::actor;
use crate::support::code;
use crate::support::secret;

fn ask(ttl: Option<Ttl>, is_operator: bool) -> CreateToken {
    CreateToken {
        roles: vec![SystemRole::Node],
        ttl,
        uses: Some(1),
        suggested_labels: resource::Labels::new(),
        description: None,
        is_operator,
    }
}

#[tokio::test]
async fn a_token_lives_half_an_hour_and_only_operators_may_ask_for_more() {
    let world = World::new().await;
    let operator = actor();
    let create = |ttl, is_operator| world.enrollment.create_token(&operator, ask(ttl, is_operator));
    let usual = create(None, false).await.unwrap().document;
    assert_eq!(
        usual.metadata.expires.unwrap(),
        world.cluster.now().plus(Ttl::from_seconds(1_800))
    );
    create(Some(Ttl::from_seconds(60)), false).await.unwrap();
    assert_eq!(
        code(create(Some(Ttl::from_seconds(1_801)), false).await),
        "token_too_long"
    );
    create(Some(Ttl::from_days(30)), true).await.unwrap();
    assert_eq!(
        code(create(Some(Ttl::from_days(31)), true).await),
        "token_too_long"
    );
    assert_eq!(code(create(Some(Ttl::from_seconds(0)), true).await), "malformed");
    let mut auth = ask(None, true);
    auth.roles.push(SystemRole::Auth);
    assert_eq!(
        code(world.enrollment.create_token(&actor(), auth).await),
        "role_not_given"
    );
}

#[tokio::test]
async fn i9_the_secret_of_a_token_is_stored_and_logged_nowhere() {
    let world = World::new().await;
    let created = world
        .enrollment
        .create_token(&actor(), ask(None, true))
        .await
        .unwrap();
    let secret = created.secret.expose();
    assert_eq!(secret.len(), 32);
    world
        .join(&Machine::new("web-1"), JoinSecret::parse(secret).unwrap())
        .await
        .unwrap();
    let stored = world.state.list("", None, state::PAGE_MAX).await.unwrap();
    for entry in stored.entries {
        assert!(!entry.key.as_str().contains(secret));
        assert!(
            !String::from_utf8_lossy(&entry.value).contains(secret),
            "{}",
            entry.key
        );
    }
    for event in ["join_token.create", "instance.join"] {
        let event = world.events(event).await.pop().unwrap();
        assert!(!event.to_string().contains(secret), "{event}");
        assert_eq!(event["token"], created.document.metadata.name.as_str()[..8]);
    }
}

#[tokio::test]
async fn a_token_ends_by_time_and_by_removal() {
    let world = World::new().await;
    let token = world.token(None).await;
    let text = token.expose().to_owned();
    world.clock.advance(Ttl::from_seconds(1_801));
    assert_eq!(code(world.join(&Machine::new("web-1"), token).await), "bad_token");
    assert_eq!(
        code(world.join(&Machine::new("web-1"), secret(&text)).await),
        "bad_token"
    );
    let token = world.token(None).await;
    let listed = world.directory.list(Kind::Token, None, 10).await.unwrap();
    assert_eq!(listed.documents.len(), 1);
    let name = listed.documents[0].metadata().name.clone();
    let delete = directory::Delete::default();
    world
        .directory
        .delete(&actor(), Kind::Token, &name, delete)
        .await
        .unwrap();
    assert_eq!(code(world.join(&Machine::new("web-1"), token).await), "bad_token");
    assert_eq!(world.events("join_token.delete").await.len(), 1);
}

#[tokio::test]
async fn static_tokens_do_not_end_and_give_their_roles_only() {
    let world = World::new().await;
    let text = STATIC_SECRET.replace(' ', "-");
    world.clock.advance(Ttl::from_days(400));
    for name in ["web-1", "web-2"] {
        world.join(&Machine::new(name), secret(&text)).await.unwrap();
    }
    let mut db = Machine::new("db-1");
    db.roles = vec![SystemRole::Node, SystemRole::Db];
    assert_eq!(code(world.join(&db, secret(&text)).await), "role_not_given");
    let event = &world.events("instance.join").await[0];
    assert_eq!(event["method"], "static");
}

#[tokio::test]
async fn static_tokens_are_listed_without_what_they_open_with() {
    let world = World::new().await;
    let [listed] = world.enrollment.static_tokens().try_into().unwrap();
    assert_eq!(listed.spec.roles, [SystemRole::Node, SystemRole::Proxy]);
    assert_eq!((listed.spec.uses, listed.metadata.expires), (None, None));
    let source = "`auth_service.tokens` of the configuration";
    assert!(listed.metadata.description.clone().unwrap().contains(source));
    let text = serde_json::to_string(&listed).unwrap();
    for secret in [STATIC_SECRET.to_owned(), STATIC_SECRET.replace(' ', "-")] {
        assert!(!text.contains(&secret), "{text}");
    }
}

#[test]
fn static_tokens_are_read_from_the_configuration() {
    let read = |text: &str| parse_static_token(text).map_err(|refusal| refusal.to_string());
    let (roles, source) = read("node,proxy:0123456789abcdef").ok().unwrap();
    assert_eq!(roles, [SystemRole::Node, SystemRole::Proxy]);
    assert!(matches!(source, SecretSource::Inline(secret) if secret.expose() == "0123456789abcdef"));
    let (_, source) = read("node:/etc/signet/token").ok().unwrap();
    assert!(matches!(source, SecretSource::File(path) if path.ends_with("token")));
    for bad in [
        "",
        "node",
        "nodes:0123456789abcdef",
        "node:short",
        "auth:0123456789abcdef",
        ":0123456789abcdef",
    ] {
        let words = read(bad).err().unwrap();
        assert!(!words.contains("0123456789abcdef"), "{words}");
    }
}
