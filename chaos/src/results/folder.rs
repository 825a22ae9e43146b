use std::env;
use std::path::PathBuf;

/// The folder in which a run keeps what it found: `QUORATE_CHAOS_OUT`, or `chaos` in the target
/// folder of the program that runs. Never in the checkout.
pub fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("QUORATE_CHAOS_OUT").filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder);
    }
    // target/debug/quorate-chaos, or target/debug/deps/simulation-0123456789abcdef
    let program = env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    target
        .map_or_else(env::temp_dir, PathBuf::from)
        .join("chaos")
}
