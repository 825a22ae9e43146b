//! `quorate-chaos`: faults on demand.

fn main() {}
