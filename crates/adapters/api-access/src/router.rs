//! From a request to an endpoint: who asks, what do they send, how long does it take.

use std::net::SocketAddr;
use std::sync::Arc;

use api_http::Last;
use api_http::Peer;
use api_http::RequestId;
use api_types::AccessRoute;
use api_types::Method;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::Extension;
use axum::extract::Path;
use axum::extract::State;
use axum::http::Request;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::on;
use serde::Serialize;
use tokio::time::timeout;

use crate::Access;
use crate::Problem;
use crate::agents;
use crate::asked::Asked;
use crate::asked::Plain;
use crate::documents;
use crate::events;
use crate::explain;
use crate::nodes;
use crate::openssh;
use crate::people;
use crate::tokens;

/// The largest body that everybody may send, in bytes.
const PUBLIC_BODY_MAX: usize = 64 << 10;

/// Every route for those who prove who they are. Requests carry the [`Peer`] of their connection as an extension.
pub fn access_router(access: Arc<Access>) -> Router {
    routes(access, false)
}

/// Every route for everybody. Requests carry a [`ConnectInfo`] with the address they come from.
pub fn public_router(access: Arc<Access>) -> Router {
    routes(access, true)
}

fn routes(access: Arc<Access>, public: bool) -> Router {
    let mut router = Router::new();
    for route in AccessRoute::ALL
        .into_iter()
        .filter(|route| route.is_public() == public)
    {
        let endpoint = move |access: State<Arc<Access>>, peer, from, path, request: Request<Body>| {
            answer(access, route, peer, from, path, request)
        };
        router = router.route(route.path(), on(filter(route.method()), endpoint));
    }
    router.with_state(access)
}

const fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    }
}

type PathParameters = Option<Path<Vec<(String, String)>>>;

