//! Three whole nodes in one process: real sockets, real TLS, real RocksDB folders on a real disk.

mod confirmed;
mod copies;
mod forms;
mod leaders;
mod simulated;
mod strangers;
mod world;
