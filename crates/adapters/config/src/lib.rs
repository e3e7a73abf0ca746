//! The configuration file of signetd.
