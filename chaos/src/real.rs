//! `quorate-chaos run`: three real `quorate node` processes, real requests, real faults, and the
//! judge's verdict on what came of it.
//!
//! **Invariant:** every process is ended by its id, and none outlives the main thread of this one.

mod audit;
mod baker;
mod clock;
mod config;
mod control_group;
mod copies;
mod failed;
mod journal;
mod kit;
mod load;
mod machine;
mod measure;
mod play;
mod power;
mod scenario;
mod scenarios;
mod screen;
mod stage;
mod stale;
mod stop;
mod time_of_day;
mod world;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::results::{self, Origin, Results, ScenarioResult, Tally, Verdict};
use failed::Failed;
use kit::Kit;
use play::{Played, Theatre};
use scenario::Scenario;
use stale::Scratch;
use stop::Stop;

/// The options of `quorate-chaos run`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only scenarios whose name contains this; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Makes the same choices again: who is struck, when, and what a disk keeps. Default: from the
    /// clock.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Every scenario once, which is the default.
    #[arg(long, conflicts_with = "repeat_for")]
    pub once: bool,
    /// Again and again with new seeds, for so long (90s, 20m, 8h), or until a round goes wrong.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub repeat_for: Option<Duration>,
    /// Where the results are written. Default: run.json in the folder `chaos` of the target folder.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Name the scenarios, and run none.
    #[arg(long)]
    pub list: bool,
}

/// The options of `quorate-chaos long`.
#[derive(clap::Args, Clone, Debug)]
pub struct LongArgs {
    /// For how long: 90s, 20m, 8h. A round that has begun is finished; one that goes wrong is the last.
    #[arg(value_name = "DURATION", value_parser = duration)]
    pub limit: Duration,
    /// Only scenarios whose name contains this; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// The seed of the first round; each next one is one higher. Default: from the clock.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where the results are written. Default: run.json in the folder `chaos` of the target folder.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
}

/// Runs scenarios again and again with new seeds. To be called on the main thread, as [`run`].
#[must_use]
pub fn long(args: &LongArgs) -> ExitCode {
    run(&Args {
        only: args.only.clone(),
        seed: args.seed,
        once: false,
        repeat_for: Some(args.limit),
        results: args.results.clone(),
        list: false,
    })
}

