//! The binary `quorate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    node::cli::main()
}
