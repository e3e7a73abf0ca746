//! Documents: what may be written, what the log says of it, and what nodes see.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod remove;
#[cfg(test)]
mod support;
#[cfg(test)]
mod view;
