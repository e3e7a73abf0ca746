use std::fmt::Write;
use std::path::Path;

use clap::Args;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::home::Place;
use crate::report::Report;
use crate::session::SessionArgs;

/// Print a block for OpenSSH's configuration
///
/// With it `ssh`, `scp`, `sftp`, `rsync` and whatever runs them reach `NODE.CLUSTER` through the proxy, with the certificates of the latest
/// log-in. It stays as it is over log-ins: once is enough. Written to a file of its own that ~/.ssh/config includes (`Include signet_config`),
/// it can be written again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet config >> ~/.ssh/config
  signet config > ~/.ssh/signet_config
  signet config > ./ssh_config && ssh -F ./ssh_config root@web-1.example.com
  signet config --jump=proxy.example.com:3023")]
pub(crate) struct ConfigArgs {
    /// Go by the proxy's SSH port with OpenSSH alone, instead of by this program
    #[arg(long, value_name = "HOST:PORT")]
    jump: Option<String>,
    /// Have OpenSSH ask for your second factor before sessions that need one
    #[arg(long, conflicts_with = "jump")]
    mfa: bool,
}

/// What a server proves itself by: certificates, never bare keys.
const HOST_KEYS: &str = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,\
     ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,\
     rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com";

impl ConfigArgs {
    pub(crate) fn run(&self, arguments: &SessionArgs, environment: &Environment) -> Result<Report, Failure> {
        let proxy = arguments.proxy(environment)?.ok_or_else(Failure::not_logged_in)?;
        let profile = environment
            .home
            .profile(&proxy)?
            .ok_or_else(Failure::not_logged_in)?;
        let place = environment.home.place(&proxy);
        let way = match &self.jump {
            Some(address) => Way::Jump(split(address)?),
            None if self.mfa => Way::Asking(&environment.program),
            None => Way::Program(&environment.program),
        };
        Ok(Report::good(block(
            &profile.proxy,
            &profile.cluster,
            &place,
            &way,
        )?))
    }
}

