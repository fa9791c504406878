//! What a stranger reads first: the two READMEs say the same, no link in a document leads nowhere,
//! and the first page stays short.

use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(project().join(name)).unwrap()
}

/// A document's headings by their level, and its commands: of each line in a block for a shell the
/// program, its subcommand and its flags. What a reader fills in (file names, directories) has a
/// word of its own in each language.
fn skeleton(text: &str) -> Vec<String> {
    let mut skeleton = Vec::new();
    let mut block: Option<&str> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => {
                block = Some(kind);
                skeleton.push(format!("```{kind}"));
            }
            (Some(_), Some(_)) => block = None,
            (None, Some("sh" | "powershell")) => {
                let command = line.split(" #").next().unwrap_or_default();
                let words = command.split_whitespace().enumerate();
                let kept: Vec<&str> = words
                    .filter(|(at, word)| *at < 2 || word.starts_with('-'))
                    .map(|(_, word)| word)
                    .collect();
                skeleton.push(kept.join(" "));
            }
            (None, None) if line.starts_with('#') => {
                skeleton.push(line.chars().take_while(|c| *c == '#').collect());
            }
            _ => {}
        }
    }
    skeleton
}

/// Every document that exists in both languages.
const PAIRS: [(&str, &str); 15] = [
    ("README.md", "README.es.md"),
    ("docs/alerts.md", "docs/alerts.es.md"),
    ("docs/commands.md", "docs/commands.es.md"),
    ("docs/demo.md", "docs/demo.es.md"),
    ("docs/episodes.md", "docs/episodes.es.md"),
    ("docs/high-availability.md", "docs/high-availability.es.md"),
    ("docs/metrics.md", "docs/metrics.es.md"),
    ("docs/moving-from-python.md", "docs/moving-from-python.es.md"),
    ("docs/page.md", "docs/page.es.md"),
    ("docs/reconciliation.md", "docs/reconciliation.es.md"),
    ("docs/service.md", "docs/service.es.md"),
    ("docs/service-windows.md", "docs/service-windows.es.md"),
    ("docs/sql-server.md", "docs/sql-server.es.md"),
    ("docs/training.md", "docs/training.es.md"),
    ("docs/troubleshooting.md", "docs/troubleshooting.es.md"),
];

#[test]
fn both_languages_have_the_same_headings_and_commands() {
    for (english, spanish) in PAIRS {
        assert_eq!(skeleton(&read(spanish)), skeleton(&read(english)), "{english} and {spanish}");
    }
}

#[test]
fn the_first_page_has_at_most_1200_words() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 1200, "README.md has {words} words; longer explanations belong in docs/");
}

/// The table of episodes is an interface: its documents name each column, and no other.
#[test]
fn the_columns_of_episodes_are_those_of_the_table() {
    for name in ["docs/episodes.md", "docs/episodes.es.md"] {
        let text = read(name);
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(rows.collect::<Vec<_>>(), host::store::schema::EPISODE_COLUMNS, "{name}");
    }
}

/// The targets of the links in a document that are files of this project.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut documents: Vec<PathBuf> = [
        "README.md",
        "README.es.md",
        "CONTRIBUTING.md",
        "models/README.md",
        "examples/detector-threshold/README.md",
    ]
    .map(|name| project().join(name))
    .to_vec();
    let pages = std::fs::read_dir(project().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(pages.filter(|page| page.extension().is_some_and(|kind| kind == "md")));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            let target = document.parent().unwrap().join(file);
            assert!(target.exists(), "{} links to `{link}`, which is not there", document.display());
        }
    }
}
