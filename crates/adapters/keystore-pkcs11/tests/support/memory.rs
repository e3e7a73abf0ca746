//! Tokens in memory.

use std::path::Path;

/// Makes temporary folders of this process in memory, where the system has a place for it. A token in software rewrites a
/// file at every change and has it flushed, so on a disk that others use the contract takes minutes.
pub(crate) fn keep_temporary_files_in_memory() {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::env::override_temp_dir(memory).unwrap();
    }
}
