//! What everybody may read: what verifiers need, and whether the server is well. Nothing else.

use std::sync::Arc;

use api_types::Ping;
use authority::AuthorityType;
use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header;
use axum::middleware::Next;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::time::timeout;

use crate::documents::exports;
use crate::endpoints;
use crate::problem::Problem;
use crate::public::PublicRoute;
use crate::request_id::RequestId;
use crate::service::Service;

/// How long verifiers may keep an answer. A rotation waits in each phase for much longer.
const CACHE_FOR: &str = "public, max-age=300";

/// Every route that asks nobody who they are.
pub fn web_router(service: Arc<Service>) -> Router {
    let routes = PublicRoute::ALL.into_iter().fold(Router::new(), |router, route| {
        router.route(route.path(), serving(route))
    });
    routes
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(&service), in_time))
        .with_state(service)
}

type Shared = State<Arc<Service>>;

fn serving(route: PublicRoute) -> MethodRouter<Arc<Service>> {
    match route {
        PublicRoute::Health => get(async || "ok\n"),
        PublicRoute::Readiness => get(ready),
        PublicRoute::Ping => get(ping),
        PublicRoute::AuthorityExport => get(export),
        PublicRoute::KeySet => get(jwks),
        PublicRoute::OidcKeySet => get(jwks_oidc),
        PublicRoute::OidcConfiguration => get(openid_configuration),
        PublicRoute::SamlMetadata | PublicRoute::SamlEntity => get(saml_metadata),
        PublicRoute::RevocationList => get(crl),
    }
}

/// Gives an answer up that does not come in time.
async fn in_time(State(service): Shared, request: Request, next: Next) -> Response {
    let limit = service.limits.read;
    match timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let slow = Problem::TooSlow {
                seconds: limit.as_secs(),
                goes_on: false,
            };
            answer(&service, Err(slow))
        }
    }
}

/// Whether the server can do its work. What is in its way is for whoever may read the alerts.
async fn ready(State(service): Shared) -> Response {
    let is_blocked = service
        .cluster
        .alerts()
        .iter()
        .any(|alert| alert.severity == cluster::Severity::High && stops(&alert.id));
    if is_blocked || !service.front.is_serving() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: see `signetctl status`\n",
        )
            .into_response();
    }
    "ready\n".into_response()
}

/// Whether an alert means that something cannot be signed now, or nobody is served as the cluster wants it.
fn stops(alert: &str) -> bool {
    ["unusable/", "backend-lost/", "listener/", "own-machine"]
        .iter()
        .any(|prefix| alert.starts_with(prefix))
}

async fn ping(State(service): Shared) -> Json<Ping> {
    let cluster = &service.cluster;
    Json(Ping {
        cluster_name: cluster.name().to_string(),
        server_version: cluster.settings().version.clone(),
        second_factors: service.second_factors(),
    })
}

async fn jwks(State(service): Shared) -> Response {
    key_set(&service, &[AuthorityType::Jwt, AuthorityType::Okta])
}

async fn jwks_oidc(State(service): Shared) -> Response {
    key_set(&service, &[AuthorityType::OidcIdp])
}

fn key_set(service: &Service, authorities: &[AuthorityType]) -> Response {
    let set = service.cluster.jwks(authorities).map_err(Problem::Cluster);
    answer(service, set.map(|set| file("application/jwk-set+json", set)))
}

async fn openid_configuration(State(service): Shared) -> Response {
    let algorithms = service.cluster.authority(AuthorityType::OidcIdp).map(|view| {
        let mut names: Vec<&'static str> = view
            .record
            .trusted()
            .map(|(_, key)| exports::jws_algorithm(key.reference.algorithm))
            .collect();
        names.dedup();
        names
    });
    let issuer = service.cluster.oidc_issuer();
    let document =
        algorithms.map(|algorithms| Json(jwt::openid_configuration(&issuer, &algorithms)).into_response());
    answer(&service, document.map_err(Problem::Cluster))
}

async fn saml_metadata(State(service): Shared) -> Response {
    let asked = api_types::ExportParameters {
        kind: "saml-idp".to_owned(),
        ..Default::default()
    };
    answer(&service, whole(&service, asked))
}

async fn export(State(service): Shared, uri: Uri) -> Response {
    let asked = Query::try_from_uri(&uri).map_err(|error| Problem::BadRequest {
        field: "query",
        problem: error.body_text(),
    });
    answer(&service, asked.and_then(|Query(asked)| whole(&service, asked)))
}

/// An export as the one file it is.
fn whole(service: &Service, asked: api_types::ExportParameters) -> Result<Response, Problem> {
    let export = endpoints::export(service, asked)?;
    match export.files.as_slice() {
        [one] => {
            let content = STANDARD
                .decode(&one.content_base64)
                .map_err(|error| Problem::Internal(format!("an export is no base64: {error}")))?;
            Ok(file(&one.media_type, content))
        }
        several => {
            let problem = format!(
                "{} files would be sent, one for each key; ask for one with `status` active, incoming or outgoing, or for `format` pem",
                several.len()
            );
            Err(Problem::BadRequest {
                field: "format",
                problem,
            })
        }
    }
}

/// The name of a list: the hash of its key, and what kind of file it is.
#[derive(Deserialize)]
struct CrlName {
    name: String,
}

async fn crl(State(service): Shared, Path(CrlName { name }): Path<CrlName>) -> Response {
    let found = find_crl(&service, &name).await;
    answer(&service, found.map(|der| file("application/pkix-crl", der)))
}

async fn find_crl(service: &Service, name: &str) -> Result<Vec<u8>, Problem> {
    let nowhere = || Problem::NoSuchPath {
        path: format!("/crl/{}", crate::documents::echo(name)),
    };
    let hash = name.strip_suffix(".crl").ok_or_else(nowhere)?;
    let view = service.cluster.view();
    let owner = view.authorities.iter().find(|(_, view)| {
        view.record
            .trusted()
            .any(|(_, key)| key.public_key.spki_sha256().to_string() == hash)
    });
    let (authority, _) = owner.ok_or_else(nowhere)?;
    let lists = service.cluster.crls(*authority).await?;
    let list = lists
        .into_iter()
        .find(|(key, _)| key.public_key.spki_sha256().to_string() == hash);
    list.map(|(_, record)| record.der.0).ok_or_else(nowhere)
}

fn file(media_type: &str, content: Vec<u8>) -> Response {
    let mut response = content.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(media_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_FOR));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn answer(service: &Service, answered: Result<Response, Problem>) -> Response {
    answered.unwrap_or_else(|problem| problem.answer(&RequestId::random(service.entropy.as_ref()), false))
}

async fn nowhere(State(service): Shared, uri: Uri) -> Response {
    answer(
        &service,
        Err(Problem::NoSuchPath {
            path: crate::documents::echo(uri.path()),
        }),
    )
}
