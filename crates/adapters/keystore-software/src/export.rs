use zeroize::Zeroizing;

/// A private key in the clear, as unencrypted PKCS#8 DER (RFC 5958, version 1). Wiped when dropped; cannot be printed.
pub struct Pkcs8Secret(Zeroizing<Vec<u8>>);

impl Pkcs8Secret {
    pub(crate) const fn new(der: Zeroizing<Vec<u8>>) -> Self {
        Self(der)
    }

    /// The DER. Whoever reads it has the key.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
