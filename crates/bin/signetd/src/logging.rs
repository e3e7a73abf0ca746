//! The log of the daemon, for whoever looks after it. What happened to the authorities is in the audit log.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use config::LogConfig;
use config::LogFormat;
use config::LogOutput;
use config::LogSeverity;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::failure::Failure;

/// Begins to log as configured.
///
/// # Errors
/// When the file of the log cannot be opened.
pub(crate) fn begin(config: &LogConfig) -> Result<(), Failure> {
    let LogConfig {
        severity,
        format,
        output,
    } = config;
    let (writer, is_terminal) = match output {
        LogOutput::Stderr => (
            BoxMakeWriter::new(std::io::stderr),
            std::io::IsTerminal::is_terminal(&std::io::stderr()),
        ),
        LogOutput::Stdout => (
            BoxMakeWriter::new(std::io::stdout),
            std::io::IsTerminal::is_terminal(&std::io::stdout()),
        ),
        LogOutput::File(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o640)
                .open(path)
                .map_err(|error| {
                    Failure::of(&format!("cannot open the log {}", path.display()), &error)
                        .with_hint("make its directory, or change `signet.log.output`")
                })?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    let registry = tracing_subscriber::registry().with(filter(*severity));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(is_terminal);
    // Only a second call of this function could fail.
    let _ = match format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

/// Ours as configured. Libraries of others say at most what happens, and at `trace` how: their details may quote what they carry.
fn filter(severity: LogSeverity) -> Targets {
    let ours = match severity {
        LogSeverity::Error => Level::ERROR,
        LogSeverity::Warn => Level::WARN,
        LogSeverity::Info => Level::INFO,
        LogSeverity::Debug => Level::DEBUG,
        LogSeverity::Trace => Level::TRACE,
    };
    let others = match severity {
        LogSeverity::Error => Level::ERROR,
        LogSeverity::Warn | LogSeverity::Info | LogSeverity::Debug => Level::WARN,
        LogSeverity::Trace => Level::INFO,
    };
    let targets = Targets::new()
        .with_default(others)
        .with_targets(OURS.map(|target| (target, ours)));
    match severity {
        LogSeverity::Trace => targets,
        LogSeverity::Error | LogSeverity::Warn | LogSeverity::Info | LogSeverity::Debug => {
            // It calls every mechanism of a token that it has no name for an error; what we need of a token is probed.
            targets.with_target("cryptoki", LevelFilter::OFF)
        }
    }
}

/// The crates whose lines are ours.
const OURS: [&str; 9] = [
    "signetd",
    "api_http",
    "cluster",
    "keystore_software",
    "keystore_pkcs11",
    "keystore_aws_kms",
    "ledger_sqlite",
    "state_sqlite",
    "config",
];
