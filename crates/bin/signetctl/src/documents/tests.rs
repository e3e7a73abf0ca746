use super::*;

const ROLE: &str = "
kind: role
version: v1
metadata: {name: web, labels: {owner: n}}
spec:
  allow:
    logins: ['{{internal.logins}}', yes]
    node_labels: {env: [prod, '^stage-[0-9]+$'], on: true}
    rules: [{resources: [user], verbs: [list, read]}]
";
const USER: &str = r#"{"kind":"user","version":"v1","metadata":{"name":"alice"},"spec":{"roles":["web"]}}"#;
const NODE: &str = "
kind: node
version: v1
metadata: {name: 00000000-0000-0000-0000-000000000000, labels: {a: no}}
spec: {hostname: n, addr: 'n:22', sub_kind: openssh}
";

fn problems(text: &str) -> String {
    read_all(text).unwrap_err().to_string()
}

#[test]
fn documents_are_named_as_people_do() {
    let named = |text: &str| text.parse::<Named>().map(|named| named.shown());
    assert_eq!(named("roles/access").unwrap(), "role/access");
    assert_eq!(
        named("cap").unwrap(),
        "cluster_auth_preference/cluster-auth-preference"
    );
    assert!(named("role").unwrap_err().contains("write role/NAME"));
    assert!(named("rol/access").unwrap_err().contains("did you mean role"));
    assert!(named("role/../x").is_err());
}

#[test]
fn words_stay_words() {
    let document = read_one(NODE).unwrap();
    let AnyDocument::Node(node) = &document else {
        panic!("{document:?}")
    };
    assert_eq!(node.spec.hostname, "n");
    assert_eq!(node.metadata.labels["a"], "no");
    let AnyDocument::Role(role) = read_one(ROLE).unwrap() else {
        panic!("no role")
    };
    assert_eq!(role.spec.allow.logins[1], "yes");
    assert_eq!(role.spec.allow.node_labels["on"], ["true"]);
}

#[test]
fn yaml_and_json_hold_several_and_round_trip() {
    let several = format!("{ROLE}---\n{NODE}---\n\n---\n{USER}\n");
    let documents = read_all(&several).unwrap();
    assert_eq!(documents.len(), 3);
    assert_eq!(read_all(&yaml(&documents).unwrap()).unwrap(), documents);
    let json = serde_json::to_string_pretty(&documents).unwrap();
    assert_eq!(
        read_all(&json).unwrap(),
        documents,
        "as `get --format json` prints it"
    );
    let ordered: Vec<Kind> = in_order_of_need(read_all(&format!("{USER}\n---\n{ROLE}")).unwrap())
        .iter()
        .map(AnyDocument::kind)
        .collect();
    assert_eq!(ordered, [Kind::Role, Kind::User]);
}

#[test]
fn texts_that_look_like_something_else_round_trip() {
    let long = "word ".repeat(60);
    for text in [
        "n",
        "y",
        "yes",
        "No",
        "on",
        "OFF",
        "true",
        "False",
        "null",
        "~",
        "1",
        "1.10",
        "1e3",
        "0x10",
        "007",
        "-",
        "- a",
        "a: b",
        "#a",
        "a #b",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "'",
        "\"",
        "\\",
        " a",
        "a ",
        "2026-03-01",
        ".nan",
        "<<",
        "é",
        "[a",
        "{a",
        "%a",
        "@a",
        "`a",
        "?",
        "? a",
        long.as_str(),
    ] {
        let mut document = read_one(ROLE).unwrap();
        document.metadata_mut().description = Some(text.to_owned());
        document
            .metadata_mut()
            .labels
            .insert("label".to_owned(), text.to_owned());
        let printed = yaml(std::slice::from_ref(&document)).unwrap();
        let AnyDocument::Role(back) =
            read_one(&printed).unwrap_or_else(|error| panic!("{text:?}: {error}\n{printed}"))
        else {
            panic!("no role")
        };
        assert_eq!(back.metadata.description.as_deref(), Some(text), "{printed}");
        assert_eq!(back.metadata.labels["label"], text, "{printed}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    assert!(problems("").contains("no document"));
    assert!(
        problems("kind: role\nkind: user\n").contains("kind"),
        "a key stands once"
    );
    assert!(problems(r#"{"kind":"user","kind":"role"}"#).contains("kind"));
    assert!(problems("kind: role\n  x: y\n").starts_with("not YAML"));
    let misspelt = ROLE.replace("logins:", "login:");
    let wrong = problems(&misspelt);
    assert!(
        wrong.contains("spec.allow") && wrong.contains("did you mean \"logins\"?"),
        "{wrong}"
    );
    let wrong = problems(&format!("{USER}\n---\n{misspelt}\n---\n{USER}"));
    assert!(wrong.contains("document 2 (role/web): spec.allow"), "{wrong}");
    assert!(wrong.contains("document 3 (user/alice): stands twice"), "{wrong}");
    let pattern = ROLE.replace("[0-9]+$", "[0-9+$");
    assert!(
        problems(&pattern).contains("spec.allow.node_labels.env[1]"),
        "{}",
        problems(&pattern)
    );
    assert!(problems(&ROLE.replace("version: v1", "version: v2")).contains("version"));
    assert!(problems("kind: cert_authority\n").contains("kind"));
    let token = "{kind: token, version: v1, metadata: {name: x}, spec: {roles: [node]}}";
    assert!(problems(token).contains("signetctl tokens add"));
    // What is said of a machine that joined is the server's to judge: what `get` prints is read back.
    assert!(read_one(&NODE.replace("openssh", "agent")).is_ok());
    assert!(
        read_one(&format!("{USER}---\n{ROLE}")).is_err()
            && read_one(&format!("{USER}\n---\n{ROLE}")).is_err()
    );
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("a: {}{}", "[".repeat(2_000), "]".repeat(2_000));
    assert!(read_all(&deep).is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read_all(&deep).is_err());
}

#[test]
fn what_only_the_server_says_is_not_sent() {
    let text = format!(
        "{}, status: {{has_password: true, is_locked: true, second_factors: 2}}}}}}",
        USER.trim_end_matches("}}")
    );
    let AnyDocument::User(user) = read_one(&text).unwrap() else {
        panic!("no user")
    };
    assert_eq!(user.spec.status, resource::UserStatus::default());
}

#[test]
fn documents_are_listed_for_people() {
    let mut documents = read_all(&format!("{ROLE}---\n{NODE}---\n{USER}\n")).unwrap();
    let more = [
        "{kind: lock, version: v1, metadata: {name: l1, expires: '2026-03-01T12:00:00Z'}, spec: {target: {user: alice}, message: stolen}}",
        "{kind: token, version: v1, metadata: {name: 3b5f9c2100000000000000000000000000000000000000000000000000000000}, spec: {roles: [node, app], uses: null, suggested_labels: {env: prod}}}",
        "{kind: user, version: v1, metadata: {name: bob}, spec: {roles: [web], traits: {logins: [root, bob]}, created_by: alice, status: {has_password: true, second_factors: 2}}}",
        "{kind: session_recording_config, version: v1, metadata: {name: session-recording-config, revision: 7}, spec: {mode: node}}",
    ];
    for text in more {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        documents.push(understood(value).unwrap());
    }
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        text(&[], false),
        text(&documents, false),
        table(Kind::User, &documents, true)
    ));
}
