//! What the `tezos` crate promises, one file per promise. One binary, since linking BLS once is
//! enough.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test that overflows or meets another case fails, which is what it is for"
)]

#[cfg(test)]
mod forms;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod published;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod tacoinfra;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod written;
