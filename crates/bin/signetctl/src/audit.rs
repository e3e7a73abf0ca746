mod render;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use api_client::Client;
use api_client::ClientError;
use api_types::AcceptRestoreRequest;
use api_types::EventPage;
use api_types::EventParameters;
use clap::Args;
use clap::Subcommand;
use names::Ttl;
use names::UnixSeconds;
use serde_json::Value;

use crate::connection::ConnectionArgs;
use crate::console::Gravity;
use crate::console::confirm;
use crate::failure::Failure;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::emit;
use crate::report::facts;

/// The audit log: search it, follow it, check that nobody changed it
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    Search(SearchArgs),
    Types(TypesArgs),
    Tail(TailArgs),
    Verify(VerifyArgs),
    AcceptRestore(AcceptRestoreArgs),
    Export(ExportArgs),
}

/// Which events.
#[derive(Debug, Clone, Args)]
struct FilterArgs {
    /// Only events of this type or code, such as session.start; may be given more than once
    #[arg(
        long = "type",
        visible_alias = "kind",
        value_name = "NAME|CODE,…",
        value_delimiter = ','
    )]
    kinds: Vec<String>,
    /// Only those by this user
    #[arg(long)]
    user: Option<String>,
}

/// When they happened.
#[derive(Debug, Clone, Args)]
struct SpanArgs {
    /// Only those at or after this moment
    #[arg(long, value_name = "TIME|AGO")]
    since: Option<String>,
    /// Only those before this moment
    #[arg(long, value_name = "TIME|AGO")]
    until: Option<String>,
}

/// Search events
///
/// --since and --until take a moment (2026-03-01T12:00:00Z) or how long ago it was (24h). `signetctl audit types` lists
/// the types of events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit search --user=alice --since=24h --type=session.start \\
    --format json
  signetctl audit search --type=user.login,user.login.lockout --since=7d \\
    --until=1d
  signetctl audit search --type=authority.rotation.phase --newest-first \\
    --limit=5
  signetctl audit search --user=alice --format json | jq '.[].code'")]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    span: SpanArgs,
    /// The most to list
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Newest first rather than oldest first
    #[arg(long)]
    newest_first: bool,
    #[command(flatten)]
    output: FormatArgs,
}

/// List the types of events, with their codes and what they tell
///
/// Those that this version knows; nobody is asked. A code ends in I for information, W for a warning, E for an error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit types
  signetctl audit types session
  signetctl audit types --format json | jq -r '.[].name'")]
pub(crate) struct TypesArgs {
    /// Only those with this in their name or code
    #[arg(value_name = "WORD")]
    word: Option<String>,
    #[command(flatten)]
    output: FormatArgs,
}

/// Show the last events, and with --follow those to come
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit tail
  signetctl audit tail -f --type=session.start,session.end
  signetctl audit tail -n 1000 --format json | jq -c '.user'")]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many of the last events
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    lines: u16,
    /// Go on with those to come
    #[arg(long, short)]
    follow: bool,
    /// The form of the output; json writes one event per line
    #[arg(long, value_enum, default_value = "text")]
    format: TailFormat,
}

/// The form of a followed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TailFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Check that no event was changed, removed, inserted, moved or cut off
///
/// The exit code is 1 when the log is not as it was written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit verify
  signetctl audit verify --format json | jq -e .ok")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Accept that the log was restored from a backup, and go on from there
///
/// After the ledger was restored from an older backup, `audit verify` and an alert say that the log is not whole. Whoever
/// restored it on purpose says so here, on the auth server's own host, and why: an entry of the log keeps who, why, and
/// which entries are lost, and every later `audit verify` shows it. Copies of the lost entries in the log's files are put
/// into a folder beside them and never deleted.
///
/// A log that was changed in any other way is refused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit verify
  signetctl audit accept-restore --reason='disk replaced, backup of Monday'")]
pub(crate) struct AcceptRestoreArgs {
    /// Why, for the audit log
    #[arg(long)]
    reason: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    output: FormatArgs,
}

/// Write events, one JSON object per line
///
/// All of them, or those that --type, --user, --since and --until pick; the times are written as for `audit search`.
///
/// Fields may stand in another order than in the log itself, whose lines are under the server's data directory and are
/// the ones that carry its chain of hashes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl audit export --out events.jsonl
  signetctl audit export --since=2026-03-01T00:00:00Z \\
    --until=2026-04-01T00:00:00Z --out march.jsonl
  signetctl audit export --type=cert.create | gzip > issued.jsonl.gz")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    span: SpanArgs,
    /// Write to this file, rather than to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file when it is there
    #[arg(long, requires = "out")]
    overwrite: bool,
}

