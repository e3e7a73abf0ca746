//! What the contract cannot see: the file, the export, and damage to either.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod export;
#[cfg(test)]
mod file;
#[cfg(test)]
mod place;
#[cfg(test)]
mod verify;
