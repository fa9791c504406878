//! The rule that learns, over the columns of batches: what it knows of each variable, its verdicts,
//! and its state in parts.
//!
//! Readings are taken one by one in the order of their instants, so how they are cut into batches
//! has no part in it. One that is late is judged and changes nothing.

mod news;
mod parts;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rule::{Band, Basis, Verdict};

use self::news::{Heard, list};
use self::parts::{Base, Delta, Kind};
use self::subject::{Subject, Taken};
use crate::Column;
use crate::plan::{Plan, Plans};
use crate::score::FlagBits;
use crate::verdicts::ColumnVerdicts;

pub use self::news::News;
pub use self::parts::StatePart;

/// Readings, or checkpoints, after which a variable's base is written again. Which ones, differs
/// from variable to variable, so that each batch writes a few.
const REWRITTEN: u64 = 32;

/// Readings in a delta, so that no part is large: what is more is written as bases.
const MOST_IN_DELTA: usize = 100_000;

/// A deviation, in usual distances of what is normally distributed.
const DEVIATION: f64 = 1.253_314_137_315_500_3;

/// How far back the first readings lie that it wants to see: thresholds are good after two weeks.
const LOOKBACK: Duration = Duration::from_secs(14 * 24 * 3600);

/// The reading of a variable at which it is said how long it is learnt.
const TOLD: u64 = subject::FEW as u64;

/// What is known of all variables.
#[derive(Debug)]
pub(crate) struct Adaptive {
    plans: Plans,
    /// By the database's names.
    entries: BTreeMap<String, Entry>,
    /// The last checkpoint's number.
    checkpoint: u64,
    /// Those whose deltas are stored.
    deltas: BTreeSet<u64>,
    heard: Heard,
}

#[derive(Debug)]
struct Entry {
    subject: Subject,
    learning: bool,
    /// Readings taken in.
    taken: u64,
    /// Those since the last checkpoint.
    since: Vec<Taken>,
    /// The first checkpoint whose delta holds readings that the base does not.
    first_delta: Option<u64>,
    /// The checkpoint that its base was written with. None: it has none that can be used.
    base: Option<u64>,
    turn: u64,
}

impl Entry {
    fn new(variable: &str, plan: Plan) -> Self {
        Self {
            subject: Subject::new(plan),
            learning: true,
            taken: 0,
            since: Vec::new(),
            first_delta: None,
            base: None,
            turn: (parts::hash(variable) % u128::from(REWRITTEN)) as u64,
        }
    }

    fn take(&mut self, taken: Taken) {
        self.taken += 1;
        self.since.push(taken);
    }

    /// Whether the base is written with this checkpoint.
    fn is_due(&self, checkpoint: u64) -> bool {
        let turns = |taken: u64| (taken + self.turn) / REWRITTEN;
        let before = self.taken.saturating_sub(self.since.len() as u64);
        self.base.is_none()
            || turns(self.taken) != turns(before)
            || self.first_delta.is_some_and(|first| checkpoint - first >= REWRITTEN + self.turn)
    }
}

impl Adaptive {
    pub(crate) fn new(plans: Plans) -> Self {
        Self {
            plans,
            entries: BTreeMap::new(),
            checkpoint: 0,
            deltas: BTreeSet::new(),
            heard: Heard::default(),
        }
    }

