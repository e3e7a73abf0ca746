//! The API described as OpenAPI: `openapi/signet.json` is what this writes, and a test compares them.

use std::collections::BTreeMap;

use api_types::Alert;
use api_types::AuditVerdict;
use api_types::CertAuthority;
use api_types::CertAuthorityParameters;
use api_types::CertificateParameters;
use api_types::CertificateRow;
use api_types::Crl;
use api_types::CrlParameters;
use api_types::ErrorBody;
use api_types::EventPage;
use api_types::EventParameters;
use api_types::Export;
use api_types::ExportFormat;
use api_types::ExportParameters;
use api_types::ExportStatus;
use api_types::Finding;
use api_types::KeyDetail;
use api_types::KeyVerdict;
use api_types::Method;
use api_types::RetireRequest;
use api_types::RevokeAnswer;
use api_types::RevokeRequest;
use api_types::RotateAnswer;
use api_types::RotateRequest;
use api_types::Route;
use api_types::SignAnswer;
use api_types::SignRequest;
use api_types::Status;
use api_types::SweepAnswer;
use api_types::SweepRequest;
use api_types::VerifyRequest;
use api_types::Version;
use utoipa::IntoParams;
use utoipa::ToSchema;
use utoipa::openapi::ComponentsBuilder;
use utoipa::openapi::ContentBuilder;
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
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::Type;

use crate::permission::Holders;
use crate::permission::Permission;

/// The document, as it is checked in: JSON with a line feed at the end.
///
/// # Errors
/// Never for schemas that derive.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    let mut schemas = Schemas::default();
    schemas.add::<ErrorBody>();
    let mut paths = PathsBuilder::new();
    for route in Route::ALL {
        let operation = operation(route, &mut schemas);
        let method = match route.method() {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Put => HttpMethod::Put,
            Method::Delete => HttpMethod::Delete,
        };
        paths = paths.path(route.path(), PathItem::new(method, operation));
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
    let components = ComponentsBuilder::new().schemas_from_iter(schemas.0).build();
    let document = OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components))
        .build();
    // Through a value, so that the order of keys is the alphabet's and not that of a hash.
    serde_json::to_string_pretty(&serde_json::to_value(&document)?).map(|text| text + "\n")
}

const DESCRIPTION: &str = "The API of Signet's auth service: on its host by the socket `<data_dir>/signet.sock`, from elsewhere by mutual TLS \
with a certificate of the user authority. Times are RFC 3339, lengths of time whole seconds, hashes lower-case hexadecimal, bytes base64 \
with padding. Every answer that is no success has the body `ErrorBody`; its codes are listed in `docs/reference/api.md`.";

/// The schemas that the document refers to, by name.
#[derive(Default)]
struct Schemas(BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    /// Adds a type with everything it is made of, and refers to it.
    fn add<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        self.0.extend(parts);
        self.0.insert(T::name().into_owned(), T::schema());
        Ref::from_schema_name(T::name()).into()
    }

    /// Adds the type of the elements of a list, and refers to the list.
    fn list<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let elements = self.add::<T>();
        ArrayBuilder::new().items(elements).into()
    }
}

/// What a route takes and answers.
struct Shape {
    summary: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RefOr<Schema>>,
    answer: RefOr<Schema>,
}

fn get(summary: &'static str, answer: RefOr<Schema>) -> Shape {
    Shape {
        summary,
        parameters: Vec::new(),
        body: None,
        answer,
    }
}

fn post(summary: &'static str, body: RefOr<Schema>, answer: RefOr<Schema>) -> Shape {
    Shape {
        summary,
        parameters: Vec::new(),
        body: Some(body),
        answer,
    }
}

impl Shape {
    fn with<T: IntoParams>(self) -> Self {
        Self {
            parameters: T::into_params(|| Some(ParameterIn::Query)),
            ..self
        }
    }
}

/// What a route is for, in a few words.
pub(crate) fn summary(route: Route) -> &'static str {
    shape(route, &mut Schemas::default()).summary
}

