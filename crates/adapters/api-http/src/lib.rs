//! Signet's API over HTTP: for the operator of the host by a local socket, for others by mutual TLS, and what everybody may read.
