mod download;
mod names;
mod progress;
mod sftp;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::path;
use crate::path::Incoming;
use crate::path::Node;
use crate::report::Report;
use crate::session::SessionArgs;
use crate::session_mfa::CodeArgs;
use crate::session_mfa::SecondFactor;
use crate::target::Target;
use names::Place;
use progress::Progress;
use sftp::Sftp;

/// Copy files to or from a server
///
/// A place on a server is `[LOGIN@]NODE:PATH`; a path that does not begin with / is relative to the home directory there. In the last part of a
/// path to copy from, * and ? stand for any characters and for one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet scp report.pdf root@web-1:/tmp/
  signet scp -r -p root@web-1:/etc/nginx ./nginx
  signet scp 'root@web-1:/var/log/*.log' logs/")]
pub(crate) struct ScpArgs {
    /// Directories, too, with everything in them
    #[arg(short = 'r')]
    recursive: bool,
    /// Keep times and permissions
    #[arg(short = 'p')]
    preserve: bool,
    /// Show no progress
    #[arg(short = 'q')]
    quiet: bool,
    /// Taken as scp takes it, and not needed: the proxy knows each server's port, and leads to that one
    #[arg(short = 'P', value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    code: CodeArgs,
    /// What to copy, and last where to
    #[arg(value_name = "PATH", required = true, num_args = 2.., value_parser = Place::parse)]
    places: Vec<Place>,
}

/// How things are copied.
#[derive(Debug, Clone, Copy)]
struct Manner {
    recursive: bool,
    preserve: bool,
}

/// A copy that goes on: where its progress is shown, and whether everything went well so far.
struct Copy {
    /// The server, as the user writes it.
    node: String,
    manner: Manner,
    progress: Progress,
    is_good: bool,
}

impl Copy {
    /// A place on the server, as the user would write it.
    fn there(&self, path: &[u8]) -> String {
        format!("{}:{}", self.node, names::shown(path))
    }

    /// Says that something could not be copied; the rest goes on.
    fn fail(&mut self, what: &str) {
        self.progress.clear();
        console::say(&terminal::visible(&format!("signet: {what}")));
        self.is_good = false;
    }
}

/// What is copied where.
enum Direction {
    Up(Vec<PathBuf>, Vec<u8>),
    Down(Vec<Vec<u8>>, PathBuf),
}

impl ScpArgs {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let (mut target, direction) = self.direction()?;
        let session = arguments.session(environment).await?;
        target.port = self.port;
        let login = target.login(&session, environment.local_user.as_deref())?;
        let jump = path::to_proxy(&session, environment).await?;
        let second_factor = SecondFactor {
            session: &session,
            code: &self.code,
            environment,
        };
        let node = jump
            .connect(&target, &login, Incoming::default(), &second_factor)
            .await?;
        let sftp = Sftp::open(&node, &target.node).await?;
        let mut copy = Copy {
            node: target.node.clone(),
            manner: Manner {
                recursive: self.recursive,
                preserve: self.preserve,
            },
            progress: Progress::new(!self.quiet),
            is_good: true,
        };
        match direction {
            Direction::Up(sources, to) => upload::copy(&sftp, &sources, &to, &mut copy).await?,
            Direction::Down(sources, to) => download::copy(&sftp, &sources, &to, &mut copy).await?,
        }
        drop(sftp);
        Node::leave(Arc::new(node)).await;
        Ok(Report::exit(u8::from(!copy.is_good)))
    }

    /// Which server, and which way.
    fn direction(&self) -> Result<(Target, Direction), Failure> {
        let (to, sources) = self
            .places
            .split_last()
            .ok_or_else(|| Failure::usage("nothing is to be copied", "say what to copy, and where to"))?;
        match to {
            Place::There(target, path) => {
                let local = |place: &Place| match place {
                    Place::Here(path) => Ok(path.clone()),
                    Place::There(..) => Err(Failure::usage(
                        "files are not copied from one server to another",
                        "copy them here first, or run scp on one of the servers: signet ssh -A",
                    )),
                };
                let sources: Result<Vec<_>, _> = sources.iter().map(local).collect();
                Ok((target.clone(), Direction::Up(sources?, path.clone())))
            }
            Place::Here(to) => {
                let mut found: Option<Target> = None;
                let mut paths = Vec::new();
                for place in sources {
                    match place {
                        Place::There(target, path) if found.as_ref().is_none_or(|found| found == target) => {
                            found = Some(target.clone());
                            paths.push(path.clone());
                        }
                        Place::There(..) => {
                            return Err(Failure::usage(
                                "everything has to come from one server and account",
                                "copy from each of them on its own",
                            ));
                        }
                        Place::Here(path) => {
                            return Err(Failure::usage(
                                format!("{} is here already", path.display()),
                                "a place on a server is [LOGIN@]NODE:PATH; to copy here, use cp",
                            ));
                        }
                    }
                }
                let target = found.ok_or_else(|| {
                    Failure::usage("nothing is to be copied", "say what to copy, and where to")
                })?;
                Ok((target, Direction::Down(paths, to.clone())))
            }
        }
    }
}
