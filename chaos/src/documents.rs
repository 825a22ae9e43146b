//! What the documents promise is there: every test and every scenario that they name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust source of the workspace, one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["target", ".git", "node_modules"].contains(&name) {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands between two marks on one line.
fn between(document: &str, mark: char) -> BTreeSet<&str> {
    let lines = document.lines().filter(|line| line.starts_with("| R"));
    lines
        .flat_map(|line| line.split(mark).skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_and_scenario_that_the_table_of_requirements_names_exists() {
    let document = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let mut source = String::new();
    sources(&root(), &mut source);
    let tests: Vec<&str> = between(&document, '`')
        .into_iter()
        .filter(|name| name.contains('_') && !name.contains(' '))
        .collect();
    let scenarios = between(&document, '"');
    assert!(
        tests.len() > 30 && scenarios.len() > 5,
        "the table was not read"
    );
    for test in tests {
        assert!(
            source.contains(&format!("fn {test}(")),
            "no test is called {test}"
        );
    }
    for scenario in scenarios {
        assert!(
            source.contains(&format!("name: \"{scenario}\"")),
            "no scenario is called {scenario:?}"
        );
    }
}

#[test]
fn every_file_that_a_document_links_to_exists() {
    let documents = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/chaos.md",
        "docs/reliability.md",
        "docs/architecture.md",
    ];
    for document in documents {
        let path = root().join(document);
        let text = fs::read_to_string(&path).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.starts_with("http") {
                continue;
            }
            let target = path.parent().unwrap().join(file);
            assert!(
                target.exists(),
                "{document} links to {link}, which is not there"
            );
        }
    }
}
