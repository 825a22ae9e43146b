use std::path::{Path, PathBuf};
use std::process::ExitCode;

use raft_store::disk;

use super::screen;
use crate::page;
use crate::results::{Grade, Results, ResultsError, Summary, folder};

/// Which results, and where the page goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files of results, as `sim`, `mutants`, `run` and `long` write them.
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Where the page is written; `index.html` in the folder of results by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where all results are written as one file.
    #[arg(long)]
    merged: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match write(args) {
        Ok((page, grade)) => {
            screen::line(&format!("page: {}", page.display()));
            match grade {
                Grade::Held | Grade::Partly => ExitCode::SUCCESS,
                Grade::NotShown | Grade::Broken => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            screen::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args) -> Result<(PathBuf, Grade), ResultsError> {
    let results = Results::read_all(&args.results)?;
    if let Some(merged) = &args.merged {
        results.write(merged)?;
    }
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| folder().join("index.html"));
    replace(&out, &page::of(&results))?;
    let summary = Summary::of(&results);
    screen::line(&summary.headline);
    for sentence in &summary.sentences {
        screen::line(&format!("  {sentence}"));
    }
    Ok((out, summary.grade))
}

fn replace(path: &Path, page: &str) -> Result<(), ResultsError> {
    let fails = |source| ResultsError::File {
        what: "cannot write",
        path: path.into(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fails)?;
    }
    disk::replace(path, &[page.as_bytes()]).map_err(fails)
}
