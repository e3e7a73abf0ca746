use serde::Serialize;
use serde_json::Value;

use crate::ClientError;

/// Writes flat parameters as the query of a URL (application/x-www-form-urlencoded), `?` included; empty when there
/// are none. Absent and null parameters are left out.
pub(crate) fn encode(parameters: &impl Serialize) -> Result<String, ClientError> {
    let unusable = |what: &str| ClientError::Unusable(format!("its parameters {what}"));
    let value = serde_json::to_value(parameters).map_err(|_| unusable("are not JSON"))?;
    let Value::Object(fields) = value else {
        return if value.is_null() {
            Ok(String::new())
        } else {
            Err(unusable("are not a set of names and values"))
        };
    };
    let mut query = String::new();
    for (name, value) in fields {
        let text = match value {
            Value::Null => continue,
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::String(value) => value,
            Value::Array(_) | Value::Object(_) => return Err(unusable("are nested")),
        };
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(&escape(&name));
        query.push('=');
        query.push_str(&escape(&text));
    }
    Ok(query)
}

/// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3), for a query or a path segment.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_a_query() {
        let parameters = api_types::EventParameters {
            limit: Some(5),
            user: Some("alice & bob".to_owned()),
            ..Default::default()
        };
        assert_eq!(
            encode(&parameters).unwrap(),
            "?limit=5&newest_first=false&user=alice%20%26%20bob"
        );
        assert_eq!(encode(&()).unwrap(), "");
        assert!(encode(&vec![1]).is_err());
        assert_eq!(escape("../x?y#z"), "..%2Fx%3Fy%23z");
    }
}
