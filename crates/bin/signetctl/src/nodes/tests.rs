use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Outer {
    #[command(subcommand)]
    command: NodesCommand,
}

fn add(line: &str) -> AddArgs {
    let words = ["nodes", "add"].into_iter().chain(line.split_whitespace());
    let NodesCommand::Add(arguments) = Outer::try_parse_from(words).unwrap().command else {
        panic!("another command was read")
    };
    arguments
}

fn answer(proxy: Option<&str>) -> TokenAnswer {
    TokenAnswer {
        token: "5e".repeat(16).into(),
        name: "3b5f9c21".to_owned(),
        expires: Some("2026-03-01T12:30:00Z".to_owned()),
        ca_pins: vec![
            format!("sha256:{}", "0".repeat(64)),
            format!("sha256:{}", "1".repeat(64)),
        ],
        proxy: proxy.map(str::to_owned),
        listens: None,
    }
}

/// An answer of a cluster without a public address.
fn listening(address: &str) -> TokenAnswer {
    TokenAnswer {
        listens: Some(address.to_owned()),
        ..answer(None)
    }
}

#[test]
fn the_whole_command_is_printed() {
    let shown = |line: &str, token: &TokenAnswer| {
        let arguments = add(line);
        let place = arguments.place(token, None);
        arguments.render(token, &place, &arguments.command(token, &place).unwrap())
    };
    insta::assert_snapshot!(format!(
        "{}\n----\n{}\n----\n{}",
        shown(
            "--roles=node --labels env=prod,team=a;b --uses=3",
            &answer(Some("example.com:3080"))
        ),
        shown("", &listening("auth-1:4080")),
        shown("", &listening("127.0.0.1:4080")),
    ));
}

#[test]
fn the_address_to_join_at_is_the_best_that_is_known() {
    let proxy = |line: &str, token: &TokenAnswer, reached: Option<&str>| {
        let arguments = add(line);
        let command = arguments
            .command(token, &arguments.place(token, reached))
            .unwrap();
        command.rsplit_once("--proxy=").unwrap().1.to_owned()
    };
    let known = answer(Some("example.com:3080"));
    assert_eq!(
        proxy("--proxy=[2001:db8::1]:3080", &known, None),
        "'[2001:db8::1]:3080'"
    );
    assert_eq!(proxy("", &known, Some("auth.example.com")), "example.com:3080");
    // As it is reached from here, at the port that the proxy has.
    let elsewhere = listening("auth-1:4080");
    assert_eq!(
        proxy("", &elsewhere, Some("auth.example.com")),
        "auth.example.com:4080"
    );
    assert_eq!(proxy("", &elsewhere, None), "auth-1:4080");
    // What listens for its own host only is reached from no other, whatever it is called.
    for here in ["127.0.0.1:4080", "[::1]:4080", "localhost:4080"] {
        assert_eq!(proxy("", &listening(here), None), "PROXY:4080");
        assert_eq!(
            proxy("", &listening(here), Some("auth.example.com")),
            "PROXY:4080"
        );
    }
    assert_eq!(
        proxy("", &answer(None), None),
        "PROXY:3080",
        "an earlier server does not say"
    );
}

#[test]
fn a_role_that_no_machine_joins_in_is_refused_before_a_token_is_made() {
    for roles in ["proxy", "auth", "node,proxy"] {
        let refused = add(&format!("--roles={roles}")).check_roles().unwrap_err();
        let told = format!("{refused:?}");
        assert!(told.contains("no machine joins as"), "{told}");
        assert!(told.contains("--roles=node"), "{told}");
    }
    for roles in ["node", "node,app,db", "db"] {
        add(&format!("--roles={roles}")).check_roles().unwrap();
    }
    add("").check_roles().unwrap();
    let both = add("--roles=node,app,db");
    let token = answer(Some("example.com:3080"));
    let place = both.place(&token, None);
    let command = both.command(&token, &place).unwrap();
    assert!(command.contains("--roles=node,app,db"), "{command}");
    let told = both.render(&token, &place, &command);
    assert!(
        told.contains("app and db as well; in this version no service"),
        "{told}"
    );
}

#[test]
fn words_are_one_word_to_a_shell() {
    assert_eq!(quoted("env=prod,team=web"), "env=prod,team=web");
    assert_eq!(quoted("a b"), "'a b'");
    assert_eq!(quoted("it's; $(x)"), "'it'\\''s; $(x)'");
    assert_eq!(quoted(""), "''");
}

#[test]
fn nodes_are_listed() {
    let node = NodeRow {
        host_id: "0d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d".to_owned(),
        hostname: "web-1".to_owned(),
        addr: "10.0.0.7:3022".to_owned(),
        sub_kind: "agent".to_owned(),
        online: Some(true),
        use_tunnel: false,
        seen_at: Some("2026-03-01T12:00:00Z".to_owned()),
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        logins: vec!["root".to_owned()],
        version: "0.1.0".to_owned(),
    };
    let tunnel = NodeRow {
        hostname: "web-2".to_owned(),
        addr: String::new(),
        online: Some(false),
        use_tunnel: true,
        ..node.clone()
    };
    let openssh = NodeRow {
        hostname: "web-3".to_owned(),
        sub_kind: "openssh".to_owned(),
        online: None,
        seen_at: None,
        labels: std::collections::BTreeMap::new(),
        logins: Vec::new(),
        version: String::new(),
        ..node.clone()
    };
    let nodes = [node, tunnel, openssh];
    insta::assert_snapshot!(format!("{}\n{}", render(&nodes, false), render(&nodes, true)));
}
