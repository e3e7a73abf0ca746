//! The port, on the pool.

use std::sync::Arc;

use async_trait::async_trait;
use cryptoki::object::{Attribute, ObjectClass};
use key::{BackendKind, KeyAlgorithm, KeyRef, PublicKey, Signature, SignatureScheme};
use keystore::{
    Description, FoundKey, GenerateKey, GeneratedKey, KeyAttributes, KeyBackend, KeyError, KeyLabel,
};
use tokio::sync::Mutex;

use crate::OpenError;
use crate::config::Pkcs11Config;
use crate::generate::{self, Order};
use crate::mechanisms::{signing, to_be_signed};
use crate::objects::{self, Target};
use crate::open::{self, Opened};
use crate::pool::Pool;
use crate::quiet;
use crate::seat::{Open, Operation};
use crate::token::Failure;

/// Two generations at once confuse some tokens, so there is one at a time in the process.
static GENERATION: Mutex<()> = Mutex::const_new(());

/// Keys in a PKCS#11 token.
pub struct Pkcs11Backend {
    config: Pkcs11Config,
    description: Description,
    has_short_ids: bool,
    pool: Pool,
}

impl Pkcs11Backend {
    /// Loads the module, finds the token, logs in (one try) and asks what it can do.
    ///
    /// # Errors
    /// As the variants of [`OpenError`] say; each names the remedy.
    pub async fn open(config: Pkcs11Config) -> Result<Self, OpenError> {
        let opened: Opened = open::beside(&config, open::open).await?;
        let description = Description {
            kind: BackendKind::Pkcs11,
            store: opened.token.store().to_owned(),
            summary: opened.summary.clone(),
            algorithms: opened.abilities.algorithms.clone(),
            concurrency: opened.workers,
            destroys_at_once: true,
        };
        let pool = Pool::new(Arc::clone(&opened.token), opened.workers).map_err(|error| {
            OpenError::ModuleFailed {
                path: config.module_path.clone(),
                reason: format!("no thread: {error}"),
            }
        })?;
        Ok(Self {
            description,
            has_short_ids: opened.has_short_ids,
            config,
            pool,
        })
    }

    fn call(&self, name: &'static str) -> Operation {
        Operation {
            name,
            limit: self.config.call_deadline,
        }
    }

    /// The key meant, where the reference is one of this token's.
    fn target(&self, key: &KeyRef) -> Result<Target, KeyError> {
        if key.backend != BackendKind::Pkcs11 || key.store != self.description.store {
            return Err(KeyError::OtherStore {
                store: self.description.store.clone(),
                expected: if key.backend == BackendKind::Pkcs11 {
                    key.store.clone()
                } else {
                    key.backend.to_string()
                },
            });
        }
        Target::of(key).ok_or_else(|| KeyError::NotFound {
            store: self.description.store.clone(),
            handle: key.handle.clone(),
        })
    }

    fn unsupported(&self, algorithm: KeyAlgorithm, reason: impl Into<String>) -> KeyError {
        KeyError::Unsupported {
            store: self.description.store.clone(),
            algorithm,
            reason: reason.into(),
        }
    }
}

#[async_trait]
impl KeyBackend for Pkcs11Backend {
    fn describe(&self) -> &Description {
        &self.description
    }

    async fn generate(&self, request: &GenerateKey) -> Result<GeneratedKey, KeyError> {
        if !self.description.algorithms.contains(&request.algorithm) {
            let known: Vec<_> = self
                .description
                .algorithms
                .iter()
                .map(ToString::to_string)
                .collect();
            return Err(self.unsupported(
                request.algorithm,
                format!("the token offers {}", known.join(", ")),
            ));
        }
        let order = Order {
            id: request.id,
            label: request.label.to_string(),
            algorithm: request.algorithm,
            has_short_ids: self.has_short_ids,
        };
        let operation = Operation {
            name: "generate a key",
            limit: self.config.generation_deadline(),
        };
        let _one_at_a_time = GENERATION.lock().await;
        let made = self
            .pool
            .run(operation, move |open| generate::generate(open, &order))
            .await?;
        let reference = KeyRef {
            id: request.id,
            backend: BackendKind::Pkcs11,
            store: self.description.store.clone(),
            handle: hex::encode(&made.id),
            algorithm: request.algorithm,
            spki_sha256: made.public_key.spki_sha256(),
        };
        Ok(GeneratedKey {
            reference,
            public_key: made.public_key,
        })
    }

