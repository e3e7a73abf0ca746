use super::*;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

#[test]
fn what_a_holder_has_to_trust_goes_with_every_credential() {
    let db = order(SignRequest::Db(SignDatabase {
        public_key: PEM.into(),
        hosts: vec!["db.example.com".into()],
        ..SignDatabase::default()
    }))
    .unwrap();
    assert_eq!(db.trusted, ["db-client"], "a database checks its clients");
    assert!(db.hints.iter().any(|hint| hint.contains("ssl_ca_file")));
    let client = order(SignRequest::DbClient(SignDatabaseClient {
        public_key: PEM.into(),
        user: "ana".into(),
        ttl_seconds: None,
    }))
    .unwrap();
    assert_eq!(client.trusted, ["db"], "a client checks its database");
}

#[test]
fn every_flavor_of_database_has_a_hint_and_its_own_names() {
    for flavor in DatabaseFlavor::ALL {
        assert!(!database_hints(*flavor).is_empty(), "{flavor}");
        let request = SignDatabase {
            public_key: PEM.into(),
            hosts: vec!["db.example.com".into()],
            ttl_seconds: None,
            flavor: *flavor,
        };
        let order = database(request).unwrap();
        let [Wanted::X509(request, _)] = order.wanted.as_slice() else {
            panic!("{flavor}")
        };
        let X509Request::DatabaseServer { common_name, .. } = request.as_ref() else {
            panic!("{flavor}")
        };
        assert_eq!(
            common_name.as_deref(),
            (*flavor == DatabaseFlavor::Cockroachdb).then_some("node")
        );
    }
}

#[test]
fn a_token_is_signed_by_an_authority_of_tokens() {
    let token = |authority: Option<&str>| {
        order(SignRequest::Jwt(SignJwt {
            authority: authority.map(str::to_owned),
            ..SignJwt::default()
        }))
    };
    for (asked, profile) in [
        (None, TokenProfile::Application),
        (Some("jwt"), TokenProfile::Application),
        (Some("oidc_idp"), TokenProfile::Oidc),
        (Some("okta"), TokenProfile::Okta),
        (Some("spiffe"), TokenProfile::Workload),
    ] {
        let wanted = token(asked).unwrap().wanted;
        let [Wanted::Token(request)] = wanted.as_slice() else {
            panic!("{asked:?}")
        };
        assert_eq!(request.profile, profile);
    }
    assert!(token(Some("host")).is_err());
    assert!(token(Some("nonsense")).is_err());
}

#[test]
fn ssh_certificates_permit_what_is_asked_or_the_usual() {
    let permits = |permit: Option<Vec<SshPermission>>| {
        let request = SignSshUser {
            public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh"
                .into(),
            user: "ana".into(),
            permit,
            ..SignSshUser::default()
        };
        let order = ssh_user(request).unwrap();
        let [Wanted::Ssh(request, _)] = order.wanted.as_slice() else {
            panic!()
        };
        let SshRequest::User { permits, .. } = request.as_ref() else {
            panic!()
        };
        permits.clone()
    };
    assert_eq!(permits(None), PERMITS);
    assert!(
        permits(Some(Vec::new())).is_empty(),
        "nothing asked is nothing permitted"
    );
    assert_eq!(
        permits(Some(vec![SshPermission::X11Forwarding])),
        [Permit::X11Forwarding]
    );
}

#[test]
fn only_one_public_key_is_taken() {
    assert!(tls_key(PEM).is_ok());
    assert!(tls_key(&format!("{PEM}{PEM}")).is_err());
    assert!(tls_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
}
