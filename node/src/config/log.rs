//! What a node logs: `[log]`.

use super::fault::Checker;
use super::raw;

/// The log of a node; it goes to standard error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// One line of text or one JSON object an event.
    pub format: LogFormat,
    /// A `tracing` filter: a level, or `target=level` parts separated by commas. Default
    /// `info,openraft=warn`.
    pub level: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people. The default.
    Text,
    /// For machines.
    Json,
}

pub(super) fn check(raw: &raw::Log, checker: &mut Checker<'_>) -> Log {
    let format = match raw
        .format
        .as_ref()
        .map(|word| (word, word.get_ref().as_str()))
    {
        None | Some((_, "text")) => LogFormat::Text,
        Some((_, "json")) => LogFormat::Json,
        Some((word, other)) => {
            let wrong = format!("{other:?} is not a log format");
            checker.fault(
                Some(word.span()),
                "log.format",
                wrong,
                "write \"text\" or \"json\"",
            );
            LogFormat::Text
        }
    };
    let level = match &raw.level {
        // At info, openraft tells every step of an election in its own words.
        None => "info,openraft=warn".to_owned(),
        Some(word) => {
            if let Err(error) = word
                .get_ref()
                .parse::<tracing_subscriber::filter::Targets>()
            {
                checker.fault(
                    Some(word.span()),
                    "log.level",
                    format!("{:?} is not a log filter: {error}", word.get_ref()),
                    "write \"error\", \"warn\", \"info\", \"debug\" or \"info,node::sign=debug\"",
                );
            }
            word.get_ref().clone()
        }
    };
    Log { format, level }
}
