use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use authority::Suite;
use names::Ttl;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use super::*;
use crate::reference::KEYS;

fn root() -> Environment {
    Environment {
        is_root: true,
        host_name: "auth-1.example.com".to_owned(),
        ..Environment::default()
    }
}

fn refused(text: &str) -> Vec<String> {
    load(text, &root())
        .unwrap_err()
        .problems
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn check_refused(text: &str, expected: &str) {
    let problems = refused(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0], expected);
}

fn pkcs11(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("      {line}\n")).collect();
    format!("auth_service:\n  ca_key_params:\n    pkcs11:\n{indented}")
}

fn aws_kms(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("      {line}\n")).collect();
    format!("auth_service:\n  ca_key_params:\n    aws_kms:\n{indented}")
}

#[test]
fn nothing_at_all_is_a_complete_configuration() {
    for text in [
        "",
        "\n\n",
        "# nothing\n",
        "---\n",
        "signet:\nauth_service:\n",
        "auth_service:\n  ca_key_params:\n",
    ] {
        let config = load(text, &root()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(config.data_dir, Path::new("/var/lib/signet"));
        assert_eq!(config.socket_path(), Path::new("/var/lib/signet/signet.sock"));
        assert_eq!(
            config.storage,
            StorageConfig::Sqlite {
                directory: PathBuf::from("/var/lib/signet/backend")
            }
        );
        assert_eq!(config.log, LOG);
        assert!(config.auth.is_enabled);
        assert_eq!(config.auth.cluster_name.as_str(), "auth-1.example.com");
        assert!(!config.auth.is_cluster_name_configured);
        assert_eq!(
            config.auth.listen_addr,
            "127.0.0.1:3025".parse::<SocketAddr>().unwrap()
        );
        assert_eq!(
            config.auth.web_listen_addr,
            "127.0.0.1:3080".parse::<SocketAddr>().unwrap()
        );
        assert_eq!(config.auth.suite, None);
        assert!(matches!(config.auth.ca_keys, CaKeyConfig::Software));
        assert_eq!(config.auth.key_quarantine, Ttl::from_days(7));
    }
}

#[test]
fn the_sample_is_the_defaults() {
    let sample = load(SAMPLE, &root()).unwrap();
    let nothing = load("", &root()).unwrap();
    assert_eq!(format!("{sample:?}"), format!("{nothing:?}"));
}

/// Lines of the sample that begin with `#` and a key are settings; those with `# ` are prose.
fn uncomment(sample: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut inside_unwanted = None;
    for line in sample.lines() {
        let depth = line.len() - line.trim_start().len();
        let setting = line
            .trim_start()
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        match setting {
            Some(setting) => {
                if inside_unwanted.is_some_and(|outer| depth <= outer) {
                    inside_unwanted = None;
                }
                if inside_unwanted.is_none() && !is_wanted(setting) {
                    inside_unwanted = Some(depth);
                }
                if inside_unwanted.is_none() {
                    text.push_str(&format!("{}{setting}\n", " ".repeat(depth)));
                }
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[test]
fn every_setting_of_the_sample_can_be_used() {
    let unwanted = ["aws_kms", "slot_number", "pin:", "acme:"];
    let text = uncomment(SAMPLE, |setting| {
        !unwanted.iter().any(|key| setting.starts_with(key))
    });
    let config = load(&text, &root()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(matches!(config.auth.ca_keys, CaKeyConfig::Pkcs11(_)));
    assert_eq!(
        config.auth.public_addr.unwrap().to_string(),
        "auth.example.com:443"
    );
    assert_eq!(config.auth.suite, Some(Suite::BalancedV1));

    let unwanted = ["pkcs11", "https_"];
    let is_wanted = |setting: &str| !unwanted.iter().any(|key| setting.starts_with(key));
    let text = uncomment(SAMPLE, is_wanted).replace("enabled: false", "enabled: true");
    let config = load(&text, &root()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let CaKeyConfig::AwsKms(kms) = config.auth.ca_keys else {
        panic!("not KMS")
    };
    assert_eq!(kms.tags["team"], "platform");
    assert_eq!(kms.multi_region.unwrap().replica_regions[0].as_str(), "eu-west-1");
    let acme = config.proxy.acme.unwrap();
    assert_eq!(acme.name.as_str(), "proxy.example.com");
    assert_eq!(acme.directory, ACME_DIRECTORY);
}

#[test]
fn former_custodies_are_a_list_and_their_problems_name_the_entry() {
    let text = "auth_service:\n  former_ca_key_params:\n    - pkcs11: {module_path: /m.so, token_label: old, pin: '1'}\n    - aws_kms: {account: '123456789012', region: eu-west-1}\n";
    let config = load(text, &root()).unwrap();
    assert_eq!(config.auth.former_ca_keys.len(), 2);
    let bad = load(
        "auth_service:\n  former_ca_key_params:\n    - pkcs11: {module_path: m.so}\n    - {}\n",
        &root(),
    );
    let text = bad.unwrap_err().to_string();
    assert!(
        text.contains("former_ca_key_params[0].pkcs11.module_path"),
        "{text}"
    );
}

#[test]
fn the_sample_names_every_key() {
    for key in KEYS {
        let name = key.path.rsplit('.').next().unwrap();
        let is_named = SAMPLE.lines().any(|line| {
            line.trim_start()
                .trim_start_matches('#')
                .starts_with(&format!("{name}:"))
        });
        assert!(is_named, "{} is not in the sample", key.path);
    }
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let sections: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.kind.is_empty())
        .map(|key| key.path)
        .collect();
    for section in std::iter::once("").chain(sections) {
        let mut text = String::new();
        let mut depth = 0;
        for part in section.split('.').filter(|part| !part.is_empty()) {
            text.push_str(&format!("{}{part}:\n", "  ".repeat(depth)));
            depth += 1;
        }
        text.push_str(&format!("{}zzzzzzzzzz: 1\n", "  ".repeat(depth)));
        let problem = &load(&text, &root()).unwrap_err().problems[0];
        assert_eq!(problem.what, "unknown key", "{section}: {problem}");
        let mut known: Vec<&str> = problem.next.split(" are ").nth(1).unwrap().split(", ").collect();
        let mut documented: Vec<&str> = KEYS
            .iter()
            .filter_map(|key| {
                let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
                (parent == section).then_some(name)
            })
            .collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(known, documented, "in section {section:?}");
    }
}

#[test]
fn the_reference_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/config.md");
    let expected = reference_markdown();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/config.md is stale: run the test with UPDATE_GOLDEN=1"
    );
}

#[test]
fn unknown_keys_are_refused_with_path_place_and_suggestion() {
    check_refused(
        "signet:\n  data_dri: /tmp\n",
        "line 2, column 3: signet.data_dri: unknown key; did you mean `data_dir`?",
    );
    check_refused(
        &pkcs11("modul_path: /x.so"),
        "line 4, column 7: auth_service.ca_key_params.pkcs11.modul_path: unknown key; did you mean `module_path`?",
    );
    check_refused(
        "cluster_name: example.com\n",
        "line 1, column 1: cluster_name: unknown key; did you mean `auth_service.cluster_name`?",
    );
    check_refused(
        "teleport:\n  data_dir: /tmp\n",
        "line 1, column 1: teleport: unknown key; did you mean `signet`?",
    );
    check_refused(
        "auth_service:\n  ca_key_params:\n    gcp_kms:\n      keyring: x\n",
        "line 3, column 5: auth_service.ca_key_params.gcp_kms: unknown key; known keys in `auth_service.ca_key_params` are pkcs11, aws_kms",
    );
}

#[test]
fn keys_given_twice_are_refused() {
    check_refused(
        "signet:\n  data_dir: /a\n  data_dir: /b\n",
        "line 3, column 3: signet.data_dir: the key \"data_dir\" is given twice; keep one of them",
    );
}

#[test]
fn wrong_shapes_name_the_path() {
    for (text, path) in [
        ("auth_service:\n  enabled: perhaps\n", "auth_service.enabled"),
        ("auth_service:\n  enabled: [true]\n", "auth_service.enabled"),
        ("auth_service: 5\n", "auth_service"),
        ("signet:\n  log: loud\n", "signet.log"),
        ("signet:\n  data_dir: {a: b}\n", "signet.data_dir"),
        (
            "auth_service:\n  ca_key_params:\n    pkcs11:\n      slot_number: first\n",
            "auth_service.ca_key_params.pkcs11.slot_number",
        ),
        (
            "auth_service:\n  ca_key_params:\n    pkcs11:\n      slot_number: -1\n",
            "auth_service.ca_key_params.pkcs11.slot_number",
        ),
    ] {
        let error = load(text, &root()).unwrap_err();
        assert_eq!(error.problems[0].path, path, "{text}: {error}");
        assert!(error.problems[0].place.is_some(), "{error}");
    }
}

#[test]
fn what_is_not_yaml_is_refused_with_its_place() {
    for text in [
        "signet: [",
        "a: b: c\n",
        "signet:\n\tdata_dir: x\n",
        "signet:\n data_dir: x\n  log:\n",
        "--- \na: 1\n---\nb: 2\n",
        "- x\n",
    ] {
        let error = match load(text, &root()) {
            Ok(_) => panic!("{text:?} was accepted"),
            Err(error) => error,
        };
        assert_eq!(error.problems.len(), 1, "{error}");
    }
    let error = load(&format!("# {}", "x".repeat(1 << 20)), &root()).unwrap_err();
    assert!(error.to_string().contains("at most 1048576 are read"), "{error}");
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems = refused(
        "signet:\n  log:\n    severity: loud\nauth_service:\n  cluster_name: Bad_Name!\n  listen_addr: localhost:3025\n  key_quarantine: 7\n",
    );
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert_eq!(
        problems[0],
        "line 3, column 15: signet.log.severity: \"loud\" is no severity; write error, warn, info, debug or trace"
    );
    assert!(
        problems[1].starts_with("line 5, column 17: auth_service.cluster_name: cluster name has 'B'"),
        "{problems:#?}"
    );
    assert!(problems[2].contains("auth_service.listen_addr"));
    assert!(problems[3].contains("auth_service.key_quarantine"));
}

#[test]
fn unknown_keys_hide_nothing_else() {
    let problems = refused(
        "signet:\n  nodname: web-1\n  log: {severity: loud, colour: red}\nauth_service:\n  tokens: [\"node:short\", \"nodee:0123456789abcdef\", \"node:0123456789abcdef\"]\n  tokenz:\n    - a\nssh_service:\n  listen_addr: 127.0.0.1\n  public_addr: web-1\n  labels: {\"a b\": 1, env: prod}\nproxi_service:\n  enabled: true\n",
    );
    let says = |place: &str, what: &str| {
        let found = problems
            .iter()
            .filter(|problem| problem.contains(place) && problem.contains(what));
        assert_eq!(found.count(), 1, "{place} {what}: {problems:#?}");
    };
    says("line 2, column 3: signet.nodname", "did you mean `nodename`");
    says("signet.log.colour", "unknown key");
    says("auth_service.tokenz", "unknown key");
    says("proxi_service", "unknown key");
    says("signet.log.severity", "no severity");
    says("auth_service.tokens", "16 to 512");
    says("auth_service.tokens", "\"nodee\" is no system role");
    says("ssh_service.listen_addr", "has no port");
    says("ssh_service.public_addr", "has no port");
    says("ssh_service.labels.\"a b\"", "");
    assert_eq!(problems.len(), 10, "{problems:#?}");
    assert!(!problems.concat().contains("node:short"), "no secret is shown");
}

#[test]
fn a_token_is_named_once_and_its_pin_comes_from_one_place() {
    let module = "module_path: /usr/lib/x.so";
    for (lines, expected) in [
        (
            format!("{module}\npin: \"1\""),
            "neither token_label nor slot_number",
        ),
        (
            format!("{module}\ntoken_label: a\nslot_number: 0\npin: \"1\""),
            "token_label is given too",
        ),
        (format!("{module}\ntoken_label: a"), "no PIN is given"),
        (
            format!("{module}\ntoken_label: a\npin: \"1\"\npin_path: /p"),
            "pin is given too",
        ),
        (format!("{module}\ntoken_label: a\npin: \"\""), "the PIN is empty"),
        (
            format!("{module}\ntoken_label: \"\"\npin: \"1\""),
            "the label is empty",
        ),
        (
            format!("{module}\ntoken_label: {}\npin: \"1\"", "a".repeat(33)),
            "33 bytes long",
        ),
        (
            format!("{module}\ntoken_label: a\npin: \"1\"\nmax_sessions: 1"),
            "one session is not enough",
        ),
        (
            format!("{module}\ntoken_label: a\npin: \"1\"\nmax_sessions: 99999999999"),
            "too many",
        ),
        (
            "module_path: x.so\ntoken_label: a\npin: \"1\"".to_owned(),
            "not an absolute path",
        ),
        ("token_label: a\npin: \"1\"".to_owned(), "the module is not named"),
    ] {
        let problems = refused(&pkcs11(&lines));
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains(expected), "{problems:#?}");
    }
}

#[test]
fn a_token_is_configured() {
    let text = pkcs11("module_path: /usr/lib/x.so\ntoken_label: hsm1\npin: 0012\nmax_sessions: 8");
    let CaKeyConfig::Pkcs11(token) = load(&text, &root()).unwrap().auth.ca_keys else {
        panic!("not PKCS#11")
    };
    assert_eq!(token.token, TokenChoice::Label("hsm1".to_owned()));
    assert_eq!(token.max_sessions, Some(8));
    let PinSource::Given(pin) = token.pin else {
        panic!("not given")
    };
    assert_eq!(pin.expose_secret(), "0012", "a PIN of digits keeps its zeros");

    let text =
        pkcs11("module_path: /usr/lib/x.so\nslot_number: 0\npin_path: /etc/signet/pin\nmax_sessions: 0");
    let CaKeyConfig::Pkcs11(token) = load(&text, &root()).unwrap().auth.ca_keys else {
        panic!("not PKCS#11")
    };
    assert_eq!(token.token, TokenChoice::Slot(0));
    assert_eq!(token.max_sessions, None);
    assert!(matches!(token.pin, PinSource::File(path) if path == Path::new("/etc/signet/pin")));

    let text = pkcs11("module_path: /usr/lib/x.so\nslot_number: 0");
    let environment = Environment {
        pkcs11_pin: Some(SecretString::from("hunter22")),
        ..root()
    };
    let CaKeyConfig::Pkcs11(token) = load(&text, &environment).unwrap().auth.ca_keys else {
        panic!("not PKCS#11")
    };
    assert!(matches!(token.pin, PinSource::Given(pin) if pin.expose_secret() == "hunter22"));
}

#[test]
fn i9_no_error_and_no_debug_output_shows_a_pin() {
    let pin = "hunter22secret";
    for lines in [
        format!("pin: {pin}"),
        format!("pin: [{pin}]"),
        format!("pin: {{x: {pin}}}"),
        format!("pin: {pin}\npin: {pin}"),
        format!("pin: \"{pin}\nmodule_path: x"),
        format!("pin: *{pin}"),
        format!("pin: !!int {pin}"),
        format!("pin: !!binary {pin}"),
        format!("pin: |\n {pin}\nslot_number: {pin}"),
        format!("max_sessions: {pin}"),
    ] {
        let error = load(&pkcs11(&lines), &root()).unwrap_err();
        assert!(!error.to_string().contains("hunter22"), "{lines}: {error}");
        assert!(!format!("{error:?}").contains("hunter22"), "{lines}: {error:?}");
    }
    let text = pkcs11(&format!("module_path: /usr/lib/x.so\nslot_number: 0\npin: {pin}"));
    assert!(!format!("{:?}", load(&text, &root()).unwrap()).contains("hunter22"));
}

fn many_tags(count: usize) -> String {
    let tags: Vec<String> = (0..count).map(|number| format!("t{number}: x")).collect();
    format!("{{{}}}", tags.join(", "))
}

#[test]
fn aws_values_are_checked() {
    let good = "account: \"123456789012\"\nregion: eu-central-1";
    for (lines, expected) in [
        ("region: eu-central-1".to_owned(), "the account is not named"),
        (
            "account: \"12345678901\"\nregion: eu-central-1".to_owned(),
            "no AWS account",
        ),
        ("account: \"123456789012\"".to_owned(), "the region is not named"),
        (
            "account: \"123456789012\"\nregion: eu-central-1a".to_owned(),
            "no AWS region",
        ),
        (
            "account: \"123456789012\"\nregion: Frankfurt".to_owned(),
            "no AWS region",
        ),
        (format!("{good}\ntags: {{\"aws:x\": y}}"), "reserved by AWS"),
        (
            format!("{good}\ntags: {{a: \"b!\"}}"),
            "does not take some of its characters",
        ),
        (format!("{good}\ntags: {{a: {}}}", "b".repeat(257)), "at most 256"),
        (
            format!("{good}\ntags: {}", many_tags(48)),
            "48 tags are too many; keep at most 47",
        ),
        (
            format!("{good}\nmulti_region: {{enabled: true, replica_regions: [eu-central-1]}}"),
            "is the primary region",
        ),
        (
            format!("{good}\nmulti_region: {{enabled: true, replica_regions: [eu-west-1, eu-west-1]}}"),
            "named twice",
        ),
        (
            format!("{good}\nmulti_region: {{enabled: true, primary_region: eu-west-1}}"),
            "no key would be there",
        ),
        (
            format!("{good}\ndeletion_window_days: 6"),
            "no waiting period of 6 days",
        ),
        (
            format!("{good}\ndeletion_window_days: 300"),
            "no waiting period of 300 days",
        ),
    ] {
        let problems = refused(&aws_kms(&lines));
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains(expected), "{problems:#?}");
    }
    let tagged = format!("{good}\ntags: {}", many_tags(47));
    let CaKeyConfig::AwsKms(kms) = load(&aws_kms(&tagged), &root()).unwrap().auth.ca_keys else {
        panic!("not KMS")
    };
    assert_eq!(kms.tags.len(), 47);
    // Accounts are digits, and people forget the quotes; one that begins with a zero must keep it.
    let text = aws_kms("account: 012345678901\nregion: us-gov-west-1");
    let CaKeyConfig::AwsKms(kms) = load(&text, &root()).unwrap().auth.ca_keys else {
        panic!("not KMS")
    };
    assert_eq!(kms.account.as_str(), "012345678901");
    assert_eq!((kms.multi_region, kms.deletion_window_days), (None, None));
    let text = aws_kms(&format!("{good}\ndeletion_window_days: 30"));
    let CaKeyConfig::AwsKms(kms) = load(&text, &root()).unwrap().auth.ca_keys else {
        panic!("not KMS")
    };
    assert_eq!(kms.deletion_window_days, Some(30));
}

#[test]
fn one_backend_at_most() {
    let text = format!(
        "{}    aws_kms:\n      account: \"123456789012\"\n      region: eu-central-1\n",
        pkcs11("slot_number: 0")
    );
    let problems = refused(&text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("both pkcs11 and aws_kms"), "{problems:#?}");
}

#[test]
fn the_data_directory_follows_the_environment() {
    let user = Environment {
        home: Some(PathBuf::from("/home/alice")),
        host_name: "laptop".to_owned(),
        ..Environment::default()
    };
    assert_eq!(
        load("", &user).unwrap().data_dir,
        Path::new("/home/alice/.local/share/signet")
    );
    let xdg = Environment {
        xdg_data_home: Some(PathBuf::from("/data")),
        ..user.clone()
    };
    assert_eq!(load("", &xdg).unwrap().data_dir, Path::new("/data/signet"));
    let relative = Environment {
        xdg_data_home: Some(PathBuf::from("data")),
        ..user.clone()
    };
    assert_eq!(
        load("", &relative).unwrap().data_dir,
        Path::new("/home/alice/.local/share/signet")
    );
    let homeless = Environment { home: None, ..user };
    assert_eq!(
        load("", &homeless).unwrap_err().problems[0].path,
        "signet.data_dir"
    );
    assert_eq!(
        load("signet: {data_dir: /srv/s}", &homeless).unwrap().data_dir,
        Path::new("/srv/s")
    );
}

#[test]
fn the_cluster_is_called_after_the_host() {
    let named = |host: &str| {
        let environment = Environment {
            host_name: host.to_owned(),
            ..root()
        };
        load("", &environment).map(|config| config.auth.cluster_name.to_string())
    };
    assert_eq!(named("Alice's MacBook").unwrap(), "alice-s-macbook");
    assert_eq!(named("-web-.Example.COM.").unwrap(), "web.example.com");
    assert_eq!(
        named(&format!("{}.example.com", "a".repeat(70))).unwrap(),
        "a".repeat(63)
    );
    assert_eq!(
        named(&format!("{}.example.com", "a".repeat(52))).unwrap(),
        format!("{}.example.com", "a".repeat(52))
    );
    assert_eq!(
        named("").unwrap_err().problems[0].path,
        "auth_service.cluster_name"
    );
}

#[test]
fn addresses_are_read_as_people_write_them() {
    let address = |text: &str| {
        load(&format!("auth_service:\n  listen_addr: \"{text}\"\n"), &root())
            .map(|config| config.auth.listen_addr.to_string())
    };
    assert_eq!(address("0.0.0.0:4025").unwrap(), "0.0.0.0:4025");
    for bare in ["10.0.0.1", "::1", "[::1]"] {
        let refused = address(bare).unwrap_err().to_string();
        assert!(refused.contains("has no port"), "{refused}");
    }
    assert_eq!(address("[::1]:4025").unwrap(), "[::1]:4025");
    assert!(address("example.com:3025").is_err());
    assert!(address("127.0.0.1:99999").is_err());
    let public = |text: &str| {
        load(&format!("auth_service:\n  public_addr: \"{text}\"\n"), &root())
            .map(|config| config.auth.public_addr.unwrap().to_string())
    };
    assert_eq!(public("Auth.Example.com:443").unwrap(), "auth.example.com:443");
    assert_eq!(public("auth.example.com").unwrap(), "auth.example.com:3080");
    assert_eq!(public("[::1]:443").unwrap(), "[::1]:443");
    for bad in [
        "https://auth.example.com",
        "auth.example.com:0",
        "auth.example.com:https",
        ":443",
    ] {
        assert!(public(bad).is_err(), "{bad}");
    }
}

#[test]
fn limits_are_numbers_that_a_server_can_mean() {
    let text = "auth_service:\n  limits: {log_ins_per_minute: 600, joins_burst: 5000}\n";
    let limits = load(text, &root()).unwrap().auth.limits;
    let expected = LimitsConfig {
        log_ins_per_minute: 600,
        joins_burst: 5_000,
        ..LIMITS
    };
    assert_eq!(limits, expected);
    for bad in ["0", "1000001", "99999999999999"] {
        let text = format!("auth_service:\n  limits: {{log_ins_burst: {bad}}}\n");
        let error = load(&text, &root()).unwrap_err().to_string();
        assert!(
            error.contains("auth_service.limits.log_ins_burst") && error.contains("from 1 to 1,000,000"),
            "{error}"
        );
    }
    assert!(load("auth_service:\n  limits: {log_ins: 3}\n", &root()).is_err());
}
