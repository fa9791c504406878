//! Finds the setting of a service's unit that causes a system error: `Permission denied` suggests a
//! file's mode, while the unit has removed the right.

use std::io;

/// The setting that may have caused an error; None for an unrelated error.
fn named(code: i32) -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    Some(match code {
        11 => "`TasksMax=` of the unit or `ulimit -u` allows no more threads",
        12 => {
            "too little address space or memory: a sandbox reserves some GiB of addresses, so `LimitAS=` of the unit or `ulimit -v` must \
             be off, and `MemoryMax=` large enough"
        }
        24 => "`LimitNOFILE=` of the unit or `ulimit -n` must be higher",
        27 => "`LimitFSIZE=` of the unit or `ulimit -f` must be higher",
        30 => "a unit with `ProtectSystem=` needs `StateDirectory=` or `ReadWritePaths=` for what is written",
        _ => return None,
    })
}

/// A system error, with the setting that may have caused it.
pub(crate) fn explained(error: &io::Error) -> String {
    match error.raw_os_error().and_then(named) {
        Some(setting) => format!("{error}: {setting}"),
        None => error.to_string(),
    }
}

/// The same for a sentence that ends with such an error, about code that is compiled or run: in
/// that case access to a file was not denied.
pub(crate) fn explained_of_code(said: String) -> String {
    let code = said.strip_suffix(')').and_then(|said| said.rsplit_once("(os error "));
    let setting = match code.and_then(|(_, code)| code.parse().ok()) {
        Some(1 | 13) if cfg!(target_os = "linux") => {
            Some("compiled code may not be run; `MemoryDenyWriteExecute=` of the unit must be off")
        }
        Some(code) => named(code),
        None => None,
    };
    match setting {
        Some(setting) => format!("{said}: {setting}"),
        None => said,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_named_that_an_error_comes_from() {
        for (code, setting) in [
            (11, Some("`TasksMax=`")),
            (12, Some("`LimitAS=`")),
            (24, Some("`LimitNOFILE=`")),
            (27, Some("`LimitFSIZE=`")),
            (30, Some("`ReadWritePaths=`")),
            (2, None),
            (13, None),
        ] {
            let said = explained(&io::Error::from_raw_os_error(code));
            assert_eq!(setting.is_some(), !said.ends_with(')'), "{said}");
            assert!(setting.is_none_or(|setting| said.contains(setting)), "{said}");
        }
        for (said, setting) in [
            ("Permission denied (os error 13)", "`MemoryDenyWriteExecute=`"),
            ("Operation not permitted (os error 1)", "`MemoryDenyWriteExecute=`"),
            ("Cannot allocate memory (os error 12)", "`LimitAS=`"),
        ] {
            let explained = explained_of_code(said.to_owned());
            assert!(explained.starts_with(said) && explained.contains(setting), "{explained}");
        }
        for said in ["unreachable", "(os error 13) is not its end", "x (os error x)"] {
            assert_eq!(explained_of_code(said.to_owned()), said);
        }
    }
}
