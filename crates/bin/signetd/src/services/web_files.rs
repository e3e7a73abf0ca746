//! The proxy's public certificate from files that others keep: whether they can be presented, and saying so when they cannot.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use async_trait::async_trait;
use cluster::Alert;
use cluster::Cluster;
use cluster::Severity;
use config::Config;
use config::HttpsFiles;
use names::UnixSeconds;
use proxy::CertError;
use proxy::CertSource;
use proxy::FileSource;
use proxy::WebCredential;
use runtime::Clock;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;

use crate::failure::chain;
use crate::services::public_certificate::ALERT;

/// What to do about files that cannot be used.
pub(crate) const FIX: &str = "put the certificate with its chain in `proxy_service.https_cert_file` and its key in `proxy_service.https_key_file`, \
     readable for signetd and the key for nobody else; they are read again every few seconds";

/// The files, and whom to tell of them.
pub(crate) struct WebFiles {
    files: HttpsFiles,
    cluster: Arc<Cluster>,
}

impl WebFiles {
    /// What the configuration names, if it does.
    pub(crate) fn configured(config: &Config, cluster: &Arc<Cluster>) -> Option<Self> {
        Some(Self {
            files: config.proxy.https.clone()?,
            cluster: Arc::clone(cluster),
        })
    }

    /// What is presented of them.
    pub(crate) fn followed(self, clock: Arc<dyn Clock>) -> Followed {
        let Self { files, cluster } = self;
        Followed {
            files,
            cluster,
            clock,
        }
    }
}

/// Presents what the files hold; an alert stands while that is not right.
pub(crate) struct Followed {
    files: HttpsFiles,
    cluster: Arc<Cluster>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl CertSource for Followed {
    async fn current(&self) -> Result<Option<WebCredential>, CertError> {
        let read = read(&self.files).await;
        let trouble = match &read {
            Ok(read) => read.trouble(self.clock.now()),
            Err(error) => Some(chain(error)),
        };
        match trouble {
            None => self.cluster.settle_alert(ALERT),
            Some(why) => self.cluster.raise_alert(Alert {
                id: ALERT.to_owned(),
                severity: Severity::Medium,
                message: format!(
                    "browsers are not shown a good certificate of the files that are configured: {why}"
                ),
                hint: FIX.to_owned(),
                since: None,
            }),
        }
        read.map(|read| Some(read.credential))
    }
}

/// Files that can be presented.
pub(crate) struct Read {
    credential: WebCredential,
    pub(crate) not_before: UnixSeconds,
    pub(crate) not_after: UnixSeconds,
}

impl Read {
    /// Why what can be presented is not good all the same.
    pub(crate) fn trouble(&self, now: UnixSeconds) -> Option<String> {
        let Self {
            credential: _,
            not_before,
            not_after,
        } = self;
        if now > *not_after {
            Some(format!("the certificate has ended at {not_after}"))
        } else if now < *not_before {
            Some(format!("the certificate begins at {not_before} only"))
        } else {
            None
        }
    }
}

/// Reads the files, and holds certificate and key against each other.
pub(crate) async fn read(files: &HttpsFiles) -> Result<Read, CertError> {
    let HttpsFiles { cert_file, key_file } = files;
    let source = FileSource {
        chain: cert_file.clone(),
        key: key_file.clone(),
    };
    let other = |error: &dyn std::fmt::Display| CertError::Other(error.to_string());
    let credential = source
        .current()
        .await?
        .ok_or_else(|| other(&"the files hold none"))?;
    let leaf = credential
        .chain
        .first()
        .ok_or_else(|| other(&"the files hold none"))?;
    let leaf = x509::Certificate::from_der(leaf).map_err(|error| {
        other(&format!(
            "the first certificate in {} does not read: {error}",
            cert_file.display()
        ))
    })?;
    let key = any_supported_type(&credential.key).map_err(|error| {
        other(&format!(
            "the key in {} is of no kind that TLS takes: {error}",
            key_file.display()
        ))
    })?;
    let certified = CertifiedKey::new(credential.chain.clone(), key);
    certified.keys_match().map_err(|_| {
        other(&format!(
            "the key in {} is not that of the first certificate in {}",
            key_file.display(),
            cert_file.display()
        ))
    })?;
    Ok(Read {
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        credential,
    })
}

/// Who besides its owner and group may read the key, when somebody may.
pub(crate) fn open_to_others(files: &HttpsFiles) -> Option<String> {
    let path = &files.key_file;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o007 != 0).then(|| {
        format!(
            "{} has mode {mode:04o}: everybody on this host may use the key",
            path.display()
        )
    })
}
