//! Which file is which variable's model.
//!
//! Training names a file after its variable, `prophet_model_<name>.json`, with `/`, `\`, space and
//! `-` turned into `_`; so `A/B` and `A_B` have one file between them. The names are found again in
//! the settings' `variables`, then in `detector_config.json`; a file that neither knows is for the
//! variable of its own name. Where a file could be for two variables, or a variable has two files,
//! nothing is opened: a model that judges the wrong variable is worse than none. Names that differ
//! in their Unicode form alone are one ([`nfc`]).

use std::collections::{BTreeMap, BTreeSet};

use prophet::{CountryHoliday, Model, ReadError};

use crate::OpenError;
use crate::config::{self, DetectorConfig};
use crate::form::nfc;
use crate::settings::{RuleKey, Settings};

const PREFIX: &str = "prophet_model_";
const SUFFIX: &str = ".json";

/// Dates of country holidays, for models whose files lack them; `country_holidays_US.csv` for one
/// country alone.
const COUNTRY_HOLIDAYS: &str = "country_holidays.csv";

fn is_no_model_but_used(path: &str) -> bool {
    path == config::FILE_NAME || is_country_holidays(path)
}

fn is_country_holidays(path: &str) -> bool {
    path.starts_with("country_holidays") && path.ends_with(".csv")
}

/// A file of the model directory.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Relative to the directory, with `/` between parts.
    pub path: &'a str,
    pub bytes: &'a [u8],
}

impl File<'_> {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// A file of the model directory that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct UnreadableModel<'a> {
    /// As in [`File::path`].
    pub path: &'a str,
    /// As a sentence that goes on from the file's name and "cannot be read: ".
    pub why: &'a str,
}

/// What became of a model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelState {
    pub path: String,
    /// As the database spells it, in the form NFC.
    pub variable: String,
    /// None: loaded. Otherwise why it is not used.
    pub refused: Option<String>,
}

/// The models of a directory.
#[derive(Debug)]
pub(crate) struct Models {
    /// Each with the level of its intervals.
    pub(crate) by_variable: BTreeMap<String, (Model, f64)>,
    /// One a model file, sorted by variable.
    pub(crate) states: Vec<ModelState>,
    /// Paths of the files that are no models.
    pub(crate) ignored: Vec<String>,
}

