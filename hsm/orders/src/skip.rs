//! What a test does on a machine that lacks what it needs.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says aloud that a test could not run here. `QUORATE_SKIPS` names the file that `make test` counts.
///
/// # Panics
/// In CI, where nothing may skip, and if the file cannot be written.
#[expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "for tests: a skip that nobody hears of is a test that cannot fail"
)]
pub fn skip(reason: &str) {
    println!("SKIP: {reason}");
    assert!(
        std::env::var_os("CI").is_none(),
        "nothing may skip in CI: {reason}"
    );
    if let Some(path) = std::env::var_os("QUORATE_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let noted = file.and_then(|mut file| writeln!(file, "SKIP: {reason}"));
        if let Err(error) = noted {
            panic!("{}: {error}", path.display());
        }
    }
}
