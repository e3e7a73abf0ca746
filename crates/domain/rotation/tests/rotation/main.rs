//! Tests of the rotation core, from outside.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod explorer;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod table;
#[cfg(test)]
mod words;

#[cfg(test)]
fn generation(number: u64) -> rotation::Generation {
    rotation::Generation::new(number).expect("tests name generations from 1 on")
}