fn shape(route: Route, schemas: &mut Schemas) -> Shape {
    match route {
        Route::Version => get("Which version answers", schemas.add::<Version>()),
        Route::Status => get("The cluster and its authorities", schemas.add::<Status>()),
        Route::CertAuthorities => get("The documents of authorities", schemas.list::<CertAuthority>())
            .with::<CertAuthorityParameters>(),
        Route::Rotate => {
            let (body, answer) = (schemas.add::<RotateRequest>(), schemas.add::<RotateAnswer>());
            post("Begin a rotation, or move it on", body, answer)
        }
        Route::Export => {
            // Its parameters refer to these; nothing else would bring them in.
            schemas.add::<ExportFormat>();
            schemas.add::<ExportStatus>();
            get(
                "What verifiers need, always the whole set",
                schemas.add::<Export>(),
            )
            .with::<ExportParameters>()
        }
        Route::Sign => {
            let (body, answer) = (schemas.add::<SignRequest>(), schemas.add::<SignAnswer>());
            post("Issue certificates and tokens", body, answer)
        }
        Route::Crl => get(
            "The revocation lists of an authority, one for each trusted key",
            schemas.list::<Crl>(),
        )
        .with::<CrlParameters>(),
        Route::Keys => get(
            "Every private key, and where it lives",
            schemas.list::<KeyDetail>(),
        ),
        Route::Key => get("One private key", schemas.add::<KeyDetail>()),
        Route::KeysVerify => {
            let (body, answer) = (schemas.add::<VerifyRequest>(), schemas.list::<KeyVerdict>());
            post(
                "Have keys prove that they are where they should be and sign",
                body,
                answer,
            )
        }
        Route::KeyRetire => {
            let (body, answer) = (schemas.add::<RetireRequest>(), schemas.add::<KeyDetail>());
            post("Put a key that is not in use into quarantine", body, answer)
        }
        Route::KeyRestore => {
            let (body, answer) = (schemas.add::<RetireRequest>(), schemas.add::<KeyDetail>());
            post("Take a key out of quarantine", body, answer)
        }
        Route::KeysSweep => {
            let (body, answer) = (schemas.add::<SweepRequest>(), schemas.add::<SweepAnswer>());
            post("Destroy the keys whose quarantine has passed", body, answer)
        }
        Route::AuditEvents => get("The audit log", schemas.add::<EventPage>()).with::<EventParameters>(),
        Route::AuditVerify => get(
            "Whether the audit log is as it was written",
            schemas.add::<AuditVerdict>(),
        ),
        Route::Alerts => get(
            "What needs attention, the most severe first",
            schemas.list::<Alert>(),
        ),
        Route::Doctor => get("The usual faults, looked for", schemas.list::<Finding>()),
        Route::Certificates => get(
            "What was issued, the newest first",
            schemas.list::<CertificateRow>(),
        )
        .with::<CertificateParameters>(),
        Route::CertificatesRevoke => {
            let (body, answer) = (schemas.add::<RevokeRequest>(), schemas.add::<RevokeAnswer>());
            post("Revoke an X.509 certificate", body, answer)
        }
    }
}

fn operation(route: Route, schemas: &mut Schemas) -> Operation {
    let Shape {
        summary,
        parameters,
        body,
        answer,
    } = shape(route, schemas);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{route:?}")))
        .summary(Some(summary))
        .description(Some(right(route)))
        .response("200", response("What was asked for", answer))
        .response(
            "default",
            response("Why not", Ref::from_schema_name(ErrorBody::name()).into()),
        );
    if route.path().contains("{id}") {
        let id = ParameterBuilder::new()
            .name("id")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The id of the key."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        operation = operation.parameter(id);
    }
    for parameter in parameters {
        operation = operation.parameter(parameter);
    }
    if let Some(schema) = body {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new()
            .content(JSON, content)
            .required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    operation.build()
}

const JSON: &str = "application/json";

fn response(description: &str, schema: RefOr<Schema>) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content(JSON, content)
        .build()
}

/// Who may call a route, in words made from the table.
fn right(route: Route) -> String {
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
