//! Finds the services on this machine that conflict with the one of a configuration, because they
//! share what each should have alone.

use std::path::Path;
use std::time::Duration;

use crate::service::control::{self, Question, Reply, ServiceIdentity};

/// The timeout of the question to one service.
const WAIT: Duration = Duration::from_secs(2);

/// Warnings before this one runs as well. Services of other users answer only an administrator.
pub(super) async fn sentences(ours: &ServiceIdentity) -> Vec<String> {
    let mut sentences = Vec::new();
    for name in control::names() {
        if let Ok(Reply::Who(theirs)) = control::ask(&name, Question::Who, WAIT).await {
            sentences.extend(shared(ours, &theirs));
        }
    }
    sentences
}

/// What two services have in common, and what to do.
fn shared(ours: &ServiceIdentity, theirs: &ServiceIdentity) -> Vec<String> {
    let file = |config: &Option<std::path::PathBuf>| {
        config
            .as_deref()
            .map_or_else(|| "no configuration file".to_owned(), |file| format!("`{}`", file.display()))
    };
    let theirs_is = format!("the service of {} (process {})", file(&theirs.config), theirs.process);
    let same_worker = ours.worker == theirs.worker;
    if same_worker && same_place(&ours.output, &theirs.output) {
        // The service itself, or one on standby for it.
        return match ours.config == theirs.config {
            true => vec![format!("it runs already (process {}); one more would stand by", theirs.process)],
            false => vec![format!(
                "{theirs_is} has the same name `{}` in the same output: one judges and the other stands by; for two plants give each a \
                 `name` of `[worker]`",
                ours.worker
            )],
        };
    }
    let mut sentences = Vec::new();
    if let Some(log) = ours.log_file.as_ref().filter(|_| ours.log_file == theirs.log_file) {
        sentences.push(format!(
            "{theirs_is} writes the same log `{}`; give each a `file` of `[log]`",
            log.display()
        ));
    }
    if ours.kept_set.is_some() && ours.kept_set == theirs.kept_set {
        sentences.push(format!(
            "{theirs_is} keeps its last good set in the same file, as both are `{}` with the same models; give each a `name` of `[worker]` or \
             a `state_dir` of `[detector]`",
            ours.worker
        ));
    }
    sentences
}

/// With all links resolved.
fn same_place(one: &str, other: &str) -> bool {
    let real = |place: &str| Path::new(place).canonicalize().ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_services_share_is_said_and_nothing_else() {
        let of = |config: &str, worker: &str, output: &str, log: &str, kept: &str| ServiceIdentity {
            process: 7,
            config: (!config.is_empty()).then(|| config.into()),
            worker: worker.into(),
            output: output.into(),
            log_file: (!log.is_empty()).then(|| log.into()),
            kept_set: (!kept.is_empty()).then(|| kept.into()),
        };
        let north = of("/n.toml", "default", "/n.sqlite", "/n.log", "/s/1");
        for (theirs, expected) in [
            (of("/s.toml", "default", "/s.sqlite", "/s.log", "/s/2"), vec![]),
            (of("/s.toml", "south", "/n.sqlite", "/s.log", "/s/2"), vec![]),
            (north.clone(), vec!["it runs already (process 7); one more would stand by"]),
            (
                of("/s.toml", "default", "/n.sqlite", "/n.log", "/s/1"),
                vec![
                    "the service of `/s.toml` (process 7) has the same name `default` in the same output: one judges and the other stands by; \
                     for two plants give each a `name` of `[worker]`",
                ],
            ),
            (
                of("", "default", "/s.sqlite", "/n.log", "/s/1"),
                vec![
                    "the service of no configuration file (process 7) writes the same log `/n.log`; give each a `file` of `[log]`",
                    "the service of no configuration file (process 7) keeps its last good set in the same file, as both are `default` with the \
                     same models; give each a `name` of `[worker]` or a `state_dir` of `[detector]`",
                ],
            ),
        ] {
            assert_eq!(shared(&north, &theirs), expected, "{theirs:?}");
        }
        let none = of("", "a", "/a", "", "");
        assert_eq!(shared(&none, &of("", "b", "/b", "", "")), [""; 0], "no log is no log in common");
    }
}
