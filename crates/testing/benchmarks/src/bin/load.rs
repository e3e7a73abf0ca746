//! A load generator: asks a running signetd for certificates over its local socket, from many callers at once, for a while.
//!
//! `cargo run --release -p benchmarks --bin load -- --socket <data_dir>/signet.sock`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use api_client::Client;
use api_client::Endpoint;
use api_types::SignIdentity;
use api_types::SignRequest;
use api_types::SignSshUser;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair;
use clap::Parser;
use clap::ValueEnum;
use key::PublicKey;

/// Asks a running signetd for certificates and tells how many it issued, and how soon.
#[derive(Debug, Parser)]
struct Arguments {
    /// The local socket of the auth service.
    #[arg(long)]
    socket: PathBuf,
    /// How many ask at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    callers: u32,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// What is asked for.
    #[arg(long, value_enum, default_value = "x509")]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// X.509 certificates of a user.
    X509,
    /// SSH certificates of a user.
    Ssh,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let Arguments {
        socket,
        callers,
        seconds,
        what,
    } = arguments;
    let request = Arc::new(request(what)?);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (request, socket) = (request.clone(), socket.clone());
        tasks.push(tokio::spawn(async move {
            let client = Client::new(Endpoint::socket(socket));
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let begun = Instant::now();
                client.sign(&request).await.map_err(|error| error.to_string())?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, String>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.map_err(|error| error.to_string())??);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len().saturating_sub(1)) as f64 * share;
        latencies.get(index as usize).copied().unwrap_or_default()
    };
    let rate = latencies.len() as f64 / seconds as f64;
    println!(
        "{} certificates in {seconds} s from {callers} callers: {rate:.0}/s",
        latencies.len()
    );
    println!(
        "latency: half within {:.1?}, 99 % within {:.1?}, all within {:.1?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// The request, for a new key whose private half is forgotten at once: nobody can use what is issued.
fn request(what: What) -> Result<SignRequest, String> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|error| error.to_string())?;
    let key = PublicKey::from_ec_point(pair.public_key().as_ref()).map_err(|error| error.to_string())?;
    let user = "load".to_owned();
    Ok(match what {
        What::X509 => SignRequest::Tls(SignIdentity {
            public_key: x509::pem::encode("PUBLIC KEY", key.spki_der()),
            user,
            ..SignIdentity::default()
        }),
        What::Ssh => SignRequest::OpensshUser(SignSshUser {
            public_key: ssh_cert::public_key_line(&key, "load").map_err(|error| error.to_string())?,
            user,
            ..SignSshUser::default()
        }),
    })
}
