use std::io;

use clap::Args;
use clap::Subcommand;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::path;
use crate::report::Report;
use crate::session::SessionArgs;
use crate::target::Target;

/// What other programs go through the proxy with
#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    Ssh(ProxySshArgs),
}

/// Connect standard input and output with a server: OpenSSH's `ProxyCommand`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet proxy ssh root@web-1:3022
  signet config --proxy=proxy.example.com:3080")]
pub(crate) struct ProxySshArgs {
    /// The server; the login is the server's to check
    #[arg(value_name = "[LOGIN@]NODE:PORT", value_parser = Target::parse_with_port)]
    target: Target,
    /// The cluster: fails when the proxy's is another
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

impl ProxyCommand {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let Self::Ssh(ProxySshArgs { target, cluster }) = self;
        let session = arguments.session(environment).await?;
        if let Some(cluster) = cluster
            && *cluster != session.cluster.name
        {
            return Err(Failure::usage(
                format!(
                    "the cluster at {} is {}",
                    session.cluster.proxy, session.cluster.name
                ),
                "name the proxy of the other one with --proxy",
            ));
        }
        let jump = path::to_proxy(&session, environment).await?;
        let stream = jump.open(target).await?;
        let (mut from_node, mut to_node) = tokio::io::split(stream);
        let up = tokio::spawn(async move {
            let _ = copy(&mut tokio::io::stdin(), &mut to_node).await;
            // The other program has no more to say; the server may.
            let _ = to_node.shutdown().await;
        });
        // An error means that either end is gone, which is how these connections end.
        let _ = copy(&mut from_node, &mut tokio::io::stdout()).await;
        up.abort();
        Ok(Report::exit(0))
    }
}

/// Passes on what there is at once: a packet waits for nothing.
async fn copy<R, W>(from: &mut R, to: &mut W) -> io::Result<()>
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut buffer = bytes::BytesMut::with_capacity(CHUNK);
    loop {
        buffer.clear();
        buffer.reserve(CHUNK);
        if from.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
    }
}

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
