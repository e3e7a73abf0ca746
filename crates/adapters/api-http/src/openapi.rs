//! The API described as OpenAPI: `openapi/signet.json` is what this writes, and a test compares them.

mod access;
mod authority;
mod public;
mod shape;

use api_types::AccessRoute;
use api_types::Callers;
use api_types::ErrorBody;
use api_types::Method;
use api_types::PRIVILEGE_HEADER;
use api_types::Route;
use utoipa::ToSchema;
use utoipa::openapi::ComponentsBuilder;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::HeaderBuilder;
use utoipa::openapi::HttpMethod;
use utoipa::openapi::InfoBuilder;
use utoipa::openapi::LicenseBuilder;
use utoipa::openapi::OpenApiBuilder;
use utoipa::openapi::PathItem;
use utoipa::openapi::PathsBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use crate::permission::Holders;
use crate::permission::Permission;
use crate::public::PublicRoute;
use shape::Schemas;
use shape::Shape;

/// The document, as it is checked in: JSON with a line feed at the end.
///
/// # Errors
/// Never for schemas that derive.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    let mut schemas = Schemas::default();
    schemas.add::<ErrorBody>();
    let of_authorities = Route::ALL.map(|route| Described::authority(route, &mut schemas));
    let of_access = AccessRoute::ALL.map(|route| Described::access(route, &mut schemas));
    let mut paths = PathsBuilder::new();
    for described in of_authorities.into_iter().chain(of_access) {
        let method = match described.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Delete => HttpMethod::Delete,
        };
        paths = paths.path(described.path, PathItem::new(method, described.operation()));
    }
    for route in PublicRoute::ALL {
        let operation = public::operation(route, &mut schemas);
        paths = paths.path(route.path(), PathItem::new(HttpMethod::Get, operation));
    }
    let info = InfoBuilder::new()
        .title("Signet")
        .version("1")
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    let certificate = SecurityScheme::MutualTls {
        description: Some(CERTIFICATE_DESCRIPTION.to_owned()),
        deprecated: None,
        extensions: None,
    };
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas.0)
        .security_scheme(CERTIFICATE, certificate)
        .build();
    let document = OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components))
        .build();
    // Through a value, so that the order of keys is the alphabet's and not that of a hash.
    serde_json::to_string_pretty(&serde_json::to_value(&document)?).map(|text| text + "\n")
}

/// What proves who calls.
const CERTIFICATE: &str = "certificate";
const CERTIFICATE_DESCRIPTION: &str = "A certificate of the user authority for people, of the host authority for machines. \
By the local socket the kernel says who calls, and no certificate is needed.";

const DESCRIPTION: &str = "The API of Signet's auth service: on its host by the socket `<data_dir>/signet.sock`, from elsewhere by mutual TLS \
with a certificate of the user authority; what is for everybody, which asks for no certificate, on the public listener. Times are RFC 3339, lengths of time whole seconds, hashes lower-case hexadecimal, bytes base64 \
with padding. Every answer that is no success has the body `ErrorBody`; its codes are listed in `docs/reference/api.md`.";

/// A route, as it is described.
struct Described {
    id: String,
    method: Method,
    path: &'static str,
    /// Who may call it, in words.
    right: String,
    /// The act for which people say anew who they are.
    act: Option<&'static str>,
    /// The kinds of document for which they need not.
    spared: &'static [&'static str],
    /// Whether everybody may call it, so that addresses have shares.
    is_public: bool,
    shape: Shape,
}

impl Described {
    fn authority(route: Route, schemas: &mut Schemas) -> Self {
        Self {
            id: format!("{route:?}"),
            method: route.method(),
            path: route.path(),
            right: authority_right(route),
            act: Permission::of(route).privileged_act(),
            spared: &[],
            is_public: false,
            shape: authority::shape(route, schemas),
        }
    }

    fn access(route: AccessRoute, schemas: &mut Schemas) -> Self {
        Self {
            id: format!("{route:?}"),
            method: route.method(),
            path: route.path(),
            right: callers_in_words(route.callers()),
            act: route.privileged_act(),
            spared: route.spared_kinds(),
            is_public: matches!(route.callers(), Callers::Everybody(_)),
            shape: access::shape(route, schemas),
        }
    }

