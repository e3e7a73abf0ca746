use api_types::Export;
use api_types::ExportFile;
use api_types::ExportFormat;
use api_types::ExportStatus;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key::KeyAlgorithm;

/// Which keys, in the cluster's words.
pub(crate) const fn status_asked(status: ExportStatus) -> cluster::ExportStatus {
    match status {
        ExportStatus::Active => cluster::ExportStatus::Active,
        ExportStatus::Incoming => cluster::ExportStatus::Incoming,
        ExportStatus::Outgoing => cluster::ExportStatus::Outgoing,
        ExportStatus::All => cluster::ExportStatus::All,
    }
}

const fn status(status: cluster::ExportStatus) -> ExportStatus {
    match status {
        cluster::ExportStatus::Active => ExportStatus::Active,
        cluster::ExportStatus::Incoming => ExportStatus::Incoming,
        cluster::ExportStatus::Outgoing => ExportStatus::Outgoing,
        cluster::ExportStatus::All => ExportStatus::All,
    }
}

/// The format, in the cluster's words.
pub(crate) const fn format_asked(format: ExportFormat) -> cluster::ExportFormat {
    match format {
        ExportFormat::Pem => cluster::ExportFormat::Pem,
        ExportFormat::Der => cluster::ExportFormat::Der,
        ExportFormat::AuthorizedKeys => cluster::ExportFormat::AuthorizedKeys,
        ExportFormat::PublicKeys => cluster::ExportFormat::PublicKeys,
        ExportFormat::KnownHosts => cluster::ExportFormat::KnownHosts,
        ExportFormat::Jwks => cluster::ExportFormat::Jwks,
        ExportFormat::SamlMetadata => cluster::ExportFormat::SamlMetadata,
        ExportFormat::SpiffeBundle => cluster::ExportFormat::SpiffeBundle,
    }
}

/// An export.
pub(crate) fn export(files: Vec<cluster::ExportFile>) -> Export {
    Export {
        files: files.into_iter().map(file).collect(),
    }
}

/// One file.
pub(crate) fn file(file: cluster::ExportFile) -> ExportFile {
    let cluster::ExportFile {
        name,
        media_type,
        content,
        status: held,
        fingerprints,
        authority,
    } = file;
    ExportFile {
        name,
        media_type: media_type.to_owned(),
        content_base64: STANDARD.encode(content),
        status: status(held),
        fingerprints,
        authority: authority.to_string(),
    }
}

/// The name of the algorithm that tokens are signed with (RFC 7518 section 3.1).
pub(crate) const fn jws_algorithm(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => "RS256",
        KeyAlgorithm::EcdsaP256 => "ES256",
        KeyAlgorithm::EcdsaP384 => "ES384",
        KeyAlgorithm::Ed25519 => "EdDSA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_return_unchanged() {
        for word in ExportStatus::ALL {
            assert_eq!(status(status_asked(*word)), *word);
        }
    }

    #[test]
    fn a_file_arrives_whole() {
        let made = file(cluster::ExportFile {
            name: "db.pem".into(),
            media_type: "application/x-pem-file",
            content: b"\x00\xffPEM".to_vec(),
            status: cluster::ExportStatus::All,
            fingerprints: vec!["00".into()],
            authority: authority::AuthorityType::DbClient,
        });
        assert_eq!(STANDARD.decode(&made.content_base64).unwrap(), b"\x00\xffPEM");
        assert_eq!(
            (made.authority.as_str(), made.status),
            ("db_client", ExportStatus::All)
        );
    }
}
