//! The declarative way to say what keys may sign: a file of keys, the plan that leads there from
//! what is enrolled, and both in words.

pub mod declared;
pub mod describe;
pub mod plan;
