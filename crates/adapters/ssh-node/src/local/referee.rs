//! Answers the helper that serves files, which asks before it touches one.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::backend::FileReferee;
use crate::exec_child::question::MAXIMUM_QUESTION;
use crate::exec_child::question::decode;

/// Answers questions until the helper is gone.
pub(super) async fn answer(mut helper: UnixStream, files: Arc<dyn FileReferee>) {
    let ended = async {
        loop {
            let length = usize::try_from(helper.read_u32().await?).unwrap_or(usize::MAX);
            if length > MAXIMUM_QUESTION {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut question = vec![0; length];
            helper.read_exact(&mut question).await?;
            let access = decode(&question).ok_or(io::ErrorKind::InvalidData)?;
            let reason = files
                .may(access)
                .await
                .err()
                .map_or_else(String::new, |fault| fault.0);
            let length = u32::try_from(reason.len()).unwrap_or(0);
            // An empty answer is yes.
            helper.write_u32(length).await?;
            helper.write_all(reason.as_bytes()).await?;
        }
    };
    let result: io::Result<()> = ended.await;
    if let Err(error) = result
        && error.kind() != io::ErrorKind::UnexpectedEof
    {
        tracing::debug!(%error, "the helper that serves files asked something odd");
    }
}
