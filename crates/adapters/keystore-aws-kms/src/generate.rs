use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_kms::types::KeyMetadata;
use aws_sdk_kms::types::OriginType;
use key::BackendKind;
use key::KeyId;
use key::KeyRef;
use key::PublicKey;
use keystore::GenerateKey;
use keystore::GeneratedKey;
use keystore::KeyError;
use tokio::time::sleep;

use crate::AwsKmsBackend;
use crate::algorithm::spec_of;
use crate::arn::KeyArn;
use crate::cloud::NewKey;
use crate::identify::is_on_its_way_out;
use crate::identify::trouble_of_state;
use crate::patience::Patience;
use crate::trouble::Failed;
use crate::trouble::Trouble;

const OPERATION: &str = "make a key";

/// How often making a key is tried, when AWS is busy or its answer is lost.
const ATTEMPTS: u32 = 4;
/// The pause after the first failed attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

impl AwsKmsBackend {
    pub(crate) async fn generate_key(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        self.check_request(request)?;
        let made = self.find_or_create(request).await?;
        let mut public_key = self.settle(&made).await?;
        if public_key.algorithm() != request.algorithm {
            let what = format!("its public key is one of {}", public_key.algorithm());
            return Err(self.taken(request, &made, &what));
        }
        let mut arn = made;
        if self.config.multi_region.is_some() {
            self.replicate(&arn, request.id, &request.label, OPERATION)
                .await?;
            if arn.region() != self.config.region.as_str() {
                arn = arn.in_region(&self.config.region);
                public_key = self.settle(&arn).await?;
            }
        }
        let reference = KeyRef {
            id: request.id,
            backend: BackendKind::AwsKms,
            store: self.description.store.clone(),
            handle: arn.to_string(),
            algorithm: request.algorithm,
            spki_sha256: public_key.spki_sha256(),
        };
        Ok(GeneratedKey {
            reference,
            public_key,
        })
    }

    fn check_request(&self, request: &GenerateKey) -> Result<(), KeyError> {
        let store = self.description.store.clone();
        if !self.config.algorithms.contains(&request.algorithm) {
            let reason =
                "it is not among those that keys in AWS KMS may have here; choose another algorithm suite"
                    .to_owned();
            return Err(KeyError::Unsupported {
                store,
                algorithm: request.algorithm,
                reason,
            });
        }
        if request.label.cluster != self.config.cluster {
            let what = format!(
                "the key is for cluster {}, the backend for {}",
                request.label.cluster, self.config.cluster
            );
            return Err(KeyError::fault(store, OPERATION, what));
        }
        Ok(())
    }

