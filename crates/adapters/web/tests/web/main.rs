//! The pages, through the router and in a real browser, on in-memory parts with a clock that stands still.

#[cfg(test)]
mod account;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod client;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod login;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod sign_up;
#[cfg(test)]
mod world;
