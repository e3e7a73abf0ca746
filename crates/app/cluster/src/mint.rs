//! Certificates of the authorities themselves, and their revocation lists.
