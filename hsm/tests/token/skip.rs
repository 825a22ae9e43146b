//! What happens where a test cannot run.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Notes that a test could not run here. `QUORATE_SKIPS` names the file that `make test` counts.
pub(crate) fn skip(reason: &str) {
    println!("SKIP: {reason}");
    assert!(
        std::env::var_os("CI").is_none(),
        "nothing may skip in CI: {reason}"
    );
    if let Some(file) = std::env::var_os("QUORATE_SKIPS") {
        let mut skips = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        writeln!(skips, "SKIP: {reason}").unwrap();
    }
}