/// The directory's `detector_config.json`, if it has one.
pub(crate) fn config(
    files: &[File<'_>],
    unread: &[UnreadableModel<'_>],
) -> Result<DetectorConfig, OpenError> {
    if let Some(UnreadableModel { path, why }) = unread.iter().find(|unread| unread.path == config::FILE_NAME)
    {
        return Err(OpenError::Models(format!("`{path}` cannot be read: {why}")));
    }
    files
        .iter()
        .find(|file| file.path == config::FILE_NAME)
        .map_or_else(|| Ok(DetectorConfig::default()), |file| DetectorConfig::parse(file.bytes))
}

impl Models {
    /// `width` is that of all intervals, where it is set.
    pub(crate) fn read(
        files: &[File<'_>],
        unread: &[UnreadableModel<'_>],
        config: &DetectorConfig,
        settings: &Settings,
        width: Option<f64>,
    ) -> Result<Self, OpenError> {
        let without: BTreeMap<&str, &str> = unread.iter().map(|unread| (unread.path, unread.why)).collect();
        // Which variable a file is for is known by its name alone.
        let unread = unread.iter().map(|unread| File { path: unread.path, bytes: b"" });
        let files: Vec<_> = files.iter().copied().chain(unread).collect();
        let (assigned, ignored) = assign(&files, config, settings)?;
        if assigned.is_empty() && settings.rule == RuleKey::Interval {
            return Err(no_models(&ignored));
        }
        let tables = CountryTables { files: &files, without: &without };
        let mut models = Self { by_variable: BTreeMap::new(), states: Vec::new(), ignored };
        for (variable, file) in assigned {
            let model = match without.get(file.path) {
                Some(why) => Err(format!("cannot be read: {why}")),
                None => read(file.bytes, &tables),
            };
            let model = model.and_then(|model| {
                let level = match width {
                    Some(width) => prophet::interval::level(width).unwrap_or(width),
                    None => model.level().map_err(|error| error.to_string())?,
                };
                Ok((model, level))
            });
            let refused = match model {
                Ok(model) => {
                    models.by_variable.insert(variable.clone(), model);
                    None
                }
                Err(error) => Some(format!("model `{variable}` {error}")),
            };
            models.states.push(ModelState { path: file.path.to_owned(), variable, refused });
        }
        match (&models.states[..], models.by_variable.is_empty()) {
            ([first, ..], true) => Err(OpenError::Models(format!(
                "none of the {} model files can be used; `{}`: {}",
                models.states.len(),
                first.path,
                first.refused.as_deref().unwrap_or_default()
            ))),
            _ => Ok(models),
        }
    }
}

/// The compact form of a model file, which [`Detector::open`](crate::ProphetDetector::open) takes
/// in its place. None: the file is no model, or needs a table beside it.
///
/// # Errors
/// Why no model can be made of the file; opened as it is, it is refused with the same words.
pub fn compact(file: &File<'_>) -> Result<Option<Vec<u8>>, String> {
    if is_no_model_but_used(file.path) || !file.path.ends_with(SUFFIX) {
        return Ok(None);
    }
    match Model::compact(file.bytes) {
        Ok(compact) => Ok(Some(compact)),
        Err(ReadError::NoCountryHolidays { .. }) => Ok(None),
        Err(error) => Err(format!("`{}` {error}", file.path)),
    }
}

/// The tables of country holidays among the files.
pub(crate) struct CountryTables<'a> {
    pub(crate) files: &'a [File<'a>],
    /// Files that cannot be read, with the reason.
    pub(crate) without: &'a BTreeMap<&'a str, &'a str>,
}

impl CountryTables<'_> {
    /// The dates of this country's holidays; none if there is no table for it.
    ///
    /// # Errors
    /// There is one, and it is not such a table. The text goes on from a model's name.
    pub(crate) fn of(&self, country: &str) -> Result<Option<Vec<CountryHoliday>>, String> {
        let own = format!("country_holidays_{country}.csv");
        let table = [own.as_str(), COUNTRY_HOLIDAYS]
            .into_iter()
            .find_map(|name| self.files.iter().find(|table| table.path == name));
        let Some(table) = table else { return Ok(None) };
        let dates = match self.without.get(table.path) {
            Some(why) => Err(format!("it cannot be read: {why}")),
            None => country_holidays(table.bytes),
        };
        dates.map(Some).map_err(|error| format!("needs the country holidays in `{}`: {error}", table.path))
    }
}

/// A model; one whose file lacks the dates of its country's holidays takes them from a table beside
/// it.
fn read(file: &[u8], tables: &CountryTables<'_>) -> Result<Model, String> {
    match Model::from_bytes(file, None) {
        Err(ReadError::NoCountryHolidays { country }) => {
            let Some(dates) = tables.of(&country)? else {
                return Err(ReadError::NoCountryHolidays { country }.to_string());
            };
            Model::from_bytes(file, Some(&dates)).map_err(|error| error.to_string())
        }
        read => read.map_err(|error| error.to_string()),
    }
}

/// The table `ds,holiday`, other columns aside.
fn country_holidays(table: &[u8]) -> Result<Vec<CountryHoliday>, String> {
    let table = table.strip_prefix(b"\xef\xbb\xbf").unwrap_or(table);
    let mut reader = csv::Reader::from_reader(table);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| {
        let found = header.iter().position(|column| column.trim() == name);
        found.ok_or_else(|| format!("it has no column `{name}`; expected `ds,holiday`"))
    };
    let (ds, holiday) = (place("ds")?, place("holiday")?);
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| error.to_string())?;
        let text = |place: usize| record.get(place).unwrap_or_default().to_owned();
        Ok(CountryHoliday { date: text(ds), name: text(holiday) })
    };
    reader.records().map(row).collect()
}

type Assigned<'a> = (BTreeMap<String, File<'a>>, Vec<String>);

