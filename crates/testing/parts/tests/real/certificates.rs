//! Certificates made by `openssl`, for trying the fixtures that need some.

use std::path::{Path, PathBuf};

use parts::openssl::openssl_ok;

/// An authority in a directory.
pub(crate) struct Authority {
    directory: PathBuf,
}

impl Authority {
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        let authority = Self {
            directory: directory.join(name),
        };
        std::fs::create_dir(&authority.directory).unwrap();
        let (key, certificate) = (authority.path("ca.key"), authority.certificate());
        let subject = format!("/CN={name}");
        openssl_ok([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout",
            text(&key),
            "-out",
            text(&certificate),
        ])
        .unwrap();
        authority
    }

    /// The authority's certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Issues a leaf; returns certificate and key.
    pub(crate) fn issue(&self, common_name: &str) -> (PathBuf, PathBuf) {
        let (key, request) = (
            self.path(&format!("{common_name}.key")),
            self.path(&format!("{common_name}.csr")),
        );
        let (certificate, extensions) = (self.path(&format!("{common_name}.pem")), self.path("extensions"));
        let subject = format!("/CN={common_name}");
        openssl_ok([
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            text(&key),
            "-out",
            text(&request),
        ])
        .unwrap();
        std::fs::write(
            &extensions,
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
             extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n\
             subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
        )
        .unwrap();
        openssl_ok([
            "x509",
            "-req",
            "-in",
            text(&request),
            "-CA",
            text(&self.certificate()),
            "-CAkey",
            text(&self.path("ca.key")),
            "-days",
            "1",
            "-extfile",
            text(&extensions),
            "-out",
            text(&certificate),
        ])
        .unwrap();
        (certificate, key)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
