//! The side that tests link: where the shared library is, how to steer it, what it counted.

use std::env;
use std::ffi::{CString, OsStr, c_char};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libloading::Library;

/// Where the shared library lies that was built along with the running test or bench.
///
/// Cargo puts the libraries of dependencies beside the test executable, and those of the tested package also one
/// folder up; the newest wins.
///
/// # Errors
/// When there is none: then the package of the test does not depend on this one.
pub fn module_path() -> io::Result<PathBuf> {
    let executable = env::current_exe()?;
    let name = format!(
        "{}pkcs11_shim{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    );
    executable
        .ancestors()
        .skip(1)
        .take(3)
        .flat_map(|folder| [folder.join(&name), folder.join("deps").join(&name)])
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("no {name} near {}", executable.display()),
            )
        })
}

/// How often the loaded shim saw a call of this function, such as `C_Sign`.
///
/// # Errors
/// When the shared library cannot be found or loaded, or there is no such function.
pub fn calls(function: &str) -> io::Result<u64> {
    ask(b"signet_shim_calls\0", function)
}

/// How many calls of this function were under way at the same time, at most, since the orders last changed.
///
/// # Errors
/// As [`calls`].
pub fn most_at_once(function: &str) -> io::Result<u64> {
    ask(b"signet_shim_most_at_once\0", function)
}

#[expect(unsafe_code, reason = "asks the shared library, whose statics are not ours")]
fn ask(question: &[u8], function: &str) -> io::Result<u64> {
    let name = CString::new(function)?;
    // SAFETY: our own library; its symbols have this type, and the string lives through the call.
    let answer = unsafe {
        let library = Library::new(module_path()?).map_err(io::Error::other)?;
        let ask = library.get::<unsafe extern "C" fn(*const c_char) -> u64>(question);
        ask.map_err(io::Error::other)?(name.as_ptr())
    };
    match answer {
        u64::MAX => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("no function {function}"),
        )),
        answer => Ok(answer),
    }
}

/// Sets a variable of this process, for itself and for the modules it will load.
///
/// # Errors
/// When the process has more than one thread already, since another might be reading its environment.
#[expect(unsafe_code, reason = "modules are configured by environment variables alone")]
pub fn set_environment(name: &str, value: impl AsRef<OsStr>) -> io::Result<()> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "cannot set {name}: the process has {threads} threads already"
        )));
    }
    // SAFETY: this is the only thread, so nobody reads or writes the environment meanwhile.
    unsafe { env::set_var(name, value) };
    Ok(())
}

/// A shim in front of a real module, steered by a control file in a folder of the test's.
#[derive(Clone, Debug)]
pub struct Shim {
    control: PathBuf,
}

impl Shim {
    /// Sets the environment for a shim before `module`. Call it before the process has a second thread.
    ///
    /// # Errors
    /// See [`set_environment`].
    pub fn before(module: &Path, folder: &Path) -> io::Result<Self> {
        let control = folder.join("shim-control");
        set_environment(crate::MODULE_VARIABLE, module)?;
        set_environment(crate::CONTROL_VARIABLE, &control)?;
        set_environment(crate::COUNTERS_VARIABLE, folder.join("shim-counters"))?;
        Ok(Self { control })
    }

    /// Replaces the orders in force. The next call of any function sees them.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn order(&self, lines: &[&str]) -> io::Result<()> {
        // A new file each time: its inode tells it from the one before, however fast they follow each other.
        let next = self.control.with_extension("next");
        fs::write(&next, lines.join("\n"))?;
        fs::rename(next, &self.control)
    }

    /// Passes everything through again.
    ///
    /// # Errors
    /// When the control file cannot be written.
    pub fn clear(&self) -> io::Result<()> {
        self.order(&[])
    }
}
