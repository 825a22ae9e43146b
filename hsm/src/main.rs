//! The process that holds one PKCS#11 module, as a program of its own. See [`hsm::child`].

use std::process::ExitCode;

fn main() -> ExitCode {
    hsm::child::main()
}
