//! The commands of this program, run as an operator would.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::fault::DevError;

/// The `quorate` binary.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The binary at this path.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs a command against one node's configuration and returns what it answers.
    ///
    /// # Errors
    /// If it cannot be started, or ends with anything but 0.
    pub async fn run(&self, config: &Path, words: &[&str]) -> Result<String, DevError> {
        let output = Command::new(&self.0)
            .args(words)
            .arg("--config")
            .arg(config)
            .stdin(std::process::Stdio::null())
            // Who no longer waits for the answer wants no process that goes on working for it.
            .kill_on_drop(true)
            .output()
            .await
            .map_err(DevError::file(&self.0))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(DevError::Command {
            line: line(words),
            status: output.status.to_string(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// The same, for a command that answers in JSON.
    ///
    /// # Errors
    /// Also if the answer is another one than promised.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        config: &Path,
        words: &[&str],
    ) -> Result<T, DevError> {
        let answer = self.run(config, words).await?;
        serde_json::from_str(&answer).map_err(|source| DevError::Answer {
            line: line(words),
            answer,
            source,
        })
    }
}

fn line(words: &[&str]) -> String {
    format!("quorate {}", words.join(" "))
}