    fn operation(self) -> Operation {
        let Self {
            id,
            method: _,
            path,
            right,
            act,
            spared,
            is_public,
            shape,
        } = self;
        let Shape {
            summary,
            parameters,
            body,
            is_body_optional,
            answer,
        } = shape;
        let mut operation = OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(summary))
            .description(Some(match act {
                Some(act) => format!("{right} {}", proof_in_words(act, spared)),
                None => right,
            }))
            .response("200", response("What was asked for", answer))
            .response("default", response("Why not", error()));
        for name in path_parameters(path) {
            operation = operation.parameter(path_parameter(name));
        }
        for parameter in parameters {
            operation = operation.parameter(parameter);
        }
        if let Some(act) = act {
            operation = operation
                .parameter(proof_parameter(act))
                .response("403", response("The right is missing, or the proof is", error()));
        }
        if is_public {
            operation = operation.response("429", too_many());
        } else {
            let nothing: [&str; 0] = [];
            operation = operation.security(SecurityRequirement::new(CERTIFICATE, nothing));
        }
        if let Some(schema) = body {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let required = if is_body_optional {
                Required::False
            } else {
                Required::True
            };
            let body = RequestBodyBuilder::new()
                .content(JSON, content)
                .required(Some(required));
            operation = operation.request_body(Some(body.build()));
        }
        operation.build()
    }
}

/// What a route is for, in a few words.
pub(crate) fn summary(route: Route) -> &'static str {
    authority::shape(route, &mut Schemas::default()).summary
}

/// What a route of access is for, in a few words.
pub(crate) fn access_summary(route: AccessRoute) -> &'static str {
    access::shape(route, &mut Schemas::default()).summary
}

const JSON: &str = "application/json";

fn response(description: &str, schema: RefOr<Schema>) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content(JSON, content)
        .build()
}

fn error() -> RefOr<Schema> {
    Ref::from_schema_name(ErrorBody::name()).into()
}

fn too_many() -> utoipa::openapi::Response {
    let seconds = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
        .description(Some("Seconds until it is worth trying again."))
        .build();
    let content = ContentBuilder::new().schema(Some(error())).build();
    ResponseBuilder::new()
        .description("The address tries too often")
        .header("retry-after", seconds)
        .content(JSON, content)
        .build()
}

/// The names in braces of a path.
fn path_parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> ParameterBuilder {
    let meaning = match name {
        "kind" => "The kind of document, such as `user`, `role` or `node`.",
        "name" => "The name of the document, user or list.",
        "token" => "The secret of the link.",
        _ => "The id of what it is about.",
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(meaning))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
}

fn proof_parameter(act: &str) -> ParameterBuilder {
    let meaning = format!(
        "A proof from `POST /v1/me/reauthenticate/finish` or `…/browser/{{id}}` for the purpose `{act}`."
    );
    ParameterBuilder::new()
        .name(PRIVILEGE_HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(meaning))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
}

fn proof_in_words(act: &str, spared: &[&str]) -> String {
    format!(
        "People who have signed up say anew who they are: the header `{PRIVILEGE_HEADER}` with a proof for the purpose `{act}`{}.",
        spared_in_words(spared)
    )
}

/// The kinds of document for which nobody says anew who they are.
pub(crate) fn spared_in_words(kinds: &[&str]) -> String {
    let words: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("; not for {}", words.join(" and "))
    }
}

/// Who may call a route, in words made from the table.
fn authority_right(route: Route) -> String {
    let permission = Permission::of(route);
    let holders = match permission.holders() {
        Holders::LocalOnly => "nobody else".to_owned(),
        Holders::Roles(roles) => {
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            format!("the roles {}", names.join(", "))
        }
        Holders::EveryIdentity => "every valid identity".to_owned(),
    };
    format!("Asks for the right `{permission}`: the operator of the host has it, and {holders}.")
}

/// Whom a route of access is for, in words made from the table.
pub(crate) fn callers_in_words(callers: Callers) -> String {
    match callers {
        Callers::Everybody(_) => "For everybody; how often an address may ask is limited.".to_owned(),
        Callers::People => "For people who logged in, about themselves.".to_owned(),
        Callers::PeopleAndOperator => "For people who logged in, and the operator of the host.".to_owned(),
        Callers::Rules(rule) => {
            format!("For the operator of the host, and people whose roles have the rule: {rule}.")
        }
        Callers::Machines([]) => "For machines of the cluster.".to_owned(),
        Callers::Machines(roles) => format!("For machines with the system role {}.", roles.join(", ")),
    }
}
