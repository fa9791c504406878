//! What is said of a file or a variable that is wrong: where, and what would be right.

use super::loaded;
use crate::config::*;

const CHANNEL_KINDS: &str = "\"email\" or \"webhook\" or \"teams\" or \"alertmanager\" or \"slack\" or \"telegram\" or \"ntfy\" or \
                             \"pagerduty\"";

const INTERVAL: &str = "more than zero and at most 7 days: `10` (minutes), `30s`, `10m`, `2h`";

#[test]
fn an_interval_is_minutes_or_has_a_unit() {
    for (text, seconds) in [
        ("10", 600),
        (" 10 ", 600),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1h 30m", 5400),
        ("7days", 604_800),
    ] {
        assert_eq!(interval_text(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    let wrong = [
        "",
        "0",
        "0s",
        "-10",
        "-5m",
        "8days",
        "10081",
        "ten",
        "10x",
        "99999999999999999999",
        "18446744073709551615s1000ms",
    ];
    for text in wrong {
        assert_eq!(interval_text(text), Err(format!("it must be {INTERVAL}")), "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_is_right() {
    let duration = "a duration with its unit, such as `30s`, `10m` or `2h`, from";
    for (text, said) in [
        // Keys and sections.
        (
            "[worker]\nname = \"a\"\n\nintervall = 1",
            "line 4: `[worker]` has no key `intervall`; did you mean `interval`?",
        ),
        ("[worker]\nbatch-row = 1", "line 2: `[worker]` has no key `batch-row`; did you mean `batch_rows`?"),
        (
            "[variables]\ndirection = \"up\"",
            "line 2: `direction` stands in `[variables]`, where only patterns do; write `[variables.\"TEMP*\"]` above it",
        ),
        (
            "[variables.\"TEMP*\"]\nondelay = 2",
            "line 2: `[variables.\"TEMP*\"]` has no key `ondelay`; did you mean `on_delay`?",
        ),
        (
            "[variables.T1]\ndirection = \"up\"",
            "line 2: `direction` of `[variables.\"T1\"]` is `\"up\"`; it must be \"above\" or \"below\" or \"both\"",
        ),
        (
            "[variables.T1]\noff_delay = 0",
            "line 2: `off_delay` of `[variables.\"T1\"]` is `0`; it must be a whole number from 1 to 100000",
        ),
        (
            "[variables.T1]\nminimum_deviation = -1.5",
            "line 2: `minimum_deviation` of `[variables.\"T1\"]` is `-1.5`; it must be a number that is not negative, in the variable's unit",
        ),
        (
            "[variables.T1]\nsilent_after = \"soon\"",
            "line 2: `silent_after` of `[variables.\"T1\"]` is `\"soon\"`; it must be a duration with its unit, such as `30s`, `10m` or \
             `2h`, from 1s to 365days; or \"learnt\", or \"off\"",
        ),
        (
            "[variables.T1]\nshelved = [\"mon 6-7\"]",
            "line 2: `shelved` of `[variables.\"T1\"]` is `[\"mon 6-7\"]`; it must be a list of days and a time, such as \
             \"mon-fri 06:00-06:30\", \"sat,sun 00:00-24:00\" or \"daily 22:00-02:00\"",
        ),
        (
            "[variables.\"\"]\non_delay = 2",
            "line 1: `` is no pattern of variables; it must be a name of 1 to 100 characters, in which `*` stands for any characters \
             and `?` for one",
        ),
        (
            "[worker]\ndeadline = 1",
            "line 2: `[worker]` has no key `deadline`; did you mean `deadline` in `[detector]`?",
        ),
        (
            "[log]\nzzz = 1",
            "line 2: `[log]` has no key `zzz`; its keys are `file`, `max_mib`, `keep`, `format`, `level`",
        ),
        (
            "[log]\n\"a\\nb\" = 1",
            "line 2: `[log]` has no key `a\\nb`; its keys are `file`, `max_mib`, `keep`, `format`, `level`",
        ),
        ("[workers]\ninterval = 1", "line 1: there is no section `[workers]`; did you mean `[worker]`?"),
        (
            "\n[email]",
            "line 2: there is no section `[email]`; the sections are `worker`, `input`, `output`, `detector`, `training`, `log`, `alerts`, `web`",
        ),
        ("interval = 10", "line 1: `interval` stands outside the sections; put it below `[worker]`"),
        (
            "worker = 10",
            "line 1: `worker` stands outside the sections; if you mean the section, write `[worker]`",
        ),
        (
            "zzz = 10",
            "line 1: `zzz` stands outside the sections; the sections are `worker`, `input`, `output`, `detector`, `training`, `log`, `alerts`, `web`",
        ),
        (
            "[[worker]]\nname = \"a\"",
            "line 1: `worker` stands outside the sections; if you mean the section, write `[worker]`",
        ),
        // The first mistake in the file's own order is told.
        (
            "[worker]\nzzz_b = 1\nzzz_a = 1",
            "line 2: `[worker]` has no key `zzz_b`; its keys are `name`, `shard`, `interval`, `batch_rows`, \
            `initial_lookback`, `allowed_lateness`, `settle`, `reconcile`",
        ),
        // Values.
        ("[worker]\ninterval = 0", &format!("line 2: `worker.interval` is `0`; it must be {INTERVAL}")),
        ("[worker]\ninterval = -1", &format!("line 2: `worker.interval` is `-1`; it must be {INTERVAL}")),
        ("[worker]\ninterval = 1.5", &format!("line 2: `worker.interval` is `1.5`; it must be {INTERVAL}")),
        (
            "[worker]\ninterval = \"8d\"",
            &format!("line 2: `worker.interval` is `\"8d\"`; it must be {INTERVAL}"),
        ),
        (
            "[worker]\nbatch_rows = 100_001",
            "line 2: `worker.batch_rows` is `100_001`; it must be a whole number from 1 to 100000",
        ),
        (
            "[worker]\nbatch_rows = \"9\"",
            "line 2: `worker.batch_rows` is `\"9\"`; it must be a whole number from 1 to 100000",
        ),
        (
            "[worker]\ninitial_lookback = 10",
            &format!("line 2: `worker.initial_lookback` is `10`; it must be {duration} 0s to 36500days"),
        ),
        (
            "[worker]\nsettle = [\n1]",
            &format!(
                "line 2: `worker.settle` is `[\\n1]`; it must be {duration} 0s to 30days; or \"\" for the default"
            ),
        ),
        (
            "[detector]\ndeadline = \"0s\"",
            &format!("line 2: `detector.deadline` is `\"0s\"`; it must be {duration} 1ms to 1h"),
        ),
        ("[worker]\nname = \"\"", "line 2: `worker.name` is `\"\"`; it must be a text of 1 to 90 characters"),
        (
            "[input]\ntable = 3",
            "line 2: `input.table` is `3`; it must be a table's name, such as `dbo.datos_proceso`",
        ),
        (
            "[input]\ndatabase = true",
            "line 2: `input.database` is `true`; it must be a path in quotes, in single ones if it has a `\\`; \
            or \"\" for the default",
        ),
        (
            "[input]\nport = 70000",
            "line 2: `input.port` is `70000`; it must be a whole number from 1 to 65535; or \"\" for the default",
        ),
        (
            "[output]\nencrypt = false",
            "line 2: `output.encrypt` is `false`; it must be \"yes\" or \"strict\" or \"no\"; or \"\" for the default",
        ),
        (
            "[output]\nintegrated = \"perhaps\"",
            "line 2: `output.integrated` is `\"perhaps\"`; it must be true or false; or \"\" for the default",
        ),
        // What may hold a password is not shown, whatever is wrong with it.
        (
            "[input]\npassword = 1234567",
            "line 2: `input.password` is `(not shown)`; it must be a text without control characters; or \"\" for the default",
        ),
        (
            "[output]\nconnection_string = [\"pwd=1234567\"]",
            "line 2: `output.connection_string` is `(not shown)`; it must be a text without control characters; \
            or \"\" for the default",
        ),
        ("[log]\nformat = \"xml\"", "line 2: `log.format` is `\"xml\"`; it must be \"text\" or \"json\""),
        (
            "[log]\nlevel = \"loud\"",
            "line 2: `log.level` is `\"loud\"`; it must be \"debug\" or \"info\" or \"warning\" or \"error\"",
        ),
        (
            "[detector]\nsettings = 1",
            "line 2: `detector.settings` is `1`; it must be a table: `[detector.settings]`",
        ),
        (
            "[detector.settings]\na.b = [1, nan]",
            "line 2: `detector.settings.a.b` is `nan`; it must be a finite number of 64 bits",
        ),
        (
            "[detector.settings]\na = 9223372036854775808",
            "line 2: `detector.settings.a` is `9223372036854775808`; it must be a finite number of 64 bits",
        ),
        // A backslash in double quotes.
        (
            "[input]\nserver = \"SRV\\test\"",
            "line 2: `input.server` is `\"SRV\\test\"`; it must be a server: `host`, `host,port` or `host\\instance`; or \"\" for the \
             default; in double quotes `\\` begins an escape such as `\\t`, so write the text in single quotes",
        ),
        (
            "[detector]\nmodels = \"D:\\new\"",
            "line 2: `detector.models` is `\"D:\\new\"`; it must be a path in quotes, in single ones if it has a `\\`; in double \
             quotes `\\` begins an escape such as `\\t`, so write the text in single quotes",
        ),
        // Channels.
        ("[alerts.mail]", &format!("line 1: `[alerts.mail]` has no `kind`; it must be {CHANNEL_KINDS}")),
        (
            "[alerts.mail]\nkind = \"mail\"",
            &format!("line 1: `alerts.mail.kind` is `mail`; it must be {CHANNEL_KINDS}"),
        ),
        (
            "[alerts.mail]\nkind = 1",
            &format!("line 1: `alerts.mail.kind` is no text; it must be {CHANNEL_KINDS}"),
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nservr = \"h\"",
            "line 3: `[alerts.mail]` has no key `servr`; did you mean `server`?",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nzzz = 1",
            "line 3: `[alerts.mail]` has no key `zzz`; its keys are `kind`, `language`, `priority`, `variables`, `kinds`, `to`, `from`, \
             `server`, `port`, `tls`, `user`, `password`, `password_file`, `url`, `url_file`, `secret`, `secret_file`, `token`, \
             `token_file`, `template`, `ca_file`",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\ntls = \"yes\"",
            "line 3: `alerts.mail.tls` is `\"yes\"`; it must be \"tls\" or \"starttls\" or \"none\"; or \"\" for the default",
        ),
        (
            "[alerts.mail]\nkind = \"email\"\nkinds = [\"opened\", \"begun\"]",
            "line 3: `alerts.mail.kinds` is `[\"opened\", \"begun\"]`; it must be \"opened\" or \"still-open\" or \"closed\" or \
             \"silent\" or \"back\" or \"service\", or a list of such",
        ),
        (
            "[alerts.hook]\nkind = \"webhook\"\nurl = 1234567",
            "line 3: `alerts.hook.url` is `(not shown)`; it must be a text without control characters; or \"\" for the default",
        ),
        (
            "[alerts.\"a b\"]\nkind = \"email\"",
            "line 1: `[alerts.a b]` cannot be a channel's name; it must be 1 to 40 letters, digits, `-` or `_`",
        ),
        (
            "[alerts.a-b]\nkind = \"email\"\n[alerts.a_b]\nkind = \"email\"",
            "line 3: `[alerts.a_b]` and `[alerts.a-b]` have the same environment variables; rename one of them",
        ),
        (
            "[alerts.language]\nkind = \"email\"",
            "line 1: `alerts.language` is `[alerts.language]`; it must be \"en\" or \"es\"",
        ),
        ("[alerts]\nlanguag = \"es\"", "line 2: `[alerts]` has no key `languag`; did you mean `language`?"),
        // The text itself.
        ("[worker]\nname = \"a", "line 2, column 10: this is not TOML: invalid basic string, expected `\"`"),
        (
            "[worker]\nname = C:\\x",
            "line 2, column 8: this is not TOML: string values must be quoted, expected literal string; \
            a path with `\\` stands in single quotes",
        ),
        (
            "[input]\ndatabase = \"C:\\data\"",
            "line 2, column 16: this is not TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\\`, `\"`, `x`, `u`, \
                `U`; a path with `\\` stands in single quotes",
        ),
        ("[worker\n", "line 1, column 8: this is not TOML: unclosed table, expected `]`"),
        ("[log]\nkeep = 1\nkeep = 2", "line 3, column 1: this is not TOML: duplicate key"),
    ] {
        assert_eq!(loaded(text, &[]), Err(format!("`{DEFAULT_FILE}` {said}")), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = load(Some(Path::new("no/such.toml")), []).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration `no/such.toml`: "), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("latin1.toml");
    std::fs::write(&file, b"[worker]\nname = \"l\xednea\"").unwrap();
    let error = load(Some(&file), []).unwrap_err().to_string();
    assert_eq!(error, format!("`{}` line 2: this is not UTF-8 text; save the file as UTF-8", file.display()));
}
