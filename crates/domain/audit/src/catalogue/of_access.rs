//! What people and machines do: log-ins, users, roles, joining, sessions.

/// Puts the events of this file before those that follow, and hands all of them on.
macro_rules! of_access {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! { [$($then)*] $($before)*
            /// Somebody logged in, or tried to.
            UserLogin "user.login" ["SU001I", "SU001W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// How: `totp`, `webauthn`, `recovery_code`; `none` when it did not come so far.
                method: String,
                /// What was asked for: `cli` or `web`.
                client: String,
            }
            /// A user came into being.
            UserCreated "user.create" ["SU002I"]; {
                /// The user's name.
                name: String,
                /// The roles.
                roles: Vec<String>,
            }
            /// A user's roles or traits change.
            UserUpdated "user.update" ["SU003I"]; {
                /// The user's name.
                name: String,
                /// The roles from now on.
                roles: Vec<String>,
            }
            /// A user is removed, with every credential.
            UserDeleted "user.delete" ["SU004I"]; {
                /// The user's name.
                name: String,
            }
            /// A link was made by which a user sets a password and a second factor.
            InviteCreated "user.invite" ["SU005I"]; {
                /// The user's name.
                name: String,
                /// What for: `signup` or `reset`.
                purpose: String,
                /// When the link ends.
                expires: UnixSeconds,
            }
            /// A user set a password.
            PasswordChanged "user.password_change" ["SU006I"]; {
                /// The user's name.
                name: String,
            }
            /// A user has one more second factor.
            FactorAdded "mfa.add" ["SU007I"]; {
                /// The user's name.
                name: String,
                /// The name of the second factor.
                device: String,
                /// What it is: `totp`, `webauthn` or `recovery_codes`.
                kind: String,
            }
            /// A user has one second factor less.
            FactorRemoved "mfa.delete" ["SU008I"]; {
                /// The user's name.
                name: String,
                /// The name of the second factor.
                device: String,
                /// What it was.
                kind: String,
            }
            /// Log-ins of a user are refused for a while, because too many failed.
            UserLockedOut "user.lockout" ["SU009W"]; {
                /// The user's name.
                name: String,
                /// Until when.
                until: UnixSeconds,
                /// Whose attempts are refused: an address, or `every address`.
                scope: String,
            }
            /// Somebody proved anew who they are, for a privileged act, or failed to.
            Reauthenticated "privilege_token.create" ["SU010I", "SU010W"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// What for.
                purpose: String,
            }
            /// A session of the web ended.
            UserLoggedOut "user.logout" ["SU011I"]; {
                /// Why: `asked`, `idle`, `expired`, `locked`, `removed`.
                reason: String,
            }

            /// A role came into being.
            RoleCreated "role.created" ["SP000I"]; {
                /// Its name.
                name: String,
            }
            /// A role changes.
            RoleUpdated "role.updated" ["SP001I"]; {
                /// Its name.
                name: String,
            }
            /// A role is removed.
            RoleDeleted "role.deleted" ["SP002I"]; {
                /// Its name.
                name: String,
            }
            /// A document of settings changes.
            SettingsUpdated "settings.update" ["SP003I"]; {
                /// Its kind, such as `cluster_auth_preference`.
                kind: String,
                /// Its name.
                name: String,
            }
            /// A lock was made: its target is refused and cut off.
            LockCreated "lock.created" ["SP004I"]; {
                /// Its name.
                name: String,
                /// Whom it locks out, such as `user=alice`.
                target: Vec<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
                /// What is said to those it locks out.
                message: Option<String>,
            }
            /// A lock is removed.
            LockDeleted "lock.deleted" ["SP005I"]; {
                /// Its name.
                name: String,
            }

            /// A token to join with was made.
            JoinTokenCreated "join_token.create" ["SJ000I"]; {
                /// Its name, which is not the secret.
                name: String,
                /// The system roles it gives.
                roles: Vec<String>,
                /// Its end, when it has one.
                expires: Option<UnixSeconds>,
                /// How often it can be used; absent when as often as one likes.
                uses: Option<u64>,
            }
            /// A token to join with is removed.
            JoinTokenDeleted "join_token.delete" ["SJ001I"]; {
                /// Its name.
                name: String,
            }
            /// A machine joined the cluster, or tried to.
            InstanceJoined "instance.join" ["SJ002I", "SJ002E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id; absent when it has got none.
                host_id: Option<String>,
                /// What it calls itself.
                node_name: String,
                /// The system roles it asked for.
                roles: Vec<String>,
                /// How it proved itself: `token`, `static_token`.
                method: String,
            }
            /// A machine asked for new certificates before its old ones end.
            InstanceRenewed "instance.renew" ["SJ003I", "SJ003E"] by outcome; {
                /// Whether it failed.
                outcome: Outcome,
                /// The host's id.
                host_id: String,
            }
            /// A machine was removed: it is refused from now on, and its id never comes back.
            InstanceRemoved "instance.remove" ["SJ004I"]; {
                /// The host's id.
                host_id: String,
                /// What it was called.
                node_name: String,
            }
            /// A server without an agent was registered, or its registration changes.
            NodeRegistered "node.register" ["SJ005I"]; {
                /// The host's id.
                host_id: String,
                /// What it is called.
                node_name: String,
                /// Where it is reached.
                addr: String,
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
            /// A session on a host ended, or was cut.
            SessionEnded "session.end" ["SS001I"]; {
                /// The session's id.
                sid: String,
                /// The account on the host.
                login: String,
                /// The host's id.
                server_id: String,
                /// Why: `exit`, `disconnect`, `lock`, `expired`, `idle`, `cut` when the host or its agent died.
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
