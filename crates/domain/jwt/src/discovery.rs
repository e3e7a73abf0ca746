use serde_json::Value;
use serde_json::json;

/// The discovery document of the OpenID Connect identity provider (OpenID Connect Discovery 1.0 section 3).
///
/// Tokens are issued by the cluster itself and there is no authorisation endpoint: relying parties such as clouds need the issuer, the
/// keys and the algorithms. `issuer` is a URL without a slash at its end.
pub fn openid_configuration(issuer: &str, algorithms: &[&str]) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks-oidc"),
        "claims_supported": ["iss", "sub", "aud", "jti", "iat", "nbf", "exp"],
        "id_token_signing_alg_values_supported": algorithms,
        "response_types_supported": ["id_token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["public"],
    })
}
