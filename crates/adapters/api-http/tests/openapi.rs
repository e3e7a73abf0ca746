//! The descriptions of the API are those checked in.

/// Compares what the code says with what is checked in; `UPDATE_GOLDEN=1` writes it there.
#[cfg(test)]
fn compare(file: &str, said: &str) {
    let path = format!("{}/../../../{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        said == checked_in,
        "{file} is not what the code says: run this test with UPDATE_GOLDEN=1 and review the difference"
    );
}

#[test]
fn the_page_is_the_one_checked_in() {
    compare("docs/reference/api.md", &api_http::reference_markdown());
}

#[test]
fn the_description_is_the_one_checked_in() {
    compare("openapi/signet.json", &api_http::openapi_json().unwrap());
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    let document: serde_json::Value = serde_json::from_str(&api_http::openapi_json().unwrap()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "{} references", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &serde_json::Value, references: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            references.extend(
                fields
                    .get("$ref")
                    .and_then(|text| text.as_str())
                    .map(str::to_owned),
            );
            fields.values().for_each(|value| collect(value, references));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