impl AuditCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        match self {
            Self::Search(arguments) => arguments.run(connection, now).await,
            Self::Types(arguments) => arguments.run(),
            Self::Tail(arguments) => arguments.run(&connection.client()?).await,
            Self::Verify(VerifyArgs { output }) => {
                let verdict = connection.client()?.verify_audit().await?;
                Ok(facts(&verdict, output.format, |_| render::verdict(&verdict))?.and_good(verdict.ok))
            }
            Self::AcceptRestore(arguments) => arguments.run(connection).await,
            Self::Export(arguments) => arguments.run(connection, now).await,
        }
    }
}

impl AcceptRestoreArgs {
    async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let what = "The entries that were written after the backup are given up: the log goes on without them, and says so.";
        confirm(what, Gravity::Grave, self.yes)?;
        let request = AcceptRestoreRequest {
            reason: self.reason.clone(),
        };
        let verdict = connection.client()?.accept_restore(&request).await?;
        Ok(facts(&verdict, self.output.format, |_| render::accepted(&verdict))?.and_good(verdict.ok))
    }
}

impl FilterArgs {
    fn parameters(&self) -> EventParameters {
        EventParameters {
            kinds: (!self.kinds.is_empty()).then(|| self.kinds.join(",")),
            user: self.user.clone(),
            ..EventParameters::default()
        }
    }
}

impl SpanArgs {
    /// The same parameters for this span.
    fn within(&self, parameters: EventParameters, now: UnixSeconds) -> Result<EventParameters, Failure> {
        let moment = |text: &Option<String>| text.as_deref().map(|text| parse_moment(text, now)).transpose();
        Ok(EventParameters {
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            ..parameters
        })
    }
}

/// A type of event.
#[derive(Debug, serde::Serialize)]
struct EventType {
    name: &'static str,
    codes: &'static [&'static str],
    meaning: &'static str,
}

impl TypesArgs {
    fn run(&self) -> Result<Report, Failure> {
        let types = self.types();
        if types.is_empty() {
            let word = self.word.as_deref().unwrap_or_default();
            return Err(
                Failure::failed(format!("no type of event has {word:?} in its name or code"))
                    .with_hint("`signetctl audit types` lists all"),
            );
        }
        facts(&types, self.output.format, |_| {
            let rows = types.iter().map(|known| {
                [
                    known.name.to_owned(),
                    known.codes.join(" "),
                    known.meaning.to_owned(),
                ]
            });
            terminal::table(["type", "codes", "what it tells"], rows)
        })
    }

    fn types(&self) -> Vec<EventType> {
        let word = self.word.as_deref().unwrap_or_default().to_ascii_lowercase();
        let has_word = |text: &str| text.to_ascii_lowercase().contains(&word);
        audit::CATALOGUE
            .iter()
            .filter(|known| has_word(known.name) || known.codes.iter().any(|code| has_word(code)))
            .map(|known| EventType {
                name: known.name,
                codes: known.codes,
                meaning: known.meaning,
            })
            .collect()
    }
}

impl SearchArgs {
    async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        let parameters = EventParameters {
            limit: Some(usize::from(self.limit)),
            newest_first: self.newest_first,
            ..self.span.within(self.filter.parameters(), now)?
        };
        let EventPage { events, next } = connection.client()?.events(&parameters).await.map_err(asked)?;
        facts(&events, self.output.format, |is_wide| {
            render::search(&events, next.is_some(), is_wide)
        })
    }
}

/// What the server says of a parameter, by the name that it has here.
fn asked(error: ClientError) -> Failure {
    let failure = Failure::from(error);
    let by_option = failure
        .message()
        .strip_prefix("kinds: ")
        .map(|rest| format!("--type: {rest}"));
    match by_option {
        Some(message) => failure.with_message(message),
        None => failure,
    }
}

/// A moment, or how long before now it was, as RFC 3339.
fn parse_moment(text: &str, now: UnixSeconds) -> Result<String, Failure> {
    let ago = text.parse::<Ttl>().map(|ago| now.minus(ago));
    let moment = ago.or_else(|_| text.parse::<UnixSeconds>()).map_err(|_| {
        Failure::usage(
            format!("{text:?} is neither a moment nor a length of time"),
            "write a moment such as 2026-03-01T12:00:00Z, or how long ago, such as 24h or 7d",
        )
    })?;
    Ok(moment.to_string())
}

