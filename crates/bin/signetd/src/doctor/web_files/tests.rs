use std::path::Path;

use config::HttpsFiles;

use super::*;

/// A certificate and its key, from a foreign tool.
fn make(folder: &Path, name: &str, days: &str) -> HttpsFiles {
    let (cert_file, key_file) = (
        folder.join(format!("{name}.crt")),
        folder.join(format!("{name}.key")),
    );
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-subj", "/CN=proxy.example.com", "-days", days])
        .arg("-keyout")
        .arg(&key_file)
        .arg("-out")
        .arg(&cert_file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    HttpsFiles { cert_file, key_file }
}

async fn found(files: &HttpsFiles, after_days: i64) -> Vec<(String, FindingSeverity, String)> {
    let environment = config::Environment {
        is_root: true,
        host_name: "auth-1".to_owned(),
        ..config::Environment::default()
    };
    let text = format!(
        "proxy_service: {{https_cert_file: {:?}, https_key_file: {:?}}}",
        files.cert_file, files.key_file
    );
    let proxy = config::load(&text, &environment).unwrap().proxy;
    let now = runtime::Clock::now(&crate::host::SystemClock);
    let findings = examine(&proxy, UnixSeconds(now.0 + after_days * 86_400)).await;
    findings
        .into_iter()
        .map(|finding| {
            assert_eq!(finding.severity == FindingSeverity::Ok, finding.fix.is_none());
            (finding.id, finding.severity, finding.detail)
        })
        .collect()
}

#[tokio::test]
async fn files_that_cannot_be_presented_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = make(folder.path(), "good", "30");
    let ids = |found: &[(String, FindingSeverity, String)]| {
        let pairs = found.iter().map(|(id, severity, _)| (id.clone(), *severity));
        pairs.collect::<Vec<_>>()
    };
    let of = |severity| ("proxy.certificate".to_owned(), severity);
    assert_eq!(ids(&found(&files, 0).await), [of(FindingSeverity::Ok)]);
    assert_eq!(ids(&found(&files, 25).await), [of(FindingSeverity::Warning)]);
    let ended = found(&files, 31).await;
    assert_eq!(ids(&ended), [of(FindingSeverity::Error)]);
    assert!(ended[0].2.contains("has ended"), "{ended:?}");
    let other = make(folder.path(), "other", "30");
    let mixed = HttpsFiles {
        key_file: other.key_file.clone(),
        ..files.clone()
    };
    let unfit = found(&mixed, 0).await;
    assert!(
        unfit[0].2.contains("is not that of the first certificate"),
        "{unfit:?}"
    );
    let missing = HttpsFiles {
        cert_file: folder.path().join("missing"),
        ..files.clone()
    };
    assert!(found(&missing, 0).await[0].2.contains("cannot read"));
    std::fs::write(&other.cert_file, "junk").unwrap();
    assert!(
        found(&other, 0).await[0]
            .2
            .contains("holds no certificates in PEM")
    );
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&files.key_file, open).unwrap();
    let readable = found(&files, 0).await;
    assert_eq!(readable.len(), 2, "{readable:?}");
    assert_eq!(readable[1].0, "proxy.certificate.key");
    assert_eq!(readable[1].1, FindingSeverity::Warning);
}