/// By what the proxy is reached.
enum Way<'a> {
    /// By this program.
    Program(&'a Path),
    /// By this program, which asks for second factors before.
    Asking(&'a Path),
    /// By OpenSSH, at this host and port.
    Jump((&'a str, u16)),
}

fn split(address: &str) -> Result<(&str, u16), Failure> {
    let found = address.rsplit_once(':').and_then(|(host, port)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse::<u16>().ok()?;
        (!host.is_empty()).then_some((host, port))
    });
    found.ok_or_else(|| {
        Failure::usage(
            format!("{address:?} is no address"),
            "write HOST:PORT, such as proxy.example.com:3023",
        )
    })
}

fn block(proxy: &str, cluster: &str, place: &Place, way: &Way<'_>) -> Result<String, Failure> {
    let identity = [
        ("UserKnownHostsFile", quoted(&place.known_hosts())?),
        ("GlobalKnownHostsFile", "/dev/null".to_owned()),
        ("IdentityFile", quoted(&place.ssh_key())?),
        ("CertificateFile", quoted(&place.ssh_certificate())?),
        ("IdentitiesOnly", "yes".to_owned()),
        ("StrictHostKeyChecking", "yes".to_owned()),
        ("HostKeyAlgorithms", HOST_KEYS.to_owned()),
    ];
    let mut text = format!("# Signet: {cluster} through {proxy}\n");
    // What OpenSSH has to read first: of what it may show, it shows that first.
    let mut before = String::new();
    let mut section = |heading: &str, lines: &[(&str, String)]| {
        let _ = writeln!(text, "{heading}");
        for (name, value) in lines.iter().chain(&identity) {
            let _ = writeln!(text, "    {name} {value}");
        }
    };
    // A name with a single quote in it would end the quotes around it in a command.
    let matching = format!("Match host \"*.{cluster},!*'*\" user \"*,!*'*\"");
    match way {
        Way::Asking(program) => {
            let command = format!("{} proxy ssh --mfa --proxy={proxy} '%r@%h:%p'", quoted(program)?);
            let own = plain(&place.session_key())?.replace("%%r@%%h", "%r@%h");
            // The shell takes single quotes off; OpenSSH knows no escapes between double ones. What a name expands to has them as well: some
            // versions of OpenSSH let the shell see whatever somebody was made to connect to.
            let ask = format!(
                "'{}' mfa session --if-needed --proxy={proxy} --out='{own}' '%r@%h'",
                plain(program)?
            );
            before = format!(
                "{matching} exec \"{ask}\"\n    IdentityFile \"{own}\"\n    CertificateFile \"{own}-cert.pub\"\n"
            );
            section(
                &matching,
                &[("Port", NODE_PORT.to_string()), ("ProxyCommand", command)],
            );
        }
        Way::Program(program) => {
            let command = format!("{} proxy ssh --proxy={proxy} '%r@%h:%p'", quoted(program)?);
            section(
                &matching,
                &[("Port", NODE_PORT.to_string()), ("ProxyCommand", command)],
            );
        }
        Way::Jump((host, port)) => {
            let alias = format!("signet-proxy-{cluster}");
            section(
                &format!("Host {alias}"),
                &[
                    ("HostName", (*host).to_owned()),
                    ("Port", port.to_string()),
                    ("HostKeyAlias", (*host).to_owned()),
                ],
            );
            section(
                &format!("Host *.{cluster} \"!*'*\""),
                &[("Port", NODE_PORT.to_string()), ("ProxyJump", alias.clone())],
            );
        }
    }
    Ok(before + &text)
}

/// The port of servers.
pub(crate) const NODE_PORT: u16 = 3022;

/// A path as OpenSSH's configuration has it. `%` begins an expansion there.
fn quoted(path: &Path) -> Result<String, Failure> {
    Ok(format!("\"{}\"", plain(path)?))
}

/// The same without quotes around it, for places that have some.
fn plain(path: &Path) -> Result<String, Failure> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['"', '\'', '\n', '\\', '$', '`']));
    text.map(|text| text.replace('%', "%%")).ok_or_else(|| {
        Failure::failed(format!(
            "{} cannot stand in OpenSSH's configuration",
            path.display()
        ))
        .with_hint("set SIGNET_HOME to a directory without quotes, dollar signs and backslashes in its name")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    #[test]
    fn the_block_has_everything_that_ssh_needs() {
        let place = Home::new("/home/alice/.signet".into()).place("p.example.com:3080");
        let text = block(
            "p.example.com:3080",
            "example.com",
            &place,
            &Way::Program(Path::new("/usr/bin/signet")),
        )
        .unwrap();
        for line in [
            "Match host \"*.example.com,!*'*\" user \"*,!*'*\"",
            "    ProxyCommand \"/usr/bin/signet\" proxy ssh --proxy=p.example.com:3080 '%r@%h:%p'",
            "    UserKnownHostsFile \"/home/alice/.signet/proxies/p.example.com_3080/known_hosts\"",
            "    IdentitiesOnly yes",
            "    Port 3022",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        let text = block(
            "p.example.com:3080",
            "example.com",
            &place,
            &Way::Asking(Path::new("/usr/bin/signet")),
        )
        .unwrap();
        let own = "/home/alice/.signet/proxies/p.example.com_3080/session-%r@%h";
        let before = format!(
            "Match host \"*.example.com,!*'*\" user \"*,!*'*\" exec \"'/usr/bin/signet' mfa session --if-needed --proxy=p.example.com:3080 --out='{own}' '%r@%h'\"\n\
             \x20   IdentityFile \"{own}\"\n    CertificateFile \"{own}-cert.pub\"\n"
        );
        assert!(text.starts_with(&before), "{text}");
        assert!(
            text.contains(" proxy ssh --mfa --proxy=p.example.com:3080 '%r@%h:%p'\n"),
            "{text}"
        );
        assert!(
            text.contains("\nMatch host \"*.example.com,!*'*\" user \"*,!*'*\"\n    Port 3022\n"),
            "{text}"
        );
        let text = block(
            "p.example.com:3080",
            "example.com",
            &place,
            &Way::Jump(split("p.example.com:3023").unwrap()),
        )
        .unwrap();
        assert!(
            text.contains("    ProxyJump signet-proxy-example.com\n"),
            "{text}"
        );
        assert!(
            text.contains("    HostName p.example.com\n    Port 3023\n"),
            "{text}"
        );
        assert!(quoted(Path::new("/a\"b")).is_err());
        assert_eq!(quoted(Path::new("/a%b c")).unwrap(), "\"/a%%b c\"");
        assert!(split("p").is_err());
    }
}