impl TailArgs {
    async fn run(&self, client: &Client) -> Result<Report, Failure> {
        let last = EventParameters {
            limit: Some(usize::from(self.lines)),
            newest_first: true,
            ..self.filter.parameters()
        };
        let mut events = client.events(&last).await.map_err(asked)?.events;
        events.reverse();
        let text = self.lines_of(&events);
        if !self.follow {
            return Ok(Report::good(text));
        }
        emit(text.as_bytes())?;
        // With a filter, or an empty log, the last event shown is not the last there is; the next page starts after it
        // nevertheless.
        let mut after = render::sequence(events.last());
        loop {
            let parameters = EventParameters {
                after: Some(after),
                limit: Some(PAGE),
                ..self.filter.parameters()
            };
            let page = client.events(&parameters).await.map_err(asked)?;
            after = after.max(render::sequence(page.events.last()));
            emit(self.lines_of(&page.events).as_bytes())?;
            if page.next.is_none() {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    fn lines_of(&self, events: &[Value]) -> String {
        match self.format {
            TailFormat::Text => events.iter().map(render::line).collect(),
            TailFormat::Json => events.iter().map(|event| format!("{event}\n")).collect(),
        }
    }
}

impl ExportArgs {
    async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        let wanted = self.span.within(self.filter.parameters(), now)?;
        let client = &connection.client()?;
        let Some(path) = &self.out else {
            let count = pages(client, &wanted, |lines| emit(lines.as_bytes())).await?;
            eprint_count(count);
            return Ok(Report::good(""));
        };
        crate::files::refuse_existing_paths(&[path], self.overwrite)?;
        let cannot =
            |error: std::io::Error| Failure::local(&format!("cannot write {}", path.display()), &error);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .prefix(".signetctl-")
            .tempfile_in(directory.unwrap_or_else(|| std::path::Path::new(".")))
            .map_err(cannot)?;
        let count = pages(client, &wanted, |lines| {
            file.write_all(lines.as_bytes()).map_err(cannot)
        })
        .await?;
        file.as_file().sync_all().map_err(cannot)?;
        let placed = if self.overwrite {
            file.persist(path)
        } else {
            file.persist_noclobber(path)
        };
        placed.map_err(|error| cannot(error.error))?;
        Ok(Report::good(format!(
            "wrote {count} events to {}\n",
            path.display()
        )))
    }
}

/// Every page of what is wanted, oldest first; returns how many events there were.
async fn pages(
    client: &Client,
    wanted: &EventParameters,
    mut write: impl FnMut(String) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut after = 0;
    let mut count = 0;
    loop {
        let parameters = EventParameters {
            after: Some(after),
            limit: Some(PAGE),
            ..wanted.clone()
        };
        let page = client.events(&parameters).await.map_err(asked)?;
        count += page.events.len();
        write(page.events.iter().map(|event| format!("{event}\n")).collect())?;
        match page.next {
            Some(next) if next > after => after = next,
            Some(_) | None => return Ok(count),
        }
    }
}

/// Beside the events, not among them.
fn eprint_count(count: usize) {
    // Standard error may be closed; the events were written all the same.
    let _ = writeln!(std::io::stderr(), "{count} events");
}

/// How many events are asked for at once.
const PAGE: usize = 1_000;
/// How often a followed log is asked for more.
const POLL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_by_the_flag_that_the_refusal_names() {
        #[derive(clap::Parser)]
        struct Outer {
            #[command(flatten)]
            export: ExportArgs,
        }
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("day.jsonl");
        std::fs::write(&file, "before").unwrap();
        let refused = crate::files::refuse_existing_paths(&[&file], false).unwrap_err();
        assert!(format!("{refused:?}").contains("--overwrite"), "{refused:?}");
        let words = ["export", "--out", "day.jsonl", "--overwrite"];
        let outer = <Outer as clap::Parser>::try_parse_from(words).unwrap();
        assert!(outer.export.overwrite);
    }

    #[test]
    fn moments_are_absolute_or_ago() {
        let now: UnixSeconds = "2026-03-02T12:00:00Z".parse().unwrap();
        assert_eq!(parse_moment("24h", now).unwrap(), "2026-03-01T12:00:00Z");
        assert_eq!(
            parse_moment("2026-01-01T00:00:00Z", now).unwrap(),
            "2026-01-01T00:00:00Z"
        );
        assert!(parse_moment("yesterday", now).is_err());
    }

    #[test]
    fn types_are_found_by_name_and_by_code() {
        let named = |word: Option<&str>| {
            let arguments = TypesArgs {
                word: word.map(str::to_owned),
                output: FormatArgs {
                    format: crate::report::Format::Text,
                },
            };
            (arguments.run().map(|report| report.text()), arguments.types())
        };
        let (all, types) = named(None);
        assert_eq!(types.len(), audit::CATALOGUE.len());
        assert!(all.unwrap().starts_with("type "));
        let (_, sessions) = named(Some("Session."));
        assert!(sessions.iter().all(|known| known.name.contains("session.")));
        let code = sessions
            .iter()
            .find(|known| known.name == "session.start")
            .unwrap()
            .codes[0];
        assert!(
            named(Some(code))
                .1
                .iter()
                .any(|known| known.name == "session.start")
        );
        assert!(named(Some("nope")).0.is_err());
    }

    #[test]
    fn what_is_said_of_a_type_names_the_option() {
        let refused = |message: &str| {
            asked(ClientError::Refused {
                status: 400,
                code: "malformed".to_owned(),
                message: message.to_owned(),
                hint: None,
                request_id: "r".to_owned(),
                retry_after: None,
            })
        };
        assert_eq!(refused("kinds: \"x\" is none").message(), "--type: \"x\" is none");
        assert_eq!(refused("since: no").message(), "since: no");
    }
}