    /// Finds the key of an earlier call, or makes one. One call at a time: KMS has no client token, so that asking twice at the
    /// same time would make two keys.
    async fn find_or_create(&self, request: &GenerateKey) -> Result<KeyArn, KeyError> {
        let mut made = self.made.lock().await;
        let mut pause = FIRST_PAUSE;
        let mut attempts_left = ATTEMPTS;
        loop {
            if let Some(arn) = self.find_usable(request, &mut made).await? {
                return Ok(arn);
            }
            let failed = match self.create(request).await {
                Ok(metadata) => {
                    let arn = self.accept(&metadata).await?;
                    made.insert(arn.clone(), Some(request.id));
                    tracing::info!(key = %arn, label = %request.label, "made a key in AWS KMS");
                    return Ok(arn);
                }
                Err(failed) => failed,
            };
            let may_pass = matches!(
                failed.trouble,
                Trouble::Busy(_) | Trouble::Late | Trouble::Unreachable(_)
            );
            attempts_left -= 1;
            if !may_pass || attempts_left == 0 {
                return Err(self.refusal(request, failed));
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn create(&self, request: &GenerateKey) -> Result<KeyMetadata, Failed> {
        let tags = self.config.tags.for_key(request.id, &request.label);
        let key = NewKey {
            spec: spec_of(request.algorithm),
            description: request.label.to_string(),
            tags: tags.map_err(|error| Failed::senseless("kms:CreateKey", "*", error.to_string()))?,
            multi_region: self.config.multi_region.is_some(),
        };
        self.cloud.create(self.config.home_region(), key).await
    }

    /// Looks at what KMS says it made. A key that was not made inside is removed again.
    async fn accept(&self, metadata: &KeyMetadata) -> Result<KeyArn, KeyError> {
        let store = self.description.store.clone();
        let Some(arn) = metadata.arn.as_deref().and_then(KeyArn::parse) else {
            return Err(KeyError::fault(store, OPERATION, "the answer names no key"));
        };
        if metadata.origin == Some(OriginType::AwsKms) {
            return Ok(arn);
        }
        let removed = self
            .cloud
            .schedule_deletion(&arn, self.config.deletion_window_days)
            .await;
        removed.map_err(|failed| self.cloud.error("remove a key that could leave it", failed))?;
        let origin = metadata.origin.as_ref().map_or("unknown", OriginType::as_str);
        Err(KeyError::NotKept {
            store,
            reason: format!("its origin is {origin}, not AWS_KMS"),
        })
    }

    /// The key made for the request's id, if there is one that was not destroyed.
    async fn find_usable(
        &self,
        request: &GenerateKey,
        made: &mut HashMap<KeyArn, Option<KeyId>>,
    ) -> Result<Option<KeyArn>, KeyError> {
        let mut usable = Vec::new();
        for arn in self.made_for(request.id, made).await? {
            let is_gone = match self.cloud.describe(&arn).await {
                Ok(metadata) => metadata.key_state.as_ref().is_some_and(is_on_its_way_out),
                // A key just made may not be seen yet.
                Err(Failed {
                    trouble: Trouble::NotFound,
                    ..
                }) => false,
                Err(failed) => return Err(self.cloud.error(OPERATION, failed)),
            };
            if !is_gone {
                self.check_label(request, &arn).await?;
                usable.push(arn);
            }
        }
        // An answer lost on its way may have left two; whoever comes next has to choose the same one.
        usable.sort_by_key(ToString::to_string);
        Ok(usable.into_iter().next())
    }

    async fn check_label(&self, request: &GenerateKey, arn: &KeyArn) -> Result<(), KeyError> {
        match self.cloud.tags(arn).await {
            Ok(tags) if tags.label().as_ref() == Some(&request.label) => Ok(()),
            Ok(tags) => {
                let label = tags
                    .label()
                    .map_or_else(|| "none".to_owned(), |label| label.to_string());
                Err(self.taken(request, arn, &format!("its label is {label}")))
            }
            Err(Failed {
                trouble: Trouble::NotFound,
                ..
            }) => Ok(()),
            Err(failed) => Err(self.cloud.error(OPERATION, failed)),
        }
    }

    fn taken(&self, request: &GenerateKey, arn: &KeyArn, what: &str) -> KeyError {
        let what = format!(
            "the id {} belongs to another key, {arn}: {what}; use a new id",
            request.id
        );
        KeyError::fault(self.description.store.clone(), OPERATION, what)
    }

    fn refusal(&self, request: &GenerateKey, failed: Failed) -> KeyError {
        let is_about_spec = |text: &str| {
            text.starts_with("ValidationException") && text.to_ascii_lowercase().contains("keyspec")
        };
        if let Trouble::Unsupported(text) | Trouble::Other(text) = &failed.trouble
            && (matches!(failed.trouble, Trouble::Unsupported(_)) || is_about_spec(text))
        {
            return KeyError::Unsupported {
                store: self.description.store.clone(),
                algorithm: request.algorithm,
                reason: format!("{text}; choose another algorithm suite, or a region that offers it"),
            };
        }
        self.cloud.error(OPERATION, failed)
    }

    /// Waits until a new key is seen and enabled everywhere, and reads its public key.
    async fn settle(&self, arn: &KeyArn) -> Result<PublicKey, KeyError> {
        let mut patience = Patience::new();
        loop {
            let failed = match self.ready(arn).await {
                Ok(public_key) => return Ok(public_key),
                Err(failed) => failed,
            };
            if patience.wait(&failed.trouble).await {
                continue;
            }
            if failed.trouble != Trouble::NotFound {
                return Err(self.cloud.error(OPERATION, failed));
            }
            return Err(KeyError::Unavailable {
                store: self.description.store.clone(),
                operation: OPERATION,
                reason: format!("the new key {arn} is not to be seen after two minutes"),
            });
        }
    }

    async fn ready(&self, arn: &KeyArn) -> Result<PublicKey, Failed> {
        let metadata = self.cloud.describe(arn).await?;
        match trouble_of_state(metadata.key_state.as_ref()) {
            Some(trouble) => Err(Failed {
                permission: "kms:DescribeKey",
                resource: arn.to_string(),
                trouble,
            }),
            None => self.cloud.public_key(arn).await,
        }
    }
}
