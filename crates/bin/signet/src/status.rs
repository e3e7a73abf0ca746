use std::collections::BTreeMap;

use clap::Args;
use names::UnixSeconds;
use serde::Serialize;
use ssh_cert::Certificate;
use ssh_cert::OwnFact;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::home::Login;
use crate::home::Profile;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use crate::session::SessionArgs;
use crate::session::remaining;
use terminal::joined;
use terminal::listing;

/// Show who is logged in, where, and until when
///
/// Asks no server. Exits with 1 when nobody is logged in or the certificates have ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet status
  signet status --format json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Who is logged in.
#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    active: Entry,
    /// Log-ins at other proxies.
    others: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    proxy: String,
    cluster: String,
    user: Option<String>,
    roles: Vec<String>,
    logins: Vec<String>,
    valid_until: Option<UnixSeconds>,
    is_valid: bool,
    /// Whether the certificates are of a key that the user authority signs with no longer: they end with its rotation.
    is_outgoing: bool,
    /// What the SSH certificate says besides; nothing where it cannot be read.
    certificate: Option<Carried>,
}

/// What an SSH certificate says besides whose it is.
#[derive(Debug, Serialize)]
struct Carried {
    /// The addresses it is good from; from anywhere when there are none.
    source_addresses: Vec<String>,
    /// What may be done in sessions, and what roles add.
    extensions: Vec<String>,
    traits: BTreeMap<String, Vec<String>>,
    /// The id of the second factor that was given for it.
    second_factor: Option<String>,
}

impl Carried {
    /// What a stored certificate says.
    fn of(line: &str) -> Option<Self> {
        let certificate = Certificate::from_line(line.trim()).ok()?;
        let extensions = certificate.extensions();
        let own = OwnFact::ALL.map(OwnFact::name);
        let custom = extensions.custom.keys().filter(|name| !own.contains(name));
        let permits = extensions.permits.iter().map(|permit| permit.as_str().to_owned());
        let traits = certificate.fact(OwnFact::Traits).unwrap_or_default();
        Some(Self {
            source_addresses: certificate
                .critical_options()
                .source_addresses
                .iter()
                .map(ToString::to_string)
                .collect(),
            extensions: permits
                .chain(custom.map(|name| name.as_str().to_owned()))
                .collect(),
            traits: serde_json::from_str(traits).unwrap_or_default(),
            second_factor: certificate.fact(OwnFact::MfaVerified).map(ToOwned::to_owned),
        })
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let Self {
            source_addresses,
            extensions,
            traits,
            second_factor,
        } = self;
        let mut rows = Vec::new();
        if !source_addresses.is_empty() {
            rows.push(("Good from", joined(source_addresses)));
        }
        rows.push(("Extensions", joined(extensions)));
        if !traits.is_empty() {
            let traits = traits
                .iter()
                .map(|(name, values)| format!("{name}: {}", joined(values)));
            rows.push(("Traits", traits.collect::<Vec<_>>().join("\n")));
        }
        rows.extend(second_factor.clone().map(|id| ("Second factor", id)));
        rows
    }
}

impl Entry {
    fn new(profile: Profile, certificate: Option<&str>, now: UnixSeconds) -> Self {
        let Profile {
            proxy,
            cluster,
            login,
            tls_in_front: _,
        } = profile;
        let is_valid = login.as_ref().is_some_and(|login| now < login.not_after);
        let is_outgoing = login.as_ref().is_some_and(|login| login.is_outgoing);
        let (user, roles, logins, valid_until) = match login {
            Some(Login {
                user,
                roles,
                logins,
                not_after,
                is_outgoing: _,
                is_by_browser: _,
            }) => (Some(user), roles, logins, Some(not_after)),
            None => (None, Vec::new(), Vec::new(), None),
        };
        Self {
            proxy,
            cluster,
            user,
            roles,
            logins,
            valid_until,
            is_valid,
            is_outgoing,
            certificate: certificate.and_then(Carried::of),
        }
    }
}