    async fn sign(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        if !scheme.fits(key.algorithm) {
            return Err(self.unsupported(key.algorithm, format!("it cannot sign {scheme:?}")));
        }
        let target = self.target(key)?;
        let input = to_be_signed(scheme, message);
        let raw = self
            .pool
            .run(self.call("sign"), move |open| {
                let handle = objects::find_once(open, &target)?;
                Ok(open.session.sign(&signing(scheme), handle, &input)?)
            })
            .await?;
        Signature::from_raw(scheme, raw)
            .map_err(|error| KeyError::fault(&self.description.store, "sign", error))
    }

    async fn public_key(&self, key: &KeyRef) -> Result<PublicKey, KeyError> {
        let target = self.target(key)?;
        self.pool
            .run(self.call("read a public key"), move |open| {
                let _quiet = quiet::looking();
                objects::find(&open.session, &open.store, &target).map(|(_, public)| public)
            })
            .await
    }

    async fn attributes(&self, key: &KeyRef) -> Result<KeyAttributes, KeyError> {
        let target = self.target(key)?;
        self.pool
            .run(self.call("read attributes"), move |open| {
                let _quiet = quiet::looking();
                let (private, _) = objects::find(&open.session, &open.store, &target)?;
                Ok(objects::custody(&open.session, private)?)
            })
            .await
    }

    async fn list(&self) -> Result<Vec<FoundKey>, KeyError> {
        let prefix = KeyLabel::prefix(&self.config.cluster);
        self.pool
            .run(self.call("list keys"), move |open| list(open, &prefix))
            .await
    }

    async fn destroy(&self, key: &KeyRef) -> Result<(), KeyError> {
        let target = self.target(key)?;
        let gone = self
            .pool
            .run(self.call("destroy a key"), move |open| destroy(open, &target))
            .await;
        match gone {
            Err(KeyError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.pool
            .run(self.call("answer"), |open| open.must_see_everything())
            .await
    }
}

fn list(open: &Open, prefix: &str) -> Result<Vec<FoundKey>, Failure> {
    let _quiet = quiet::looking();
    let session = &open.session;
    let mut found = Vec::new();
    for private in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        let facts = objects::facts(session, private)?;
        if !facts.label.starts_with(prefix) {
            continue;
        }
        let Ok(label) = facts.label.parse::<KeyLabel>() else {
            tracing::warn!(token = %open.store, label = %facts.label, "a key with a label like ours that is none");
            continue;
        };
        found.push(FoundKey {
            handle: hex::encode(&facts.id),
            label,
            public_key: objects::public_key(session, private, &facts.id, facts.key_type)?,
            is_usable: facts.signs,
            made_at: None,
        });
    }
    open.must_see_everything()?;
    Ok(found)
}

fn destroy(open: &mut Open, target: &Target) -> Result<(), Failure> {
    let _quiet = quiet::making();
    open.objects.remove(&(target.id.clone(), target.spki_sha256));
    let session = &open.session;
    let is_it = |key: &PublicKey| key.spki_sha256() == target.spki_sha256;
    match objects::find_all(session, &open.store, target) {
        Ok((private, others, _)) => {
            tracing::info!(token = %open.store, key_id = %hex::encode(&target.id), "destroying a key pair");
            // The one that is found again after a failure goes last.
            for object in others.into_iter().chain([private]) {
                generate::remove(session, object)?;
            }
        }
        // What an interrupted call left of it.
        Err(Failure::Missing(error)) => {
            open.must_see_everything()?;
            generate::remove_public(session, &target.id, target.algorithm, is_it)?;
            return Err(Failure::Missing(error));
        }
        Err(failure) => return Err(failure),
    }
    generate::remove_public(session, &target.id, target.algorithm, is_it)
}
