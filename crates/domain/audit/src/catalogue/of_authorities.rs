//! What happens to the cluster, its authorities, keys and certificates.

/// Puts the events of this file before those that follow, and hands all of them on.
macro_rules! of_authorities {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! { [$($then)*] $($before)*
            /// A cluster was born: its first start made its data directory, its state and this log.
            ClusterCreated "cluster.create" ["SI002I"]; {
                /// Signet's version.
                version: String,
                /// Where its authorities' keys are to live, as `signetctl status` says it.
                storage: String,
                /// The algorithm suite chosen at birth.
                suite: String,
            }
            /// The algorithms of new keys change: the configuration names another suite. Existing keys stay until they are rotated.
            SuiteChanged "cluster.suite" ["SI003I"]; {
                /// The suite until now.
                from: String,
                /// The suite from now on.
                to: String,
            }
            /// The auth service started.
            Started "instance.start" ["SI000I"]; {
                /// Signet's version.
                version: String,
            }
            /// The auth service stops in good order.
            Stopped "instance.stop" ["SI001I"]; {
                /// What asked for it, such as a signal.
                reason: String,
            }

            /// An authority came into being.
            AuthorityCreated "authority.create" ["SA000I"]; {
                /// The authority.
                authority: AuthorityType,
                /// Its first generation.
                generation: u64,
                /// Where its keys live, as `signetctl status` says it.
                storage: String,
            }
            /// A key pair is about to be made.
            KeyCreated "authority.key.create" ["SA001I"]; {
                /// The authority it is for.
                authority: AuthorityType,
                /// What it will sign.
                form: KeyForm,
                /// The generation it belongs to.
                generation: u64,
                /// Its id, chosen before it is made.
                key_id: KeyId,
                /// Its algorithm.
                algorithm: String,
                /// Where it will live.
                storage: String,
            }
            /// A key pair that was announced could not be made.
            KeyCreationFailed "authority.key.create_failure" ["SA001E"]; {
                /// The authority it was for.
                authority: AuthorityType,
                /// What it would have signed.
                form: KeyForm,
                /// The generation it would have belonged to.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// Where it would have lived.
                storage: String,
                /// Why not.
                error: String,
            }
            /// A key pair was made.
            KeyMade "authority.key.made" ["SA002I"]; {
                /// The authority it is for.
                authority: AuthorityType,
                /// What it signs.
                form: KeyForm,
                /// The generation it belongs to.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// Where it lives.
                storage: String,
                /// Its name there: the id itself, `CKA_ID` in hexadecimal, or the ARN.
                handle: String,
                /// SHA-256 of the public key's `SubjectPublicKeyInfo`, hexadecimal.
                spki_sha256: SpkiSha256,
                /// What keeps the private key there: the attributes read back, or that the backend's interface asserts it.
                kept_by: Vec<String>,
            }
            /// A key signs for the first time.
            KeyFirstUsed "authority.key.first_use" ["SA003I"]; {
                /// The authority.
                authority: AuthorityType,
                /// What it signs.
                form: KeyForm,
                /// Its generation.
                generation: u64,
                /// Its id.
                key_id: KeyId,
            }
            /// A key left use and waits for its destruction.
            KeyQuarantined "authority.key.quarantine" ["SA004I"]; {
                /// The authority.
                authority: AuthorityType,
                /// What it signed.
                form: KeyForm,
                /// Its generation.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// The moment from which it may be destroyed.
                destroy_after: UnixSeconds,
                /// Why it left use.
                reason: String,
            }
            /// A quarantined key was taken out of quarantine.
            KeyRestored "authority.key.restore" ["SA005I"]; {
                /// The authority.
                authority: AuthorityType,
                /// What it signs.
                form: KeyForm,
                /// Its generation.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// Why.
                reason: String,
            }
            /// A key is about to be destroyed, or could not be.
            KeyDestroyed "authority.key.destroy" ["SA006I", "SA006E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The authority.
                authority: AuthorityType,
                /// What it signed.
                form: KeyForm,
                /// Its generation.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// Where it lives.
                storage: String,
                /// Why it may go, such as the quarantine that passed.
                reason: String,
            }
            /// A key signed a challenge and its public key was compared with the recorded one.
            KeyVerified "authority.key.verify" ["SA007I", "SA007E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The authority.
                authority: AuthorityType,
                /// What it signs.
                form: KeyForm,
                /// Its generation.
                generation: u64,
                /// Its id.
                key_id: KeyId,
                /// Where it lives.
                storage: String,
            }
            /// Private keys, or references to them, were read.
            SecretsRead "authority.secrets.read" ["SA008W"]; {
                /// Whose; absent when of every authority.
                authority: Option<AuthorityType>,
            }

            /// An authority's rotation moves to another phase; a move to `rollback` has codes of its own.
            PhaseChanged "authority.rotation.phase" ["SR002I", "SR002E", "SR003I", "SR003E"] => phase_code(to, outcome); {
                /// Whether it failed.
                outcome: Outcome,
                /// The authority.
                authority: AuthorityType,
                /// The rotation's id.
                rotation_id: String,
                /// The phase it leaves.
                from: String,
                /// The phase it enters.
                to: String,
                /// What moves it: `manual` or `auto`.
                mode: String,
                /// Why, when that was said.
                reason: Option<String>,
            }
            /// An operator let a rotation pass though parties were not ready.
            RotationOverridden "authority.rotation.override" ["SR004W"]; {
                /// The authority.
                authority: AuthorityType,
                /// The rotation's id.
                rotation_id: String,
                /// The phase it leaves.
                from: String,
                /// The phase it enters.
                to: String,
                /// Why.
                reason: String,
                /// The parties that were not ready.
                blocked_by: Vec<String>,
            }
            /// An operator ended the trust in an outgoing generation at once.
            GenerationDistrusted "authority.rotation.distrust" ["SR005W"]; {
                /// The authority.
                authority: AuthorityType,
                /// The rotation's id.
                rotation_id: String,
                /// The generation distrusted.
                generation: u64,
                /// Why.
                reason: String,
                /// The parties that are cut off.
                affected: Vec<String>,
            }
            /// An automatic rotation is due and waits for parties that are not ready.
            RotationHeld "authority.rotation.held" ["SR006W"]; {
                /// The authority.
                authority: AuthorityType,
                /// The rotation's id.
                rotation_id: String,
                /// The phase it stays in.
                phase: String,
                /// The parties that are not ready.
                blocked_by: Vec<String>,
            }

            /// A backend stopped answering.
            BackendLost "backend.lost" ["SB000E"]; {
                /// Which.
                storage: String,
                /// What was seen.
                error: String,
            }
            /// A lost backend answers again.
            BackendFound "backend.found" ["SB001I"]; {
                /// Which.
                storage: String,
            }

            /// A certificate or token is about to be signed.
            CertificateCreated "cert.create" ["SC000I"]; {
                /// The authority that signs it.
                authority: AuthorityType,
                /// What it is.
                form: KeyForm,
                /// Its kind, such as `user`, `host`, `db`.
                cert_type: String,
                /// Its serial: hexadecimal (X.509), decimal (SSH), or the `jti` of a token.
                serial: String,
                /// Whom it names.
                subject: String,
                /// Every name it is good for.
                principals: Vec<String>,
                /// When it begins.
                not_before: UnixSeconds,
                /// When it ends.
                not_after: UnixSeconds,
                /// The key that signs it.
                key_id: KeyId,
                /// What allowed it: the policy, role or right.
                allowed_by: String,
            }
            /// A certificate that was announced could not be signed or recorded; it was given to nobody.
            CertificateFailed "cert.create_failure" ["SC000E"]; {
                /// The authority.
                authority: AuthorityType,
                /// What it would have been.
                form: KeyForm,
                /// Its serial, which stays taken.
                serial: String,
                /// The `uid` of the event that announced it.
                announced_by: String,
                /// Why not.
                error: String,
            }
            /// A certificate was revoked.
            CertificateRevoked "cert.revoke" ["SC001I"]; {
                /// The authority that issued it.
                authority: AuthorityType,
                /// Its serial.
                serial: String,
                /// Why (RFC 5280 section 5.3.1, its name).
                reason: String,
            }
            /// A list of revoked certificates is about to be signed.
            RevocationListCreated "crl.create" ["SC002I"]; {
                /// The authority.
                authority: AuthorityType,
                /// The key that signs it.
                key_id: KeyId,
                /// Its number (RFC 5280 section 5.2.3).
                number: u64,
                /// How many certificates it names.
                entries: u64,
                /// When the next one is due.
                next_update: UnixSeconds,
            }
            /// The proxy has another public certificate, which an ACME server issued; or it could get none.
            PublicCertificateObtained "proxy.cert.obtain" ["SC003I", "SC003E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The name that it is for.
                name: String,
                /// The directory of the ACME server.
                directory: String,
                /// Its serial number, in hexadecimal digits; absent after a failure.
                serial: Option<String>,
                /// When it ends; absent after a failure.
                not_after: Option<UnixSeconds>,
                /// When the server is asked again, after a failure.
                again: Option<UnixSeconds>,
            }

            /// A request or a log-in was refused. Its `user` is known: by a certificate of this cluster's, where there is one.
            AccessDenied "auth" ["SU000W"]; {
                /// What was asked for.
                action: String,
                /// Why it was refused.
                reason: String,
                /// The account on the host that was asked for; absent when it was none.
                login: Option<String>,
                /// The name in a certificate that nobody here vouches for: whoever made it chose the name.
                claimed: Option<String>,
                /// The session's id, or the connection's where there was no session; absent when it was no connection to a host.
                sid: Option<String>,
                /// The host's id; absent when it was no connection to a host.
                server_id: Option<String>,
                /// What the host is called.
                server_hostname: Option<String>,
            }
        }
    };
}
pub(crate) use of_authorities;
