use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use serde::Deserializer;
use serde_saphyr::Spanned;

/// A value and where it stands in the file.
pub(crate) type At<T> = Option<Spanned<T>>;

/// The file as it is written: every key optional, nothing checked but its shape.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) version: At<String>,
    pub(crate) signet: Option<SignetFile>,
    pub(crate) auth_service: Option<AuthServiceFile>,
    pub(crate) proxy_service: Option<ProxyServiceFile>,
    pub(crate) ssh_service: Option<SshServiceFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignetFile {
    pub(crate) data_dir: At<String>,
    pub(crate) log: Option<LogFile>,
    pub(crate) storage: Option<StorageFile>,
    pub(crate) nodename: At<String>,
    pub(crate) proxy_server: At<String>,
    pub(crate) join_params: Option<JoinParamsFile>,
    pub(crate) ca_pin: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinParamsFile {
    pub(crate) method: At<String>,
    pub(crate) token_name: At<PinText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyServiceFile {
    pub(crate) enabled: At<bool>,
    pub(crate) web_listen_addr: At<String>,
    pub(crate) ssh_listen_addr: At<String>,
    pub(crate) public_addr: At<String>,
    pub(crate) https_cert_file: At<String>,
    pub(crate) https_key_file: At<String>,
    pub(crate) proxy_protocol: At<String>,
    pub(crate) trusted_balancers: At<Vec<Spanned<String>>>,
    pub(crate) acme: Option<AcmeFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcmeFile {
    pub(crate) enabled: At<bool>,
    pub(crate) email: At<String>,
    pub(crate) uri: At<String>,
    pub(crate) ca_file: At<String>,
    pub(crate) eab: Option<AcmeBindingFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcmeBindingFile {
    pub(crate) key_id: At<String>,
    pub(crate) hmac_key_file: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshServiceFile {
    pub(crate) enabled: At<bool>,
    pub(crate) listen_addr: At<String>,
    pub(crate) public_addr: At<String>,
    #[serde(default)]
    pub(crate) labels: Option<BTreeMap<String, Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFile {
    pub(crate) severity: At<String>,
    pub(crate) format: At<String>,
    pub(crate) output: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StorageFile {
    #[serde(rename = "type")]
    pub(crate) kind: At<String>,
    pub(crate) path: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthServiceFile {
    pub(crate) enabled: At<bool>,
    pub(crate) cluster_name: At<String>,
    pub(crate) listen_addr: At<String>,
    pub(crate) web_listen_addr: At<String>,
    pub(crate) public_addr: At<String>,
    pub(crate) authentication: Option<AuthenticationFile>,
    pub(crate) ca_key_params: Option<CaKeyParamsFile>,
    pub(crate) former_ca_key_params: Option<Vec<CaKeyParamsFile>>,
    pub(crate) key_quarantine: At<String>,
    pub(crate) tokens: Option<Vec<Spanned<PinText>>>,
    pub(crate) limits: Option<LimitsFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsFile {
    pub(crate) log_ins_per_minute: At<u64>,
    pub(crate) log_ins_burst: At<u64>,
    pub(crate) joins_per_minute: At<u64>,
    pub(crate) joins_burst: At<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthenticationFile {
    pub(crate) signature_algorithm_suite: At<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaKeyParamsFile {
    pub(crate) pkcs11: At<Pkcs11File>,
    pub(crate) aws_kms: At<AwsKmsFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pkcs11File {
    pub(crate) module_path: At<String>,
    pub(crate) token_label: At<String>,
    pub(crate) slot_number: At<u64>,
    pub(crate) pin: At<PinText>,
    pub(crate) pin_path: At<String>,
    pub(crate) max_sessions: At<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsKmsFile {
    pub(crate) account: At<String>,
    pub(crate) region: At<String>,
    #[serde(default)]
    pub(crate) tags: Option<BTreeMap<String, Spanned<String>>>,
    pub(crate) multi_region: Option<MultiRegionFile>,
    pub(crate) deletion_window_days: At<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MultiRegionFile {
    pub(crate) enabled: At<bool>,
    pub(crate) primary_region: At<String>,
    pub(crate) replica_regions: Option<Vec<Spanned<String>>>,
}

/// A PIN or another secret as it stands in the file. `Debug` does not show it.
#[derive(Debug)]
pub(crate) struct PinText(pub(crate) SecretString);

impl<'de> Deserialize<'de> for PinText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}