/// Variables with their files, and the paths that are left.
fn assign<'a>(
    files: &[File<'a>],
    config: &DetectorConfig,
    settings: &Settings,
) -> Result<Assigned<'a>, OpenError> {
    let mut assigned: BTreeMap<String, File<'a>> = BTreeMap::new();
    let mut taken = BTreeMap::new();
    let composed: Vec<_> = files.iter().map(|file| (nfc(file.path), file)).collect();
    let mut by_path: BTreeMap<&str, &File<'a>> = files.iter().map(|file| (file.path, file)).collect();
    // A file of the very name goes before one that has it in another form.
    composed.iter().for_each(|(path, file)| {
        by_path.entry(path).or_insert(file);
    });
    for (variable, path) in &settings.variables {
        let found = by_path.get(path.as_str()).or_else(|| by_path.get(&*nfc(path)));
        let file = *found.ok_or_else(|| {
            OpenError::Settings(format!("`variables`: the model file `{path}` of `{variable}` is not there"))
        })?;
        if let Some(other) = taken.insert(file.path, variable) {
            return Err(one_file(path, other, variable));
        }
        assigned.insert(variable.clone(), *file);
    }
    let spelled: BTreeSet<_> = config.variables.iter().map(|variable| nfc(variable)).collect();
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for variable in spelled.into_iter().filter(|variable| !assigned.contains_key(&**variable)) {
        named.entry(file_name(&variable)).or_default().push(variable.into_owned());
    }
    let mut ignored = Vec::new();
    for file in files.iter().filter(|file| !taken.contains_key(file.path)) {
        let name = nfc(file.name());
        let Some(stem) = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX)) else {
            if !is_no_model_but_used(file.path) {
                ignored.push(file.path.to_owned());
            }
            continue;
        };
        let variable = match named.get(&*name).map(Vec::as_slice) {
            None | Some([]) => stem,
            Some([variable]) => variable.as_str(),
            Some([one, other, ..]) => return Err(one_file(file.path, one, other)),
        };
        if let Some(other) = assigned.insert(variable.to_owned(), *file) {
            let same = nfc(other.path) == nfc(file.path);
            return Err(OpenError::Models(format!(
                "the files `{}` and `{}` are both for the variable `{variable}`{}; keep one, or name it in the setting \
                 `variables`",
                other.path,
                file.path,
                if same {
                    " (their names differ in the Unicode form of a letter alone, NFC and NFD)"
                } else {
                    ""
                }
            )));
        }
    }
    Ok((assigned, ignored))
}

/// The name that training gives the file of a variable.
pub(crate) fn file_name(variable: &str) -> String {
    format!("{PREFIX}{}{SUFFIX}", variable.replace(['/', '\\', ' ', '-'], "_"))
}

fn one_file(path: &str, one: &str, other: &str) -> OpenError {
    OpenError::Models(format!(
        "the variables `{one}` and `{other}` have the same model file `{path}`; rename one model and name its file in the \
         setting `variables`"
    ))
}

