//! Files that come and go are recorded before they are touched.

use crate::backend::BackendFault;
use crate::backend::FileReferee;
use crate::event::FileAccess;
use crate::event::FileAction;
use crate::event::FileProtocol;
use crate::event::Happening;
use crate::recorder::Recorder;

/// Records what is done to files in one session.
pub(crate) struct Referee {
    recorder: Recorder,
}

impl Referee {
    pub(crate) const fn sftp(recorder: Recorder) -> Self {
        Self { recorder }
    }
}

#[async_trait::async_trait]
impl FileReferee for Referee {
    async fn may(&self, access: FileAccess) -> Result<(), BackendFault> {
        let recorded = self.recorder.record(Happening::File(access)).await;
        recorded.map_err(|error| BackendFault(error.to_string()))
    }
}

/// What a command copies, if it is the far end of an `scp` of the old form: `scp [options] -t path` receives, `-f` sends.
pub(crate) fn scp(command: &[u8]) -> Option<FileAccess> {
    let command = String::from_utf8_lossy(command);
    let mut words = command.split_ascii_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    if program != "scp" {
        return None;
    }
    let mut action = None;
    let mut path = String::new();
    for word in words {
        match word.strip_prefix('-') {
            Some(flags) if path.is_empty() && !flags.is_empty() && !flags.starts_with('-') => {
                if flags.contains('t') {
                    action = Some(FileAction::Upload);
                } else if flags.contains('f') {
                    action = Some(FileAction::Download);
                }
            }
            Some("-") if path.is_empty() => {}
            Some(_) | None => {
                if !path.is_empty() {
                    path.push(' ');
                }
                path.push_str(word);
            }
        }
    }
    Some(FileAccess {
        protocol: FileProtocol::Scp,
        action: action?,
        path,
        target: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(command: &str) -> Option<(FileAction, String)> {
        scp(command.as_bytes()).map(|access| (access.action, access.path))
    }

    #[test]
    fn the_far_end_of_scp_is_known_by_its_flags() {
        assert_eq!(
            copied("scp -t /tmp/a"),
            Some((FileAction::Upload, "/tmp/a".to_owned()))
        );
        assert_eq!(
            copied("/usr/bin/scp -v -p -f -- a b"),
            Some((FileAction::Download, "a b".to_owned()))
        );
        assert_eq!(copied("scp -rt ."), Some((FileAction::Upload, ".".to_owned())));
        assert_eq!(copied("scp a b"), None);
        assert_eq!(copied("rscp -t a"), None);
        assert_eq!(copied(""), None);
    }
}
