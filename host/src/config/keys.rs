//! Every key of the configuration, once: its section, its name, how it is read and how it is
//! written.
//!
//! `detector.settings` is not here: its keys are the detector's.

use super::Config;
use super::error::found;
use super::value::{Allowed, Given, Literal};
use super::value::{
    address, choice, clock, duration, every, interval, leave_out, line, name, optional, page, path, secret,
    shard, table, truth, whole,
};

/// One key, such as `worker.interval`.
pub(super) struct ConfigKey {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// Reads a value into its field, or returns what is allowed.
    pub(super) set: fn(&mut Config, &Given<'_>) -> Result<(), Allowed>,
    /// The field as a TOML value.
    pub(super) show: fn(&Config) -> String,
    /// Whether the value is never shown.
    pub(super) secret: bool,
}

impl ConfigKey {
    /// The value that was found for this key, in the form for an error.
    pub(super) fn found(&self, text: &str) -> String {
        if self.secret { "(not shown)".to_owned() } else { found(text) }
    }
}

/// `section.key`, or `section[part].key` for a field of a part of the section.
macro_rules! keys {
    ($($section:ident $([$part:ident])? . $name:ident = $read:expr;)*) => {
        /// By section, in the order in which they are written.
        pub(super) const KEYS: &[ConfigKey] = &[$(ConfigKey {
            section: stringify!($section),
            name: stringify!($name),
            set: |config, given| {
                config.$section$(.$part)?.$name = $read(given)?;
                Ok(())
            },
            show: |config| config.$section$(.$part)?.$name.literal(),
            secret: matches!(stringify!($name).as_bytes(), b"password" | b"connection_string" | b"token"),
        }),*];
    };
}

keys! {
    worker.name = name;
    worker.shard = optional(shard);
    worker.interval = interval;
    worker.batch_rows = whole(1..=100_000);
    worker.initial_lookback = duration("0s", "36500days");
    worker.allowed_lateness = optional(duration("0s", "365days"));
    worker.settle = optional(duration("0s", "30days"));
    worker.reconcile = every("1s", "7days");
    input.database = optional(path);
    input.table = table;
    input.clock = clock;
    input[access].server = optional(line("a server: `host`, `host,port` or `host\\instance`"));
    input[access].port = optional(whole(1..=65_535));
    input[access].connection_string = optional(secret);
    input[access].user = optional(line("a login's name"));
    input[access].password = optional(secret);
    input[access].password_file = optional(path);
    input[access].integrated = optional(truth);
    input[access].encrypt = optional(choice);
    input[access].trust_server_certificate = optional(truth);
    input[access].ca_file = optional(path);
    input[access].connect_timeout = optional(duration("1s", "10m"));
    input[access].query_timeout = optional(duration("1s", "24h"));
    input[access].lock_timeout = optional(duration("1ms", "10m"));
    output.database = optional(path);
    output.table = table;
    output.state_table = table;
    output.episodes_table = table;
    output.outbox_table = table;
    output[access].server = optional(line("a server: `host`, `host,port` or `host\\instance`"));
    output[access].port = optional(whole(1..=65_535));
    output[access].connection_string = optional(secret);
    output[access].user = optional(line("a login's name"));
    output[access].password = optional(secret);
    output[access].password_file = optional(path);
    output[access].integrated = optional(truth);
    output[access].encrypt = optional(choice);
    output[access].trust_server_certificate = optional(truth);
    output[access].ca_file = optional(path);
    output[access].connect_timeout = optional(duration("1s", "10m"));
    output[access].query_timeout = optional(duration("1s", "24h"));
    output[access].lock_timeout = optional(duration("1ms", "10m"));
    detector.module = optional(path);
    detector.models = path;
    detector.memory_mib = whole(1..=4096);
    detector.checkpoint_mib = whole(1..=1024);
    detector.deadline = duration("1ms", "1h");
    detector.module_mib = whole(1..=65_536);
    detector.model_mib = whole(1..=65_536);
    detector.models_mib = whole(1..=65_536);
    detector.compile_memory_mib = whole(64..=65_536);
    detector.compile_deadline = duration("1ms", "1h");
    detector.cache_dir = optional(path);
    detector.state_dir = optional(path);
    training.every = every("1h", "365days");
    training.history = duration("1h", "36500days");
    training.holdout = duration("0s", "365days");
    training.leave_out_anomalies = leave_out;
    training.keep = whole(1..=100);
    training.mode = optional(choice);
    training.settings = optional(path);
    training.memory_mib = whole(1..=4096);
    training.deadline = duration("1s", "24h");
    log.file = optional(path);
    log.max_mib = whole(1..=10_240);
    log.keep = whole(1..=1000);
    log.format = choice;
    log.level = choice;
    alerts.language = choice;
    alerts.together = duration("0s", "10m");
    alerts.page = optional(page);
    web.listen = optional(address);
    web.token = optional(secret);
    web.token_file = optional(path);
    web.trusted_header = optional(line("a header's name, such as `X-Forwarded-User`"));
    web.proxies = optional(line("addresses, divided by commas"));
    web.hosts = optional(line("names, divided by commas"));
    web.actions = truth;
}

/// The free table of the detector's own keys.
pub(super) const SETTINGS: (&str, &str) = ("detector", "settings");

/// The sections, in order.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
    sections.dedup();
    sections
}

pub(super) fn find(section: &str, name: &str) -> Option<&'static ConfigKey> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The candidate that is most similar to a mistyped word, if any is similar enough.
pub(super) fn nearest<T: AsRef<str>>(word: &str, candidates: impl IntoIterator<Item = T>) -> Option<T> {
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&word, known.as_ref()), known))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}
