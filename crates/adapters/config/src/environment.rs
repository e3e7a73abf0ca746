use std::path::PathBuf;

use secrecy::SecretString;

/// What the defaults depend on. Read once, in `main`, and handed in.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Whether the process runs as root.
    pub is_root: bool,
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The name of this host, as the system reports it.
    pub host_name: String,
    /// `SIGNET_PKCS11_PIN`: the PIN when the file names neither `pin` nor `pin_path`.
    pub pkcs11_pin: Option<SecretString>,
}

impl Environment {
    /// Where data live when nothing says otherwise: `/var/lib/signet` for root, `$XDG_DATA_HOME/signet` or
    /// `~/.local/share/signet` for others.
    pub fn data_dir(&self) -> Option<PathBuf> {
        if self.is_root {
            return Some(PathBuf::from("/var/lib/signet"));
        }
        // The XDG base directory specification has relative paths ignored.
        let xdg = self.xdg_data_home.clone().filter(|path| path.is_absolute());
        let home = || {
            self.home
                .as_ref()
                .filter(|path| path.is_absolute())
                .map(|home| home.join(".local/share"))
        };
        xdg.or_else(home).map(|base| base.join("signet"))
    }
}