async fn answer(
    State(access): State<Arc<Access>>,
    route: AccessRoute,
    peer: Option<Extension<Peer>>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    path: PathParameters,
    request: Request<Body>,
) -> Response {
    let request_id = RequestId::random(access.service.entropy());
    let peer = peer.map(|Extension(peer)| peer);
    let is_operator = matches!(peer, Some(Peer::Local { .. }));
    let path = path.map_or_else(Vec::new, |Path(all)| {
        all.into_iter().map(|(_, value)| value).collect()
    });
    let remote = match (&peer, from) {
        (Some(Peer::Certificate { remote, .. }), _) => remote.to_string(),
        (None, Some(Extension(ConnectInfo(remote)))) => remote.to_string(),
        (Some(Peer::Local { .. }) | None, _) => "local".to_owned(),
    };
    let mut response = match serve(&access, route, peer, path, remote, request).await {
        Ok(response) => response,
        Err(problem) => {
            let mut response = problem.answer(&request_id, is_operator);
            if matches!(problem, Problem::Api(api_http::Problem::Stranger(_))) {
                response.extensions_mut().insert(Last);
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    if let Ok(value) = header::HeaderValue::from_str(request_id.as_str()) {
        headers.insert("x-request-id", value);
    }
    response
}

async fn serve(
    access: &Arc<Access>,
    route: AccessRoute,
    peer: Option<Peer>,
    path: Vec<String>,
    remote: String,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = access.service.limits();
    let caller = if route.is_public() {
        None
    } else {
        let caller = api_http::recognise(&access.service, peer.clone()).await?;
        if let Some(peer) = &peer {
            access.refuse_locked(&caller, peer).await?;
        }
        Some(caller)
    };
    let (parts, body) = request.into_parts();
    let most = if route.is_public() {
        PUBLIC_BODY_MAX
    } else {
        limits.body_bytes_max
    };
    let too_slow = |goes_on| api_http::Problem::TooSlow {
        seconds: if goes_on {
            limits.change.as_secs()
        } else {
            limits.read.as_secs()
        },
        goes_on,
    };
    let body = timeout(limits.read, api_http::read_body(body, most))
        .await
        .map_err(|_| too_slow(false))??;
    let privilege = parts.headers.get(api_types::PRIVILEGE_HEADER);
    let privilege = privilege.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let plain = Plain {
        uri: parts.uri,
        path,
        body,
        remote,
        privilege,
    };
    let access = Arc::clone(access);
    // A change goes on when whoever asked for it hangs up or loses patience.
    let done = tokio::spawn(async move {
        match (caller, peer) {
            (Some(caller), Some(peer)) => {
                let asked = Asked { caller, peer, plain };
                private(&access, route, &asked).await
            }
            _ => public(&access, route, &plain).await,
        }
    });
    match timeout(limits.change, done).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            Err(api_http::Problem::Internal(format!("the request ended unexpectedly: {error}")).into())
        }
        Err(_) => Err(too_slow(true).into()),
    }
}

async fn private(access: &Access, route: AccessRoute, asked: &Asked) -> Result<Response, Problem> {
    match route {
        AccessRoute::Nodes => json(nodes::visible(access, asked).await),
        AccessRoute::Resources => json(documents::list(access, asked).await),
        AccessRoute::Resource => json(documents::get(access, asked).await),
        AccessRoute::ResourceCreate => json(documents::create(access, asked).await),
        AccessRoute::ResourcePut => json(documents::put(access, asked).await),
        AccessRoute::ResourceDelete => json(documents::delete(access, asked).await),
        AccessRoute::TokenCreate => json(tokens::create(access, asked).await),
        AccessRoute::AccessExplain => json(explain::explain(access, asked).await),
        AccessRoute::AgentView => json(agents::view(access, asked).await),
        AccessRoute::AgentHeartbeat => json(agents::heartbeat(access, asked).await),
        AccessRoute::AgentRenew => json(agents::renew(access, asked).await),
        AccessRoute::AgentEvents => json(events::record(access, asked).await),
        AccessRoute::AgentNodes => json(nodes::every(access, asked).await),
        AccessRoute::AgentOpensshCertificate => json(openssh::issue(access, asked).await),
        AccessRoute::AgentOpensshHostCertificate => json(openssh::issue_host(access, asked).await),
        AccessRoute::Me => json(people::me(access, asked).await),
        AccessRoute::ReauthenticateBegin => json(people::reauthenticate_begin(access, asked).await),
        AccessRoute::ReauthenticateFinish => json(people::reauthenticate(access, asked).await),
        AccessRoute::SecondFactorBegin => json(people::factor_begin(access, asked).await),
        AccessRoute::SecondFactorFinish => json(people::factor_finish(access, asked).await),
        AccessRoute::SecondFactorDelete => json(people::factor_delete(access, asked).await),
        AccessRoute::ChangePassword => json(people::change_password(access, asked).await),
        AccessRoute::UserInvite => json(people::invite(access, asked).await),
        AccessRoute::UserUnlock => json(people::unlock(access, asked).await),
        AccessRoute::Join
        | AccessRoute::LoginBegin
        | AccessRoute::LoginFinish
        | AccessRoute::Invite
        | AccessRoute::InviteBegin
        | AccessRoute::InviteFinish => nothing(asked.plain.uri.path()),
    }
}

async fn public(access: &Access, route: AccessRoute, plain: &Plain) -> Result<Response, Problem> {
    match route {
        AccessRoute::Join => json(agents::join(access, plain).await),
        AccessRoute::LoginBegin => json(people::login_begin(access, plain).await),
        AccessRoute::LoginFinish => json(people::login_finish(access, plain).await),
        AccessRoute::Invite => json(people::invite_look(access, plain).await),
        AccessRoute::InviteBegin => json(people::invite_begin(access, plain).await),
        AccessRoute::InviteFinish => json(people::invite_finish(access, plain).await),
        AccessRoute::Me
        | AccessRoute::ReauthenticateBegin
        | AccessRoute::ReauthenticateFinish
        | AccessRoute::SecondFactorBegin
        | AccessRoute::SecondFactorFinish
        | AccessRoute::SecondFactorDelete
        | AccessRoute::ChangePassword
        | AccessRoute::Nodes
        | AccessRoute::Resources
        | AccessRoute::ResourceCreate
        | AccessRoute::Resource
        | AccessRoute::ResourcePut
        | AccessRoute::ResourceDelete
        | AccessRoute::UserInvite
        | AccessRoute::UserUnlock
        | AccessRoute::TokenCreate
        | AccessRoute::AccessExplain
        | AccessRoute::AgentView
        | AccessRoute::AgentHeartbeat
        | AccessRoute::AgentRenew
        | AccessRoute::AgentEvents
        | AccessRoute::AgentNodes
        | AccessRoute::AgentOpensshCertificate
        | AccessRoute::AgentOpensshHostCertificate => nothing(plain.uri.path()),
    }
}

fn nothing(path: &str) -> Result<Response, Problem> {
    Err(api_http::Problem::NoSuchPath {
        path: path.to_owned(),
    }
    .into())
}

fn json<T: Serialize>(answered: Result<T, Problem>) -> Result<Response, Problem> {
    answered.map(|value| Json(value).into_response())
}