/// Runs scenarios. To be called on the main thread: the kernel ends the nodes with the thread that
/// started them.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let chosen = chosen(&args.only);
    if args.list {
        screen::list(&chosen);
        return ExitCode::SUCCESS;
    }
    if chosen.is_empty() {
        screen::note("no scenario has that in its name; --list names them");
        return ExitCode::FAILURE;
    }
    let folder = results::folder();
    stale::sweep(&folder);
    let scratch = Scratch::of_this_process(&folder);
    let theatre = match theatre(&folder, &scratch) {
        Ok(theatre) => theatre,
        Err(failed) => {
            screen::note(&format!("quorate-chaos run: {failed}"));
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            screen::note(&format!("quorate-chaos run: no async runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // A scenario that is dropped ends its processes and unmounts their disks; then goes the folder.
    runtime.block_on(async {
        let mut stop = match Stop::listen() {
            Ok(stop) => stop,
            Err(error) => {
                screen::note(&format!("quorate-chaos run: no signals: {error}"));
                return ExitCode::FAILURE;
            }
        };
        tokio::select! {
            code = all(args, &theatre, &chosen) => code,
            code = stop.wait() => {
                screen::note("\nstopped; every node is ended, every disk unmounted");
                code
            }
        }
    })
}

async fn all(args: &Args, theatre: &Theatre, chosen: &[Scenario]) -> ExitCode {
    let file = args
        .results
        .clone()
        .unwrap_or_else(|| results::folder().join("run.json"));
    if let Err(error) = forget(&file) {
        screen::note(&format!("quorate-chaos run: {error}"));
        return ExitCode::FAILURE;
    }
    let began = Instant::now();
    let mut tally = Tally::start();
    let mut found = Results::of(Origin::here());
    let mut seed = args.seed.unwrap_or_else(clock::now_us);
    let written = loop {
        screen::note(&format!("seed {seed}: {} scenarios", chosen.len()));
        for scenario in chosen {
            screen::begins(scenario);
            let Played { row, measured } = theatre.play(scenario, seed).await;
            found.measured.extend(measured);
            count(&row, &mut tally);
            screen::ended(&row, &theatre.histories);
            found.scenarios.push(row);
        }
        screen::progress(&tally);
        // After each round: a run that is ended in the next one has not been for nothing.
        let written = found.write(&file);
        // A round that went wrong is the last one: what it left is what one wants to look at. After one that
        // showed nothing, no other seed shows more.
        match args.repeat_for {
            Some(limit) if began.elapsed() < limit && tally.is_well() && written.is_ok() => {
                seed = seed.wrapping_add(1);
            }
            Some(_) | None => break written,
        }
    };
    screen::table(&found.scenarios);
    match &written {
        Ok(()) => screen::note(&format!("seed {seed}; results in {}", file.display())),
        Err(error) => screen::note(&format!("quorate-chaos run: {error}")),
    }
    screen::line(&tally.to_string());
    if tally.passed() == 0 && tally.failed() == 0 {
        screen::note("nothing was shown: every scenario was skipped, for the reasons above");
    }
    // One that passed makes up for those that were skipped, outside of CI; none shows nothing.
    if tally.is_well() && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Removes the results of an earlier run, so that they are not taken for those of this one if it is ended.
fn forget(file: &Path) -> Result<(), Failed> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failed::file(file)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A skip is neither passed nor failed, but in CI a machine that cannot run everything is a failure.
fn count(row: &ScenarioResult, tally: &mut Tally) {
    match &row.verdict {
        Verdict::Held | Verdict::SeenAsItMust(_) => tally.count(true),
        Verdict::Broken | Verdict::Failed(_) => tally.count(false),
        Verdict::Skipped(reason) => {
            screen::skip(&row.name, reason);
            if env::var_os("CI").is_some() {
                tally.count(false);
            }
        }
    }
}

fn chosen(only: &[String]) -> Vec<Scenario> {
    let wanted = |scenario: &Scenario| {
        only.is_empty()
            || only
                .iter()
                .any(|part| scenario.name.contains(part.as_str()))
    };
    scenario::all().into_iter().filter(wanted).collect()
}

/// `quorate` lies beside this program; everything that is written goes to the target folder.
fn theatre(folder: &Path, scratch: &Scratch) -> Result<Theatre, Failed> {
    let own = env::current_exe().map_err(Failed::file("this program"))?;
    let program = own.with_file_name("quorate");
    if !program.exists() {
        let words = format!(
            "{} is not there; build it with `make build`",
            program.display()
        );
        return Err(Failed::step(words));
    }
    Ok(Theatre {
        program,
        scratch: scratch.path().to_owned(),
        histories: folder.join("histories"),
        kit: Arc::new(Kit::make()?),
    })
}

/// `90s`, `20m` or `8h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write 90s, 20m or 8h");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u64 = number.parse().map_err(|_not_a_number| wrong())?;
    let seconds = match unit {
        's' => Some(number),
        'm' => number.checked_mul(60),
        'h' => number.checked_mul(3_600),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_nothing_else_is_one() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("20m"), Ok(Duration::from_secs(1_200)));
        assert_eq!(duration("8h"), Ok(Duration::from_secs(28_800)));
        for wrong in ["", "s", "90", "1d", "-1s", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_results_of_an_earlier_run_are_forgotten_and_what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.json");
        forget(&file).unwrap(); // none yet
        raft_store::disk::replace(&file, &[b"{}".as_slice()]).unwrap();
        forget(&file).unwrap();
        assert!(!file.exists());
        let error = forget(folder.path()).unwrap_err().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn scenarios_are_chosen_by_a_part_of_their_name() {
        let all = chosen(&[]);
        assert!(all.len() > 5);
        let some = chosen(&["leader".to_owned()]);
        assert!(!some.is_empty() && some.len() < all.len());
        assert!(chosen(&["no such scenario".to_owned()]).is_empty());
    }
}
