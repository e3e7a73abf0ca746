//! What a proxy serves to everybody, with one user whose password and code are known.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use api_types::ErrorBody;
use api_types::ErrorDetail;
use api_types::HostTrust;
use api_types::InviteChallenge;
use api_types::InviteFinishRequest;
use api_types::InviteFinished;
use api_types::InviteInfo;
use api_types::LoginAnswer;
use api_types::LoginFinishRequest;
use api_types::NewSecondFactor;
use api_types::Ping;
use api_types::SecondFactorProof;
use api_types::SecretText;
use api_types::TotpSecret;
use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;
use names::Ttl;
use names::UnixSeconds;
use runtime::Clock;

use super::Authorities;
use super::CLUSTER;
use super::SystemClock;
use super::own_account;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const CODE: &str = "123456";
/// A password that only the server refuses, by a rule that clients do not know.
pub(crate) const DISLIKED: &str = "as good as any other to a client";

type Shared = State<Arc<Authorities>>;
type Refusal = (StatusCode, Json<ErrorBody>);

fn refusal(status: StatusCode, code: &str, message: &str) -> Refusal {
    let error = ErrorDetail {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: None,
        request_id: "r1".to_owned(),
    };
    (status, Json(ErrorBody { error }))
}

pub(super) fn router(authorities: Arc<Authorities>) -> Router {
    Router::new()
        .route("/webapi/ping", get(ping))
        .route(
            "/webapi/auth/export",
            get(|State(authorities): Shared| async move { authorities.host_authority() }),
        )
        .route("/webapi/login/finish", post(finish))
        .route("/webapi/invite/{token}", get(invite))
        .route("/webapi/invite/{token}/begin", post(invite_begin))
        .route("/webapi/invite/{token}/finish", post(invite_finish))
        .with_state(authorities)
}

async fn ping() -> Json<Ping> {
    Json(Ping {
        cluster_name: CLUSTER.to_owned(),
        server_version: "9.9.9".to_owned(),
        second_factors: vec![
            "totp".to_owned(),
            "webauthn".to_owned(),
            "recovery_code".to_owned(),
        ],
    })
}

async fn finish(
    State(authorities): Shared,
    Json(request): Json<LoginFinishRequest>,
) -> Result<Json<LoginAnswer>, Refusal> {
    let is_proven = request.challenge_id.is_none()
        && request.password.expose() == PASSWORD
        && request.second_factor == SecondFactorProof::Totp(SecretText::new(CODE.to_owned()));
    if !is_proven {
        return Err(refusal(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "invalid credentials",
        ));
    }
    let ttl = Ttl::from_seconds(request.ttl_seconds.unwrap_or(3600));
    let not_after: UnixSeconds = SystemClock.now().plus(ttl);
    let logins = [own_account(), "nobody"];
    Ok(Json(LoginAnswer {
        user: request.user,
        cluster: CLUSTER.to_owned(),
        roles: vec!["access".to_owned()],
        logins: logins.iter().map(ToString::to_string).collect(),
        ssh_certificate: authorities.user_ssh(&request.ssh_public_key, &logins, "-1m:+1h"),
        tls_certificate: authorities.user_tls(&request.tls_public_key),
        not_after: not_after.to_string(),
        trust: HostTrust {
            known_hosts: vec![authorities.known_hosts()],
            tls_authorities: vec![authorities.host_authority()],
        },
    }))
}

async fn invite(Path(token): Path<String>) -> Result<Json<InviteInfo>, Refusal> {
    if token != "token-1" {
        return Err(refusal(
            StatusCode::NOT_FOUND,
            "link_gone",
            "the link is not good any more",
        ));
    }
    Ok(Json(InviteInfo {
        user: "bob".to_owned(),
        purpose: "signup".to_owned(),
        expires: "2026-03-01T12:00:00Z".to_owned(),
        second_factors: vec!["totp".to_owned()],
    }))
}

/// Another challenge each time, as a server makes them.
async fn invite_begin() -> Json<InviteChallenge> {
    static OFFERS: AtomicUsize = AtomicUsize::new(1);
    let secret = |text: &str| SecretText::new(text.to_owned());
    Json(InviteChallenge {
        challenge_id: format!("offer-{}", OFFERS.fetch_add(1, Ordering::Relaxed)),
        user: "bob".to_owned(),
        totp: Some(TotpSecret {
            secret: secret("JBSWY3DP"),
            url: secret("otpauth://totp/bob?secret=JBSWY3DP"),
            qr_svg: secret("<svg/>"),
            qr_text: secret("##"),
        }),
        webauthn: None,
    })
}

async fn invite_finish(Json(request): Json<InviteFinishRequest>) -> Result<Json<InviteFinished>, Refusal> {
    if request.password.expose() == DISLIKED {
        return Err(refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "weak_password",
            "the server does not like the password",
        ));
    }
    let code = NewSecondFactor::Totp(SecretText::new(CODE.to_owned()));
    if !request.challenge_id.starts_with("offer-") || request.second_factor != code {
        return Err(refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "second_factor_refused",
            "the code is wrong",
        ));
    }
    Ok(Json(InviteFinished {
        user: "bob".to_owned(),
        recovery_codes: vec![SecretText::new("aaaa-bbbb-cccc".to_owned())],
    }))
}