    /// Goes on from all parts that are stored, given as names and bytes. What cannot be read is
    /// learnt anew, and said.
    ///
    /// # Errors
    /// None of them can be read.
    pub(crate) fn resume(plans: Plans, parts: &[(&str, &[u8])]) -> Result<Self, String> {
        let mut this = Self::new(plans);
        let (mut deltas, mut unread): (Vec<Delta>, Vec<String>) = Default::default();
        for (name, bytes) in parts {
            let read = match parts::kind(name) {
                Some(Kind::Base) => parts::decode(bytes).map(|base| this.take_up(base)),
                Some(Kind::Delta) => parts::decode(bytes).map(|delta| deltas.push(delta)),
                None => Err("is no part of this detector's".to_owned()),
            };
            if let Err(why) = read {
                unread.push(format!("part `{name}` {why}"));
            }
        }
        if let (true, Some(first)) = (unread.len() == parts.len(), unread.first()) {
            return Err(format!("none of the {} parts of the state can be read: {first}", parts.len()));
        }
        deltas.sort_unstable_by_key(|delta| delta.checkpoint);
        deltas.into_iter().for_each(|delta| this.replay(delta));
        if let Some(first) = unread.first() {
            let text = format!(
                "{} of {} parts of the state cannot be read, and what they hold is learnt anew: {first}",
                unread.len(),
                parts.len()
            );
            this.heard.warn(text);
        }
        this.tell_what_is_known();
        Ok(this)
    }

    pub(crate) fn tell_of_no_models(&mut self) {
        let text = "no model: every variable is judged by what is learnt of it alone; a model is a file named \
                    `prophet_model_<variable>.json`";
        self.heard.inform(text.to_owned());
    }

    pub(crate) fn lookback(&self) -> Duration {
        let asked = self.plans.longest_warm_up().map_or(Duration::ZERO, |time| time.saturating_mul(2));
        asked.max(LOOKBACK)
    }

    /// The verdicts on a column; `by_model` are those of its model, if it has one.
    pub(crate) fn judge(
        &mut self,
        column: &Column<'_>,
        instants: &[i64],
        by_model: Option<ColumnVerdicts>,
        threshold: f64,
    ) -> ColumnVerdicts {
        let Self { plans, entries, heard, .. } = self;
        let mut verdicts = by_model.unwrap_or_else(|| ColumnVerdicts::unknown(instants.len()));
        for withholding in verdicts.withheld.drain(..) {
            heard.without.push((column.variable.to_owned(), withholding.rows.len(), withholding.reason));
        }
        if column.values.iter().all(|value| value.is_nan()) {
            return verdicts;
        }
        let entry = match entries.get_mut(column.variable) {
            Some(entry) => entry,
            None => {
                let new = Entry::new(column.variable, plans.of(column.variable));
                entries.entry(column.variable.to_owned()).or_insert(new)
            }
        };
        let was_aged = entry.subject.is_aged();
        for (row, (time, value)) in instants.iter().zip(column.values).enumerate() {
            if value.is_nan() {
                continue;
            }
            let model = verdicts.band(row);
            let verdict = entry.subject.judge(*time, *value, model);
            verdicts.set(row, &verdict, flags(*value, &verdict, verdicts.flags[row], threshold));
            if verdict.late {
                continue;
            }
            entry.take(Taken { time: *time, value: *value, model: model.map(|band| band.expected) });
            let until = entry.subject.learning_until();
            if let (true, Some(until)) = (entry.taken == TOLD, until) {
                heard.learning.push((column.variable.to_owned(), until));
            }
            if entry.learning && entry.taken > TOLD && until.is_none() {
                entry.learning = false;
                heard.learnt.push(column.variable.to_owned());
            }
        }
        match (was_aged, entry.subject.is_aged()) {
            (false, true) => heard.aged.push(column.variable.to_owned()),
            (true, false) => heard.fitting.push(column.variable.to_owned()),
            _ => {}
        }
        verdicts
    }

    /// What the log is to be told since it was last asked.
    pub(crate) fn news(&mut self) -> Vec<News> {
        self.heard.tell()
    }

