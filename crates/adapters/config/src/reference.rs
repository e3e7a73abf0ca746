/// A key of the configuration file, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// From the root.
    pub(crate) path: &'static str,
    /// What may stand there; empty for a section.
    pub(crate) kind: &'static str,
    /// What stands there when nothing does.
    pub(crate) default: &'static str,
    /// What it is for.
    pub(crate) meaning: &'static str,
}

/// The key of this name, wherever it is. `None` when there is none or more than one.
pub(crate) fn path_of_key(name: &str) -> Option<&'static str> {
    let renamed = match name {
        "teleport" => "signet",
        "ca_algorithms" | "signature_algorithms" => "signature_algorithm_suite",
        "pin_file" => "pin_path",
        "label" => "token_label",
        "slot" | "slot_id" => "slot_number",
        "module" | "library" => "module_path",
        other => other,
    };
    let mut found = KEYS
        .iter()
        .filter(|key| key.path.rsplit('.').next() == Some(renamed));
    match (found.next(), found.next()) {
        (Some(key), None) => Some(key.path),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// What to do about a bad value at this path.
pub(crate) fn hint(path: &str) -> String {
    match KEYS.iter().find(|key| key.path == path) {
        Some(key) if !key.kind.is_empty() => format!("write {}", key.kind),
        Some(_) => "give it keys of its own, indented below it".to_owned(),
        None => "`signetd configure` prints a sample to compare with".to_owned(),
    }
}

/// The reference of the configuration file: what `docs/reference/config.md` holds.
pub fn reference_markdown() -> String {
    let mut text = String::from(
        "# Configuration file\n\n\
         `signetd start --config FILE` reads one YAML file. Without a file, and for every key that is absent, the\n\
         defaults below hold. Unknown keys are refused, and so are keys given twice. `signetd config check FILE`\n\
         checks a file without starting anything; `signetd configure` prints the sample at the end of this page.\n\n\
         Lengths of time are numbers with units: `90s`, `30m`, `36h`, `7d`, `1h30m`.\n\n\
         | Key | Value | Default | Meaning |\n|---|---|---|---|\n",
    );
    for Key {
        path,
        kind,
        default,
        meaning,
    } in KEYS.iter().filter(|key| !key.kind.is_empty())
    {
        text.push_str(&format!("| `{path}` | {kind} | {default} | {meaning} |\n"));
    }
    text.push_str(
        "\nAt most one of `ca_key_params.pkcs11` and `ca_key_params.aws_kms` may be given; with neither, keys are\n\
         software keys, sealed in the cluster's own state. Existing keys stay where they are until their authority\n\
         is rotated.\n\n## Sample\n\n```yaml\n",
    );
    text.push_str(crate::SAMPLE);
    text.push_str("```\n");
    text
}

const fn section(path: &'static str) -> Key {
    Key {
        path,
        kind: "",
        default: "",
        meaning: "",
    }
}

const fn key(path: &'static str, kind: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        meaning,
    }
}