fn no_models(ignored: &[String]) -> OpenError {
    let expected = format!(
        "no models: expected files named `{PREFIX}<variable>{SUFFIX}`, as Prophet's `model_to_json` writes them"
    );
    OpenError::Models(match ignored {
        [] => format!("{expected}; found none"),
        [first, ..] if first.ends_with(".pkl") => {
            format!("{expected}; found `{first}`, a pickle, which the export tool turns into JSON")
        }
        [first, ..] => format!("{expected}; found {} other files, such as `{first}`", ignored.len()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn assign_names(
        paths: &[&str],
        config: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, String> {
        let files: Vec<_> = paths.iter().map(|path| File { path, bytes: b"" }).collect();
        let config = DetectorConfig {
            variables: config.iter().map(ToString::to_string).collect(),
            ..DetectorConfig::default()
        };
        let variables =
            settings.iter().map(|(variable, path)| (variable.to_string(), path.to_string())).collect();
        let (assigned, _) = assign(&files, &config, &Settings { variables, ..Settings::default() })
            .map_err(|error| error.to_string())?;
        Ok(assigned.into_iter().map(|(variable, file)| (variable, file.path.to_owned())).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(variable, path)| (variable.to_string(), path.to_string())).collect()
    }

    #[test]
    fn each_file_finds_its_variable() {
        let (ab, t1) = ("prophet_model_A_B.json", "prophet_model_T1.json");
        let (nfc, nfd) = ("prophet_model_presi\u{f3}n.json", "prophet_model_presio\u{301}n.json");
        for (paths, config, settings, expected) in [
            (&[ab, t1][..], &["A/B", "T1"][..], &[][..], &[("A/B", ab), ("T1", t1)][..]),
            (&[ab, t1], &[r"A\B"], &[], &[(r"A\B", ab), ("T1", t1)]),
            (&[ab], &["A B", "no file"], &[], &[("A B", ab)]),
            (&[ab], &["A-B", "A-B"], &[], &[("A-B", ab)]),
            (&[ab], &[], &[], &[("A_B", ab)]),
            (&[ab, "x.json"], &["A/B", "A_B"], &[("A/B", "x.json")], &[("A/B", "x.json"), ("A_B", ab)]),
            (&[ab], &["A/B", "A_B"], &[("A/B", ab)], &[("A/B", ab)]),
            (&["sub/prophet_model_Ñ.json"], &["Ñ"], &[], &[("Ñ", "sub/prophet_model_Ñ.json")]),
            // The Unicode form of the file and of the settings has no part in the name.
            (&[nfd], &[], &[], &[("presi\u{f3}n", nfd)]),
            (&[nfd], &["presi\u{f3}n", "presio\u{301}n"], &[], &[("presi\u{f3}n", nfd)]),
            (&[nfd], &[], &[("P", nfc)], &[("P", nfd)]),
            (&[nfd, nfc], &[], &[("P", nfc), ("Q", nfd)], &[("P", nfc), ("Q", nfd)]),
            (&["detector_config.json", "variable_stats.json", "prophet_model_T1.pkl"], &["T1"], &[], &[]),
        ] {
            assert_eq!(
                assign_names(paths, config, settings),
                Ok(pairs(expected)),
                "{paths:?} {config:?} {settings:?}"
            );
        }
    }

    #[test]
    fn what_is_not_certain_is_refused_with_both_names() {
        let ab = "prophet_model_A_B.json";
        for (paths, config, settings, expected) in [
            (
                &[ab][..],
                &["A_B", "A/B"][..],
                &[][..],
                "the variables `A/B` and `A_B` have the same model file `prophet_model_A_B.json`; rename one model and name \
                 its file in the setting `variables`",
            ),
            (
                &[ab],
                &[],
                &[("P", ab), ("Q", ab)],
                "the variables `P` and `Q` have the same model file `prophet_model_A_B.json`; rename one model and name \
                 its file in the setting `variables`",
            ),
            (
                &[ab, "old/prophet_model_A_B.json"],
                &["A/B"],
                &[],
                "the files `prophet_model_A_B.json` and `old/prophet_model_A_B.json` are both for the variable `A/B`; keep \
                 one, or name it in the setting `variables`",
            ),
            (&[ab], &[], &[("P", "p.json")], "`variables`: the model file `p.json` of `P` is not there"),
            (
                &["prophet_model_presi\u{f3}n.json", "prophet_model_presio\u{301}n.json"],
                &[],
                &[],
                "the files `prophet_model_presi\u{f3}n.json` and `prophet_model_presio\u{301}n.json` are both for the variable \
                 `presi\u{f3}n` (their names differ in the Unicode form of a letter alone, NFC and NFD); keep one, or name it \
                 in the setting `variables`",
            ),
        ] {
            assert_eq!(assign_names(paths, config, settings), Err(expected.to_owned()));
        }
    }

    #[test]
    fn no_model_at_all_says_what_was_expected() {
        let interval = Settings { rule: RuleKey::Interval, ..Settings::default() };
        let start = "no models: expected files named `prophet_model_<variable>.json`, as Prophet's `model_to_json` writes them";
        for (paths, expected) in [
            (&[][..], "; found none"),
            (&["detector_config.json"], "; found none"),
            (
                &["prophet_model_T1.pkl"],
                "; found `prophet_model_T1.pkl`, a pickle, which the export tool turns into JSON",
            ),
            (&["T1.json", "T2.json"], "; found 2 other files, such as `T1.json`"),
        ] {
            let files: Vec<_> = paths.iter().map(|path| File { path, bytes: b"" }).collect();
            let error = Models::read(&files, &[], &DetectorConfig::default(), &interval, None).unwrap_err();
            assert_eq!(error, OpenError::Models(format!("{start}{expected}")));
        }
    }
}
