//! A Quorate node: the sign path from the socket to the reply, and everything it stands on.

pub mod admin;
pub mod admission;
pub mod answer;
pub mod api;
pub mod apply;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod dev;
pub mod health;
pub mod keys;
pub mod metrics;
pub mod migrate;
pub mod peers;
pub mod run;
pub mod sign;
pub mod telemetry;
