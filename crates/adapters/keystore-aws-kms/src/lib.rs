//! Private keys in the key management service of AWS (KMS).
//!
//! [`AwsKmsBackend`] makes keys in KMS, signs there, and stores nothing but their ARNs; `docs/operating/aws-kms.md` is its
//! page for operators. Start reading at `backend`, the port's methods; each verb has a module of its own, `cloud` holds the
//! calls to AWS and `trouble` says what a failed one means.
//!
//! This is an adapter: [`AwsKmsBackend::open`] lets AWS's SDK read the process environment and the user's shared files for
//! credentials and endpoints, in the order every AWS tool follows. [`AwsKmsBackend::open_with`] takes them as an argument.

mod algorithm;
mod arn;
mod backend;
mod cloud;
mod config;
mod destroy;
mod doctor;
mod find;
mod generate;
mod identify;
mod patience;
mod replicate;
mod sign;
mod tags;
mod together;
mod trouble;

pub use aws_config::SdkConfig;
pub use backend::AwsKmsBackend;
pub use config::AwsKmsConfig;
pub use config::AwsKmsSettings;
pub use config::ConfigError;
pub use config::DEFAULT_DEADLINE;
pub use config::DEFAULT_DELETION_WINDOW_DAYS;
pub use config::MultiRegionSettings;
pub use doctor::Check;
pub use doctor::Finding;
pub use doctor::Verdict;
pub use doctor::examine;
pub use doctor::examine_with;
pub use tags::CLUSTER_TAG;
pub use tags::KEY_ID_TAG;
pub use tags::LABEL_TAG;
