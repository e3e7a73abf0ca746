//! Private keys in the key management service of AWS.
