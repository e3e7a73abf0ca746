//! What people and machines do: log-ins, users, roles, joining, sessions.

/// Puts the events of this file before those that follow, and hands all of them on.
macro_rules! of_access {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! { [$($then)*] $($before)*
            /// Somebody logged in, or tried to.
            UserLogin "user.login" ["SU001I", "SU001W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// How.
                method: String,
                /// What was asked for: `cli` or `web`.
                client: String,
                /// The id of the second factor.
                device: Option<String>,
            }
            /// Log-ins of a user are refused for a while, because too many failed.
            LoginLocked "user.login.lockout" ["SU002W"]; {
                /// The user whose credentials they are.
                account: String,
                /// Whose attempts are refused: an address, its network, or those never seen before.
                source: String,
                /// How many attempts failed.
                failures: u64,
                /// Until when.
                until: UnixSeconds,
            }
            /// A link was made by which a user sets a password and a second factor.
            InviteCreated "user.invite.create" ["SU003I"]; {
                /// The user whose credentials they are.
                account: String,
                /// What for.
                purpose: String,
                /// Its end, when it has one.
                expires: UnixSeconds,
            }
            /// Such a link was used, or somebody tried to.
            InviteUsed "user.invite.use" ["SU004I", "SU004W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The user whose credentials they are.
                account: String,
                /// What for.
                purpose: String,
            }
            /// A user sets a password, or tried to.
            PasswordChanged "user.password_change" ["SU005I", "SU005W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The user whose credentials they are.
                account: String,
                /// What led to it: `change`, `signup` or `reset`.
                cause: String,
            }
            /// A user has one more second factor, or tried to.
            SecondFactorAdded "mfa.add" ["SU006I", "SU006W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The user whose credentials they are.
                account: String,
                /// The id of the second factor.
                device: String,
                /// What its owner calls it.
                device_name: String,
                /// What it is: `totp` or `webauthn`.
                device_kind: String,
            }
            /// A user has one second factor less, or tried to.
            SecondFactorDeleted "mfa.delete" ["SU007I", "SU007W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The user whose credentials they are.
                account: String,
                /// The id of the second factor.
                device: String,
                /// What its owner calls it.
                device_name: String,
                /// What it is: `totp` or `webauthn`.
                device_kind: String,
            }
            /// A user was given new recovery codes; the old ones end.
            RecoveryCodesMade "recovery_code.generate" ["SU008I"]; {
                /// The user whose credentials they are.
                account: String,
                /// How many.
                count: u64,
            }
            /// A recovery code was used up.
            RecoveryCodeUsed "recovery_code.use" ["SU009I"]; {
                /// The user whose credentials they are.
                account: String,
                /// How many are left.
                remaining: u64,
            }
            /// Somebody proved anew who they are, for a privileged act, or failed to.
            Reauthenticated "privilege_token.create" ["SU010I", "SU010W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// What for.
                purpose: String,
                /// How.
                method: String,
            }
            /// A session of the web began.
            WebSessionCreated "web_session.create" ["SU011I"]; {
                /// The id of the session of the web.
                session: String,
                /// Its end, when it has one.
                expires: UnixSeconds,
            }
            /// A session of the web ended.
            WebSessionEnded "web_session.delete" ["SU012I"]; {
                /// The user whose credentials they are.
                account: String,
                /// The id of the session of the web.
                session: String,
                /// Why.
                reason: String,
            }
            /// A user who failed too often may try again.
            LockoutLifted "user.login.unlock" ["SU014I"]; {
                /// The user whose credentials they are.
                account: String,
            }

            /// Somebody gave a second factor for one session on one host, or failed to.
            SessionProven "mfa.session" ["SU015I", "SU015W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// How.
                method: String,
                /// The id of the second factor.
                device: Option<String>,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// What it calls itself.
                server_hostname: String,
            }
            /// A log-in of the command line was approved in a browser, or refused or mistyped there.
            BrowserLoginDecided "user.login.browser" ["SU016I", "SU016W"] by outcome; {
                /// Whether it was refused, or a wrong code was typed.
                outcome: Outcome,
                /// What the program showed.
                login_code: String,
                /// Where the program asked from: address and port.
                asked_from: String,
            }
            /// A proof that a program on the command line asked for was approved in a browser, or refused or mistyped there.
            BrowserProofDecided "privilege_token.browser" ["SU017I", "SU017W"] by outcome; {
                /// Whether it was refused, or a wrong code was typed.
                outcome: Outcome,
                /// What for: a kind of privileged act, or `session`.
                purpose: String,
                /// The account on the host, for a session.
                login: Option<String>,
                /// The host's id, for a session.
                server_id: Option<String>,
                /// What it calls itself, for a session.
                server_hostname: Option<String>,
                /// What the program showed.
                shown_code: String,
                /// Where the program asked from: address and port.
                asked_from: String,
            }
            /// A program on the command line collected a proof that was approved in a browser: whoever it works for may act by it from now on.
            BrowserProofCollected "privilege_token.collect" ["SU018I", "SU018W"] by outcome; {
                /// Whether it was void by then.
                outcome: Outcome,
                /// What for: a kind of privileged act, or `session`.
                purpose: String,
                /// The id of the second factor that it was approved with.
                device: String,
                /// The account on the host, for a session.
                login: Option<String>,
                /// The host's id, for a session.
                server_id: Option<String>,
                /// What it calls itself, for a session.
                server_hostname: Option<String>,
            }

            /// A user comes into being.
            UserCreated "user.create" ["SP000I", "SP000E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
                /// The roles.
                roles: Vec<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
            }
            /// A user's roles or traits change.
            UserUpdated "user.update" ["SP001I", "SP001E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
                /// The roles.
                roles: Vec<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
            }
            /// A user is removed, with every credential.
            UserDeleted "user.delete" ["SP002I", "SP002E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
            }
            /// A role comes into being.
            RoleCreated "role.created" ["SP003I", "SP003E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
            }
            /// A role changes.
            RoleUpdated "role.updated" ["SP004I", "SP004E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
            }
            /// A role is removed.
            RoleDeleted "role.deleted" ["SP005I", "SP005E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
            }
            /// A lock is made: its target is refused and cut off.
            LockCreated "lock.created" ["SP006I", "SP006E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
                /// Whom it locks out, such as `user=alice`.
                target: String,
                /// What is said to those it locks out.
                message: Option<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
            }
            /// A lock changes.
            LockUpdated "lock.updated" ["SP007I", "SP007E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
                /// Whom it locks out, such as `user=alice`.
                target: String,
                /// What is said to those it locks out.
                message: Option<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
            }
            /// A lock is removed.
            LockDeleted "lock.deleted" ["SP008I", "SP008E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Its name.
                name: String,
                /// Whom it locks out, such as `user=alice`.
                target: String,
            }
            /// How people prove who they are changes.
            AuthPreferenceUpdated "auth_preference.update" ["SP009I", "SP009E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// What changes, field by field.
                changes: Vec<String>,
            }
            /// How connections are kept changes.
            NetworkingConfigUpdated "cluster_networking_config.update" ["SP010I", "SP010E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// What changes, field by field.
                changes: Vec<String>,
            }
            /// What of sessions is recorded changes.
            RecordingConfigUpdated "session_recording_config.update" ["SP011I", "SP011E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// What changes, field by field.
                changes: Vec<String>,
            }

            /// A token to join with is made.
            JoinTokenCreated "join_token.create" ["SJ000I", "SJ000E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Which token: the first digits of its hash, never the secret.
                token: String,
                /// The roles.
                roles: Vec<String>,
                /// How often it can be used; absent when as often as one likes.
                uses: Option<u64>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
            }
            /// A token to join with is removed.
            JoinTokenDeleted "join_token.delete" ["SJ001I", "SJ001E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// Which token: the first digits of its hash, never the secret.
                token: String,
            }
            /// A machine joins the cluster, or tried to.
            InstanceJoined "instance.join" ["SJ002I", "SJ002E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; empty when it has got none.
                host_id: String,
                /// What it calls itself.
                node_name: String,
                /// The roles.
                roles: Vec<String>,
                /// Which token: the first digits of its hash, never the secret.
                token: Option<String>,
                /// How.
                method: String,
                /// The names and addresses that its certificates are good for besides its id, or that it asked for by a good token.
                names: Vec<String>,
            }
            /// A machine asked for new certificates before its old ones end.
            InstanceRenewed "instance.renew" ["SJ003I", "SJ003E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; empty when it has got none.
                host_id: String,
                /// What it calls itself.
                node_name: String,
                /// The roles.
                roles: Vec<String>,
                /// The names and addresses that its certificates are good for besides its id, or that it asked for.
                names: Vec<String>,
            }
            /// A server without an agent is registered.
            NodeCreated "node.create" ["SJ004I", "SJ004E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; empty when it has got none.
                host_id: String,
                /// What it is called.
                hostname: String,
                /// Where it is reached.
                addr: String,
            }
            /// The registration of a server changes.
            NodeUpdated "node.update" ["SJ005I", "SJ005E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; empty when it has got none.
                host_id: String,
                /// What it is called.
                hostname: String,
                /// Where it is reached.
                addr: String,
            }
            /// A machine is removed: it is refused from now on, and its id never comes back.
            NodeRemoved "node.remove" ["SJ006I", "SJ006E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; empty when it has got none.
                host_id: String,
                /// What it is called.
                hostname: String,
                /// Why.
                reason: Option<String>,
            }

            /// A machine opens a tunnel, through which the proxy reaches it.
            TunnelOpened "tunnel.open" ["SJ007I"]; {
                /// The id of the host at its end.
                server_id: String,
            }
            /// A tunnel ended.
            TunnelClosed "tunnel.close" ["SJ008I"]; {
                /// The id of the host at its end.
                server_id: String,
                /// Why: `closed`, `broken`, `silent`, `cut` or `stopped`.
                reason: String,
            }

            /// A session on a host begins.
            SessionStarted "session.start" ["SS000I"]; {
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// What the host is called.
                server_hostname: String,
                /// What it is: `shell`, `exec` or `subsystem`.
                kind: String,
                /// The terminal's size, such as `80:25`; absent without one.
                terminal_size: Option<String>,
                /// What allowed it.
                allowed_by: String,
            }
            /// Somebody joined the session of somebody else on a host. Nobody can in this version.
            SessionJoined "session.join" ["SS010I"]; {
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
            }
            /// Somebody left a session with a terminal: whoever began it, before its end.
            SessionLeft "session.leave" ["SS011I"]; {
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
            }
            /// A session on a host ended, or was cut.
            SessionEnded "session.end" ["SS001I"]; {
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// Why: `exit`; `signal NAME`; `disconnect` when the client left or its connection broke; `lock`; `denied` when a role, an authority or what the session needs changed; `expired` and `idle`; `stopping` when the host's agent stopped; `protocol` and `not_recorded`; `failed: …`; `cut` when the host or its agent died.
                reason: String,
                /// The exit status, when there is one.
                exit_code: Option<u64>,
                /// When it began.
                started: UnixSeconds,
                /// When it ended.
                ended: UnixSeconds,
            }
            /// A session was refused, because of a limit or a lock.
            SessionRejected "session.rejected" ["SS002W"]; {
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// Why.
                reason: String,
            }
            /// The terminal of a session changed its size.
            SessionResized "resize" ["SS003I"]; {
                /// The session's id.
                sid: String,
                /// The host's id.
                server_id: Option<String>,
                /// Its size, such as `80:25`.
                terminal_size: String,
            }
            /// A command is run, or could not be.
            CommandRun "exec" ["SS004I", "SS004E"] by outcome; {
                /// Whether it could not be run.
                outcome: Outcome,
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// The command, as it was sent.
                command: String,
            }
            /// A subsystem, such as sftp, is started, or could not be.
            SubsystemRun "subsystem" ["SS005I", "SS005E"] by outcome; {
                /// Whether it could not be started.
                outcome: Outcome,
                /// The session's id.
                sid: String,
                /// The host's id.
                server_id: String,
                /// The subsystem.
                name: String,
            }
            /// A file is copied, read, written or changed.
            FileTouched "scp" ["SS006I", "SS006E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The session's id.
                sid: String,
                /// The host's id.
                server_id: String,
                /// What: `download`, `upload`, or an operation of sftp.
                action: String,
                /// The file.
                path: String,
            }
            /// A port is forwarded, or was not.
            PortForwarded "port" ["SS007I", "SS007E"] by outcome; {
                /// Whether it was refused or failed.
                outcome: Outcome,
                /// The host's id.
                server_id: String,
                /// Which way: `local`, `remote`, `agent` or `x11`.
                kind: String,
                /// Where to, or where it listens.
                addr: String,
            }
            /// A client was disconnected by the server.
            ClientDisconnected "client.disconnect" ["SS008I"]; {
                /// The host's id.
                server_id: String,
                /// Why.
                reason: String,
            }
            /// A connection through the proxy to a host begins, or could not be made.
            SessionConnected "session.connect" ["SS009I", "SS009E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; absent when there is no such host.
                server_id: Option<String>,
                /// What was asked for.
                target: String,
                /// How it is reached: `tunnel`, `direct`, `openssh`; `none`.
                route: String,
            }
        }
    };
}
pub(crate) use of_access;
