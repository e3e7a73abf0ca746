//! What everybody may read.

use authority::AuthorityType;
use authority::KeyForm;
use hyper::Method;
use x509::CertificateList;

use crate::client::Connection;
use crate::client::config_of;
use crate::client::shake_hands;
use crate::client::web;
use crate::world::World;

#[tokio::test]
async fn everybody_reads_what_verifiers_need() {
    let world = World::start().await;
    let mut anybody = web(&world).await;
    for (path, media_type, contains) in [
        ("/healthz", "text/plain", "ok"),
        ("/readyz", "text/plain", "ready"),
        (
            "/webapi/ping",
            "application/json",
            "\"cluster_name\":\"example.com\"",
        ),
        (
            "/webapi/auth/export?type=user",
            "text/plain",
            "cert-authority ssh-ed25519",
        ),
        (
            "/webapi/auth/export?type=tls-host",
            "application/x-pem-file",
            "BEGIN CERTIFICATE",
        ),
        ("/.well-known/jwks.json", "application/jwk-set+json", "\"ES256\""),
        ("/.well-known/jwks-oidc", "application/jwk-set+json", "\"RS256\""),
        (
            "/.well-known/openid-configuration",
            "application/json",
            "https://auth.example.com:3080/.well-known/jwks-oidc",
        ),
        (
            "/saml/metadata",
            "application/samlmetadata+xml",
            "EntityDescriptor",
        ),
    ] {
        let answer = anybody.get(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        let kind = answer.headers["content-type"].to_str().unwrap();
        assert!(kind.starts_with(media_type), "{path}: {kind}");
        assert!(answer.text().contains(contains), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_claims_of_tokens_are_those_that_are_announced() {
    let world = World::start().await;
    let announced = web(&world)
        .await
        .get("/.well-known/openid-configuration")
        .await
        .json();
    let claims = announced["claims_supported"].as_array().unwrap();
    assert!(claims.iter().any(|claim| claim == "nbf"), "{announced}");
    assert_eq!(
        announced,
        jwt::openid_configuration("https://auth.example.com:3080", &["RS256"])
    );
}

#[tokio::test]
async fn revocation_lists_are_where_certificates_say() {
    let world = World::start().await;
    let user = world.user("ana", &[]).await;
    let certificate = x509::Certificate::from_der(&user.certificate).unwrap();
    let url = certificate.crl_urls().first().unwrap();
    let path = url.strip_prefix("https://auth.example.com:3080").unwrap();
    let mut anybody = web(&world).await;
    let answer = anybody.get(path).await;
    assert_eq!(answer.headers["content-type"], "application/pkix-crl");
    CertificateList::from_der(&answer.body).unwrap();
    let unknown = anybody.get("/crl/00.crl").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.code().as_str()),
        (404, "no_such_path")
    );
    let ssh = world.cluster.authority(AuthorityType::Openssh).unwrap();
    let key = ssh
        .record
        .trusted()
        .find(|(_, key)| key.form == KeyForm::Ssh)
        .unwrap()
        .1;
    assert_eq!(
        anybody
            .get(&format!("/crl/{}.crl", key.public_key.spki_sha256()))
            .await
            .status
            .as_u16(),
        404
    );
}

#[tokio::test]
async fn nothing_else_is_there() {
    let world = World::start().await;
    let mut anybody = web(&world).await;
    for path in [
        "/",
        "/v1/status",
        "/v1/version",
        "/v1/export?type=user",
        "/webapi",
        "/metrics",
        "/crl/",
    ] {
        assert_eq!(anybody.get(path).await.status.as_u16(), 404, "{path}");
    }
    for path in ["/webapi/ping", "/.well-known/jwks.json"] {
        let answer = anybody.send(Method::POST, path, "{}").await.unwrap();
        assert_eq!(answer.status.as_u16(), 405, "{path}");
    }
    assert_eq!(
        anybody.get("/webapi/auth/export?type=nothing").await.code(),
        "malformed"
    );
}

#[tokio::test]
async fn tls_1_2_is_still_spoken_here() {
    let world = World::start().await;
    let old = config_of(&world, None, &[&rustls::version::TLS12], None);
    let stream = shake_hands(world.web, old).await.unwrap();
    assert_eq!(
        Connection::over(stream)
            .await
            .get("/healthz")
            .await
            .status
            .as_u16(),
        200
    );
}
