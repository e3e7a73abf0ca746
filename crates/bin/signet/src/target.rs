use crate::config::NODE_PORT;
use crate::failure::Failure;
use crate::session::Session;

/// A server and an account there, as somebody writes it: `[login@]node[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The account, when it is said.
    pub(crate) login: Option<String>,
    /// The server: its name, its id, or its name with the cluster's.
    pub(crate) node: String,
    /// The port, when it is said.
    pub(crate) port: Option<u16>,
}

impl Target {
    /// Reads `[login@]node`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // A login may have an @ in it, a server's name has none.
        let (login, node) = match text.rsplit_once('@') {
            Some((login, node)) => (Some(login), node),
            None => (None, text),
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if node.is_empty() || node.starts_with('-') || node.len() > 255 || !node.chars().all(is_allowed) {
            return Err(format!(
                "{node:?} is no name of a server: names have letters, digits, dots, hyphens and underscores"
            ));
        }
        if login.is_some_and(|login| login.is_empty() || login.starts_with('-')) {
            return Err("the account before the @ is missing".to_owned());
        }
        Ok(Self {
            login: login.map(ToOwned::to_owned),
            // Names of hosts have no case (RFC 4343), and certificates are for names in lower case.
            node: node.to_ascii_lowercase(),
            port: None,
        })
    }

    /// Reads `[login@]node:port`.
    pub(crate) fn parse_with_port(text: &str) -> Result<Self, String> {
        let (rest, port) = text
            .rsplit_once(':')
            .ok_or_else(|| "write [LOGIN@]NODE:PORT".to_owned())?;
        let port = port.parse::<u16>().ok().filter(|port| *port != 0);
        Ok(Self {
            port: Some(port.ok_or_else(|| "the port is 1 to 65535".to_owned())?),
            ..Self::parse(rest)?
        })
    }

    /// The port to ask the proxy for.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(NODE_PORT)
    }

    /// The account: the one that is said, or the one that can be meant.
    pub(crate) fn login(&self, session: &Session, local_user: Option<&str>) -> Result<String, Failure> {
        if let Some(login) = &self.login {
            return Ok(login.clone());
        }
        let logins = &session.login.logins;
        let has = |name: &str| logins.iter().any(|login| login == name);
        match (logins.as_slice(), local_user) {
            ([only], _) => Ok(only.clone()),
            (_, Some(local)) if has(local) => Ok(local.to_owned()),
            (_, _) if has(&session.login.user) => Ok(session.login.user.clone()),
            (_, _) => Err(Failure::usage(
                format!("it is not said as which account to log in on {}", self.node),
                format!(
                    "say LOGIN@{}; your logins: {}",
                    self.node,
                    terminal::joined(logins)
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let target = |login: Option<&str>, node: &str, port| Target {
            login: login.map(ToOwned::to_owned),
            node: node.to_owned(),
            port,
        };
        assert_eq!(Target::parse("web-1"), Ok(target(None, "web-1", None)));
        assert_eq!(
            Target::parse("a@b@web-1.example.com"),
            Ok(target(Some("a@b"), "web-1.example.com", None))
        );
        assert_eq!(
            Target::parse_with_port("root@web-1:22"),
            Ok(target(Some("root"), "web-1", Some(22)))
        );
        for bad in [
            "",
            "@web",
            "root@",
            "-oProxyCommand=x",
            "root@-x",
            "a b",
            "web:22",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
        for bad in ["web", "web:0", "web:x", ":22"] {
            assert!(Target::parse_with_port(bad).is_err(), "{bad}");
        }
    }
}
