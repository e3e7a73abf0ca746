//! The flags by which a machine joins, over what the configuration says.

use config::Config;

use crate::cli::Join;
use crate::failure::Failure;

/// Puts what the command line says in the place of what the configuration says. The values are checked as if they stood in a file.
///
/// # Errors
/// When a flag cannot be used.
pub(crate) fn apply(join: Join, config: &mut Config) -> Result<(), Failure> {
    let Join {
        roles,
        proxy,
        token,
        ca_pin,
        nodename,
        labels,
    } = join;
    let Some(proxy) = proxy else {
        return if roles.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(
                "--roles is for machines that join a cluster, and --proxy names none",
                "add --proxy host:port, or choose services in a configuration",
            ))
        };
    };
    for role in &roles {
        if !JOINABLE.contains(&role.as_str()) {
            return Err(Failure::new(
                format!(
                    "no machine joins as {role}: the proxy runs beside the auth service, and there is one auth service"
                ),
                "use --roles=node; app and db are given as well, without a service in this version",
            ));
        }
    }
    // What is chosen on no command line is what the configuration has run here: the SSH service.
    let is_node = roles.is_empty() || roles.iter().any(|role| role == "node");
    let text = document(&proxy, token.as_deref(), &ca_pin, nodename.as_deref(), &labels)?;
    let named = config::load(&text, &crate::host::environment()).map_err(|error| {
        let problems: Vec<String> = error
            .problems
            .iter()
            .map(|problem| format!("  {}: {}; {}", problem.path, problem.what, problem.next))
            .collect();
        Failure::new(
            format!("the command line cannot be used:\n{}", problems.join("\n")),
            "`signetctl nodes add` prints a command that can",
        )
    })?;
    config.join = named.join.map(|mut join| {
        join.further_roles = roles.into_iter().filter(|role| role != "node").collect();
        join.further_roles.sort_unstable();
        join.further_roles.dedup();
        join
    });
    config.node_name = named.node_name.or_else(|| config.node_name.take());
    config.auth.is_enabled = false;
    config.proxy.is_enabled = false;
    config.ssh.is_enabled = is_node;
    config.ssh.labels.extend(named.ssh.labels);
    Ok(())
}

/// The system roles that a machine may join in.
const JOINABLE: [&str; 3] = ["node", "app", "db"];

/// The flags as a configuration. Values are written as JSON texts, which YAML reads as they are.
fn document(
    proxy: &str,
    token: Option<&str>,
    pins: &[String],
    name: Option<&str>,
    labels: &[String],
) -> Result<String, Failure> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!("signet:\n  proxy_server: {}\n", quoted(proxy));
    if let Some(token) = token {
        text.push_str(&format!("  join_params: {{token_name: {}}}\n", quoted(token)));
    }
    if !pins.is_empty() {
        text.push_str(&format!("  ca_pin: {}\n", serde_json::Value::from(pins.to_vec())));
    }
    if let Some(name) = name {
        text.push_str(&format!("  nodename: {}\n", quoted(name)));
    }
    text.push_str("auth_service: {enabled: false, cluster_name: none}\n");
    if !labels.is_empty() {
        text.push_str("ssh_service:\n  labels:\n");
        for label in labels {
            let (key, value) = label.split_once('=').ok_or_else(|| {
                Failure::new(
                    format!("the label {label:?} has no value"),
                    "write --labels key=value,key=value",
                )
            })?;
            text.push_str(&format!("    {}: {}\n", quoted(key), quoted(value)));
        }
    }
    Ok(text)
}