    /// What has changed in the state since it was last asked.
    pub(crate) fn changes(&mut self) -> Vec<StatePart> {
        let number = self.checkpoint + 1;
        let mut changes = Vec::new();
        let mut delta = Delta { checkpoint: number, variables: Vec::new() };
        let mut readings = 0;
        for (variable, entry) in &mut self.entries {
            if entry.since.is_empty() && entry.first_delta.is_none() {
                continue;
            }
            let much = readings + entry.since.len() > MOST_IN_DELTA;
            if entry.is_due(number) || much {
                entry.since.clear();
                (entry.first_delta, entry.base) = (None, Some(number));
                let (variable, stored) = (variable.clone(), entry.subject.store());
                let name = parts::base_name(&variable);
                let base = Base { variable, checkpoint: number, taken: entry.taken, stored };
                changes.push(StatePart { name, bytes: Some(parts::encode(&base)) });
            } else if !entry.since.is_empty() {
                entry.first_delta.get_or_insert(number);
                readings += entry.since.len();
                delta.variables.push((variable.clone(), std::mem::take(&mut entry.since)));
            }
        }
        if !delta.variables.is_empty() {
            let bytes = Some(parts::encode(&delta));
            changes.push(StatePart { name: parts::delta_name(number), bytes });
            self.deltas.insert(number);
        }
        if !changes.is_empty() {
            self.checkpoint = number;
        }
        let needed = self.entries.values().filter_map(|entry| entry.first_delta).min().unwrap_or(number + 1);
        let kept = self.deltas.split_off(&needed);
        for old in std::mem::replace(&mut self.deltas, kept) {
            changes.push(StatePart { name: parts::delta_name(old), bytes: None });
        }
        changes
    }

    fn take_up(&mut self, base: Base) {
        self.checkpoint = self.checkpoint.max(base.checkpoint);
        let plan = self.plans.of(&base.variable);
        let mut entry = Entry::new(&base.variable, plan);
        match Subject::restore(base.stored, plan) {
            Ok(subject) => {
                (entry.subject, entry.taken, entry.base) = (subject, base.taken, Some(base.checkpoint));
            }
            Err(why) => self.heard.anew.push((base.variable.clone(), why.to_string())),
        }
        self.entries.insert(base.variable, entry);
    }

    fn replay(&mut self, delta: Delta) {
        self.checkpoint = self.checkpoint.max(delta.checkpoint);
        self.deltas.insert(delta.checkpoint);
        for (variable, taken) in delta.variables {
            let plan = self.plans.of(&variable);
            let entry = self.entries.entry(variable);
            let entry = entry.or_insert_with_key(|variable| Entry::new(variable, plan));
            if entry.base.is_some_and(|base| delta.checkpoint <= base) {
                continue;
            }
            entry.first_delta.get_or_insert(delta.checkpoint);
            entry.taken += taken.len() as u64;
            taken.iter().for_each(|taken| entry.subject.replay(taken));
        }
    }

    fn tell_what_is_known(&mut self) {
        for (variable, entry) in &mut self.entries {
            match entry.subject.learning_until() {
                Some(until) => self.heard.learning.push((variable.clone(), until)),
                None => entry.learning = entry.taken < TOLD,
            }
        }
        let names: Vec<_> = self.entries.keys().cloned().collect();
        if !names.is_empty() {
            self.heard.inform(format!("the rule goes on from what it has learnt of {}", list(&names)));
        }
    }
}

/// The flags of a reading. What its model said of it stands while the model is the basis.
fn flags(value: f64, verdict: &Verdict, by_model: FlagBits, threshold: f64) -> FlagBits {
    let Band { expected, lower, upper } = verdict.band;
    let mut flags = if verdict.basis == Basis::Model {
        by_model.of_the_interval()
    } else {
        let high = (value - expected).abs() > threshold * DEVIATION * verdict.scale;
        let outside = value < lower || value > upper;
        FlagBits::default().with(FlagBits::OUTSIDE_INTERVAL, outside).with(FlagBits::HIGH_RESIDUAL, high)
    };
    if let Some(cause) = verdict.cause {
        flags = flags.with(FlagBits::ANOMALY, true).because(cause);
    }
    flags.with(FlagBits::LEARNING, verdict.learning)
}