/// Every key there is, in the order of the sample.
pub(crate) const KEYS: &[Key] = &[
    key("version", "`v1`", "`v1`", "The version of this file's format."),
    section("signet"),
    key(
        "signet.data_dir",
        "a directory",
        "`/var/lib/signet` for root, else `$XDG_DATA_HOME/signet` or `~/.local/share/signet`",
        "Where everything is kept that has to survive a restart. Made with mode 0700.",
    ),
    section("signet.log"),
    key(
        "signet.log.severity",
        "`error`, `warn`, `info`, `debug` or `trace`",
        "`info`",
        "The least severity that is logged.",
    ),
    key(
        "signet.log.format",
        "`text` or `json`",
        "`text`",
        "The form of a line.",
    ),
    key(
        "signet.log.output",
        "`stderr`, `stdout` or an absolute path",
        "`stderr`",
        "Where lines go.",
    ),
    section("signet.storage"),
    key(
        "signet.storage.type",
        "`sqlite`",
        "`sqlite`",
        "What holds state and ledger.",
    ),
    key(
        "signet.storage.path",
        "a directory",
        "`backend` in the data directory",
        "Where the databases are.",
    ),
    key(
        "signet.nodename",
        "a host name",
        "the host's name",
        "What this machine calls itself.",
    ),
    key(
        "signet.proxy_server",
        "a host name and a port",
        "none",
        "The proxy of the cluster to join, where the auth service does not run in this process.",
    ),
    section("signet.join_params"),
    key(
        "signet.join_params.method",
        "`token`",
        "`token`",
        "How this machine shows that it may join.",
    ),
    key(
        "signet.join_params.token_name",
        "a token, or the absolute path of a file",
        "none",
        "The token. Needed until the machine has joined.",
    ),
    key(
        "signet.ca_pin",
        "a list of pins",
        "none",
        "The pins of the host authority, as `signetctl status` shows them. Checked before the token is sent.",
    ),
    section("auth_service"),
    key(
        "auth_service.enabled",
        "`true` or `false`",
        "`true`",
        "Whether this process runs the auth service.",
    ),
    key(
        "auth_service.cluster_name",
        "a DNS name of at most 64 bytes",
        "the host's name",
        "The cluster's name. It is in every certificate and cannot change after the first start.",
    ),
    key(
        "auth_service.listen_addr",
        "an IP address and a port",
        "`127.0.0.1:3025`",
        "Where the API listens (mutual TLS).",
    ),
    key(
        "auth_service.web_listen_addr",
        "an IP address and a port",
        "`127.0.0.1:3080`",
        "Where certificates, revocation lists and key sets are served to everybody.",
    ),
    key(
        "auth_service.public_addr",
        "a host name and a port",
        "none",
        "How others reach `web_listen_addr`: the issuer of tokens and the distribution point of revocation lists.",
    ),
    section("auth_service.authentication"),
    key(
        "auth_service.authentication.signature_algorithm_suite",
        "`legacy`, `balanced-v1`, `fips-v1` or `hsm-v1`",
        "what the cluster has; for a new one `balanced-v1`, or `hsm-v1` with an HSM or KMS",
        "Which algorithms new keys have. Existing keys change when they are rotated.",
    ),
    section("auth_service.ca_key_params"),
    section("auth_service.ca_key_params.pkcs11"),
    key(
        "auth_service.ca_key_params.pkcs11.module_path",
        "an absolute path",
        "required",
        "The vendor's PKCS#11 library. Refused when others may write to it.",
    ),
    key(
        "auth_service.ca_key_params.pkcs11.token_label",
        "a label of at most 32 bytes",
        "this or `slot_number`",
        "The token, by its label.",
    ),
    key(
        "auth_service.ca_key_params.pkcs11.slot_number",
        "a whole number",
        "this or `token_label`",
        "The token, by its slot.",
    ),
    key(
        "auth_service.ca_key_params.pkcs11.pin",
        "a text",
        "this, `pin_path` or `SIGNET_PKCS11_PIN` in the environment",
        "The PIN of the token's user. Better kept in a file of its own.",
    ),
    key(
        "auth_service.ca_key_params.pkcs11.pin_path",
        "a path",
        "this, `pin` or `SIGNET_PKCS11_PIN` in the environment",
        "The file that holds the PIN. Refused when others may read it; line ends at its end are ignored.",
    ),
    key(
        "auth_service.ca_key_params.pkcs11.max_sessions",
        "`0`, or a number from 2",
        "`0`: as many as suit the token",
        "The most sessions to open. `1` is refused: one stays logged in, and another has to work.",
    ),
    section("auth_service.ca_key_params.aws_kms"),
    key(
        "auth_service.ca_key_params.aws_kms.account",
        "12 digits, in quotes",
        "required",
        "The account keys are made in. Checked against the credentials at every start.",
    ),
    key(
        "auth_service.ca_key_params.aws_kms.region",
        "a region such as `eu-central-1`",
        "required",
        "The region.",
    ),
    key(
        "auth_service.ca_key_params.aws_kms.tags",
        "keys and values",
        "none",
        "Tags of new keys. `SignetCluster` with the cluster's name is added.",
    ),
    section("auth_service.ca_key_params.aws_kms.multi_region"),
    key(
        "auth_service.ca_key_params.aws_kms.multi_region.enabled",
        "`true` or `false`",
        "`false`",
        "Whether new keys are multi-region keys.",
    ),
    key(
        "auth_service.ca_key_params.aws_kms.multi_region.primary_region",
        "a region",
        "the region above",
        "Where multi-region keys are made.",
    ),
    key(
        "auth_service.ca_key_params.aws_kms.multi_region.replica_regions",
        "a list of regions",
        "none",
        "Where multi-region keys are copied to.",
    ),
    key(
        "auth_service.ca_key_params.aws_kms.deletion_window_days",
        "a number from 7 to 30",
        "`7`",
        "How many days KMS keeps a key once its quarantine has passed and its deletion was asked for. Until then AWS can cancel the deletion.",
    ),
    key(
        "auth_service.former_ca_key_params",
        "a list, each entry as `ca_key_params`",
        "`[]`",
        "Where keys may still live that were made before `ca_key_params` changed. They go on signing there until their authority is rotated.",
    ),
    key(
        "auth_service.key_quarantine",
        "a length of time",
        "`7d`",
        "How long a key that nobody trusts any more can be restored before it is destroyed.",
    ),
    key(
        "auth_service.tokens",
        "a list of `role,role:SECRET` or `role:/path/of/a/file`",
        "none",
        "Tokens to join with that do not end. Tokens made by `signetctl tokens add` are better: they do.",
    ),
    section("auth_service.limits"),
    key(
        "auth_service.limits.log_ins_per_minute",
        "a number from 1 to 1,000,000",
        "`20`",
        "How often a minute one address (of IPv6, one /64) may begin a log-in, end one, and use a link to sign up: of each so many. Beyond that it is answered 429. A site, one /48 of IPv6, has eight times as much for all of its addresses; so with the other limits here.",
    ),
    key(
        "auth_service.limits.log_ins_burst",
        "a number from 1 to 1,000,000",
        "`40`",
        "How many of each may come at once.",
    ),
    key(
        "auth_service.limits.joins_per_minute",
        "a number from 1 to 1,000,000",
        "`300`",
        "How many machines may join from one address a minute.",
    ),
    key(
        "auth_service.limits.joins_burst",
        "a number from 1 to 1,000,000",
        "`1000`",
        "How many machines may join from one address at once.",
    ),
    section("proxy_service"),
    key(
        "proxy_service.enabled",
        "`true` or `false`",
        "as `auth_service.enabled`",
        "Whether this process runs the proxy, which is the public face of the cluster.",
    ),
    key(
        "proxy_service.web_listen_addr",
        "an IP address and a port",
        "as `auth_service.web_listen_addr`",
        "Where everything is served over TLS: web, API, SSH and tunnels.",
    ),
    key(
        "proxy_service.ssh_listen_addr",
        "an IP address and a port",
        "`127.0.0.1:3023`",
        "Where SSH is served without TLS around it.",
    ),
    key(
        "proxy_service.public_addr",
        "a host name and a port",
        "as `auth_service.public_addr`",
        "How people and machines reach `web_listen_addr`.",
    ),
    key(
        "proxy_service.https_cert_file",
        "a path",
        "a certificate of the host authority",
        "The certificate to present to browsers, PEM, with those between it and its root.",
    ),
    key(
        "proxy_service.https_key_file",
        "a path",
        "none",
        "The key of `https_cert_file`, PEM.",
    ),
    key(
        "proxy_service.proxy_protocol",
        "`on` or `off`",
        "`off`",
        "Whether a balancer in front says where clients come from, by the PROXY protocol (version 1 or 2). With `on` every connection to both ports of the proxy has to begin with that header, and counts in limits, pins and the log for the address in it. With `off` a connection that begins with one is refused.",
    ),
    key(
        "proxy_service.trusted_balancers",
        "a list of addresses and networks such as `192.0.2.0/24`",
        "everybody",
        "With `proxy_protocol: on`: from where that header is believed. Connections from elsewhere are refused.",
    ),
    section("proxy_service.acme"),
    key(
        "proxy_service.acme.enabled",
        "`true` or `false`",
        "`false`",
        "Whether an ACME server certifies the name of `public_addr`. Not together with `https_cert_file`.",
    ),
    key(
        "proxy_service.acme.email",
        "an address of a mailbox",
        "none",
        "Where the ACME server may write to about certificates.",
    ),
    key(
        "proxy_service.acme.uri",
        "an address that begins with `https://`",
        "Let's Encrypt: `https://acme-v02.api.letsencrypt.org/directory`",
        "The directory of the ACME server. Enabling it agrees to the server's terms of service.",
    ),
    key(
        "proxy_service.acme.ca_file",
        "a path",
        "the system's authorities",
        "The authorities that vouch for the ACME server itself, PEM, where it is a private one.",
    ),
    section("proxy_service.acme.eab"),
    key(
        "proxy_service.acme.eab.key_id",
        "a text of at most 512 bytes",
        "none",
        "The id of the key that binds the account to a customer of the ACME server.",
    ),
    key(
        "proxy_service.acme.eab.hmac_key_file",
        "a path",
        "none",
        "The file that holds that key, in base64url. Refused when others may read it.",
    ),
    section("ssh_service"),
    key(
        "ssh_service.enabled",
        "`true` or `false`",
        "`true`",
        "Whether people log in to this machine through this process.",
    ),
    key(
        "ssh_service.listen_addr",
        "an IP address and a port",
        "`127.0.0.1:3022`",
        "Where the SSH service listens.",
    ),
    key(
        "ssh_service.public_addr",
        "a host name and a port",
        "none",
        "Has the proxy dial the machine where its tunnel does not lead to it. Only the port counts: it is dialled at the address that it is seen to come from, or where an operator says (`spec.dial_addr` of the node), and with another IP address here not at all. The machine of the auth service needs none: its proxy is in the same process.",
    ),
    key(
        "ssh_service.labels",
        "keys and values",
        "none",
        "The machine's labels, by which roles find it.",
    ),
];