impl StatusArgs {
    pub(crate) fn run(&self, arguments: &SessionArgs, environment: &Environment) -> Result<Report, Failure> {
        let now = environment.now;
        let profile = arguments
            .profile(environment)?
            .ok_or_else(Failure::not_logged_in)?;
        let certificate = arguments.certificate(&profile, environment)?;
        let is_other = |other: &Profile| {
            other.proxy != profile.proxy && other.login.is_some() && arguments.identity.is_none()
        };
        let others = environment.home.profiles()?.into_iter().filter(is_other);
        let others = others.map(|other| Entry::new(other, None, now)).collect();
        let status = Status {
            active: Entry::new(profile.clone(), certificate.as_deref(), now),
            others,
        };
        let is_valid = status.active.is_valid;
        Ok(facts(&status, self.output.format, || render(&status, now))?.and_good(is_valid))
    }
}

fn render(status: &Status, now: UnixSeconds) -> String {
    let Entry {
        proxy,
        cluster,
        user,
        roles,
        logins,
        valid_until,
        is_valid,
        is_outgoing,
        certificate,
    } = &status.active;
    let mut rows = vec![("Cluster", cluster.clone()), ("Proxy", proxy.clone())];
    match (user, valid_until) {
        (Some(user), Some(end)) => {
            let until = match remaining(now, *end) {
                Some(remaining) => format!("{end} ({remaining})"),
                None => format!("{end} (ended)\nlog in again: signet login --proxy={proxy} --user={user}"),
            };
            rows.extend([
                ("User", user.clone()),
                ("Roles", joined(roles)),
                ("Logins", joined(logins)),
                ("Valid until", until),
            ]);
            rows.extend(certificate.iter().flat_map(Carried::rows));
        }
        (_, _) => rows.push((
            "User",
            format!("nobody is logged in\nlog in: signet login --proxy={proxy} --user=NAME"),
        )),
    }
    if *is_valid && *is_outgoing {
        rows.push((
            "Note",
            format!(
                "the user authority is being rotated, and your certificates end with the rotation\nlog in again: signet login --proxy={proxy}"
            ),
        ));
    }
    let others: Vec<String> = status
        .others
        .iter()
        .map(|other| {
            let user = other.user.as_deref().unwrap_or("-");
            let ended = if other.is_valid { "" } else { " (ended)" };
            format!("{user} at {}{ended}", other.proxy)
        })
        .collect();
    if !others.is_empty() {
        rows.push(("Others", others.join("\n")));
    }
    listing(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(login: Option<Login>, now: i64) -> String {
        let profile = Profile {
            proxy: "p:3080".to_owned(),
            cluster: "example.com".to_owned(),
            login,
            tls_in_front: false,
        };
        let now = UnixSeconds(now);
        let status = Status {
            active: Entry::new(profile, None, now),
            others: Vec::new(),
        };
        render(&status, now)
    }

    #[test]
    fn certificates_that_ended_are_said_to_have_with_what_to_do() {
        let login = Login {
            user: "alice".to_owned(),
            roles: vec!["access".to_owned()],
            logins: vec!["root".to_owned(), "alice".to_owned()],
            not_after: UnixSeconds(1_772_366_400),
            is_outgoing: false,
            is_by_browser: false,
        };
        assert_eq!(
            status(Some(login.clone()), 1_772_362_740),
            "Cluster:     example.com\nProxy:       p:3080\nUser:        alice\nRoles:       access\n\
             Logins:      root, alice\nValid until: 2026-03-01T12:00:00Z (1 h 1 min)\n"
        );
        assert!(status(Some(login), 1_772_366_400).ends_with(
            "2026-03-01T12:00:00Z (ended)\n             log in again: signet login --proxy=p:3080 --user=alice\n"
        ));
        assert!(status(None, 0).contains("nobody is logged in"));
    }
}
