//! `quorate status` and `quorate cluster status`.

use std::path::Path;

use super::{Failure, screen, with_node};
use crate::admin::{NodeReport, Status};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// How this node is.
    pub(super) fn run(self, file: &Path) -> Result<(), Failure> {
        let status = with_node(file, |node| async move { Ok(node.status().await?) })?;
        if self.json {
            return screen::json(&status);
        }
        head(&status);
        warnings(&status);
        Ok(())
    }

    /// How every node is, as this one sees them.
    pub(super) fn run_cluster(self, file: &Path) -> Result<(), Failure> {
        let status = with_node(file, |node| async move { Ok(node.status().await?) })?;
        if self.json {
            return screen::json(&status);
        }
        head(&status);
        table(&status.nodes);
        warnings(&status);
        Ok(())
    }
}

fn head(status: &Status) {
    let Some(me) = status.me.filter(|_| status.formed) else {
        screen::line(&format!(
            "quorate {}, not in a cluster yet: {}",
            status.version, status.line
        ));
        screen::line("next: `quorate cluster form` with the line of every node");
        return;
    };
    screen::line(&format!(
        "quorate {}, node {me} of cluster {}: {}",
        status.version,
        status.cluster_id.as_deref().unwrap_or("?"),
        status.line
    ));
    match status.leader {
        Some(leader) if leader == me => {
            screen::line(&format!("this node leads, term {}", status.term));
        }
        Some(leader) => screen::line(&format!("node {leader} leads, term {}", status.term)),
        None => screen::line(&format!("no leader is known, term {}", status.term)),
    }
    if let Some(fsync) = status.fsync_us {
        screen::line(&format!("last fsync {}", milliseconds(fsync)));
    }
}

fn warnings(status: &Status) {
    for warning in &status.warnings {
        screen::line(&format!("warning: {warning}"));
    }
}

fn table(nodes: &[NodeReport]) {
    let mut rows = vec![
        [
            "id", "address", "role", "applied", "boot", "heard", "signs", "version", "",
        ]
        .map(str::to_owned),
    ];
    rows.extend(nodes.iter().map(row));
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        screen::line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn row(node: &NodeReport) -> [String; 9] {
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let able = node.can_sign.values().filter(|able| **able).count();
    let mut notes = Vec::new();
    notes.extend(node.draining.then(|| "draining".to_owned()));
    notes.extend(
        node.suspect
            .as_ref()
            .map(|suspect| format!("not believed: {suspect}")),
    );
    [
        node.id.to_string(),
        node.address.clone(),
        node.role.clone(),
        number(node.applied),
        number(node.boot),
        node.hello_ms
            .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms ago")),
        format!("{able}/{} keys", node.can_sign.len()),
        node.formats
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(","),
        notes.join(", "),
    ]
}

/// Microseconds as milliseconds with two places.
fn milliseconds(microseconds: u64) -> String {
    let hundredths = microseconds.checked_div(10).unwrap_or_default();
    let whole = hundredths.checked_div(100).unwrap_or_default();
    let rest = hundredths.checked_rem(100).unwrap_or_default();
    format!("{whole}.{rest:02} ms")
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn microseconds_are_shown_as_milliseconds_with_two_places() {
        assert_eq!(milliseconds(0), "0.00 ms");
        assert_eq!(milliseconds(1_234), "1.23 ms");
        assert_eq!(milliseconds(1_200_050), "1200.05 ms");
    }
}
