//! The rule that learns, over the columns of batches: what it knows of each variable, its verdicts,
//! and its state in parts.
//!
//! Readings are taken one by one in the order of their instants, so how they are cut into batches
//! has no part in it. One that is late is judged and changes nothing.

mod news;
mod parts;
mod subject;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::news::{Heard, list};
use self::parts::{Base, Delta, Kind, StoredGroup};
use self::subject::{Subject, Taken};
use self::together::{Lane, Together};
use crate::Column;
use crate::plan::{Plan, Plans};
use crate::verdicts::ColumnVerdicts;

pub use self::news::News;
pub use self::parts::StatePart;

/// Readings, or checkpoints, after which a variable's base is written again. Which ones, differs
/// from variable to variable, so that each batch writes a few.
const REWRITTEN: u64 = 32;

/// Readings in a delta, so that no part is large: what is more is written as bases.
const MOST_IN_DELTA: usize = 100_000;

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
    groups: BTreeMap<String, Together>,
    /// Groups that are stored and no longer set.
    left: Vec<String>,
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
            groups: BTreeMap::new(),
            left: Vec::new(),
            checkpoint: 0,
            deltas: BTreeSet::new(),
            heard: Heard::default(),
        }
    }

    /// Goes on from all parts that are stored, given as names and bytes. What cannot be read is
    /// learnt anew, and said. Each part is gone as soon as it is read: all of them and all that is
    /// made of them do not fit into memory side by side.
    ///
    /// # Errors
    /// None of them can be read.
    pub(crate) fn resume(plans: Plans, parts: Vec<(String, Vec<u8>)>) -> Result<Self, String> {
        let mut this = Self::new(plans);
        let (mut deltas, mut unread): (Vec<Delta>, Vec<String>) = Default::default();
        let count = parts.len();
        for (name, bytes) in parts {
            let read = match parts::kind(&name) {
                Some(Kind::Base) => parts::decode(&bytes).map(|base| {
                    drop(bytes);
                    this.take_up(base);
                }),
                Some(Kind::Delta) => parts::decode(&bytes).map(|delta| deltas.push(delta)),
                Some(Kind::Group) => parts::decode(&bytes).and_then(|group| this.take_up_group(group)),
                None => Err("is no part of this detector's".to_owned()),
            };
            if let Err(why) = read {
                unread.push(format!("part `{name}` {why}"));
            }
        }
        if let (true, Some(first)) = (unread.len() == count, unread.first()) {
            return Err(format!("none of the {count} parts of the state can be read: {first}"));
        }
        deltas.sort_unstable_by_key(|delta| delta.checkpoint);
        deltas.into_iter().for_each(|delta| this.replay(delta));
        if let Some(first) = unread.first() {
            let text = format!(
                "{} of {count} parts of the state cannot be read, and what they hold is learnt anew: {first}",
                unread.len()
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

    /// The verdicts on columns; with each come those of its model, if it has one.
    pub(crate) fn judge<'a>(
        &mut self,
        columns: impl Iterator<Item = (&'a Column<'a>, Option<ColumnVerdicts>)>,
        instants: &[i64],
        threshold: f64,
    ) -> Vec<ColumnVerdicts> {
        let mut judged = Vec::new();
        let mut grouped = BTreeMap::<String, Vec<(usize, Lane<'a>)>>::new();
        for (at, (column, by_model)) in columns.enumerate() {
            let mut verdicts = by_model.unwrap_or_else(|| ColumnVerdicts::unknown(instants.len()));
            for withholding in verdicts.withheld.drain(..) {
                let without = (column.variable.to_owned(), withholding.rows.len(), withholding.reason);
                self.heard.without.push(without);
            }
            judged.push(ColumnVerdicts::default());
            if column.values.iter().all(|value| value.is_nan()) {
                judged[at] = verdicts;
                continue;
            }
            let mut lane = self.lane(column, verdicts);
            match self.plans.group(column.variable) {
                Some(group) => grouped.entry(group).or_default().push((at, lane)),
                None => {
                    let was_aged = lane.entry.subject.is_aged();
                    lane.judge(instants, threshold, &mut self.heard);
                    judged[at] = self.put_back(lane, was_aged);
                }
            }
        }
        for (name, lanes) in grouped {
            let (places, mut lanes): (Vec<usize>, Vec<Lane<'_>>) = lanes.into_iter().unzip();
            let were_aged: Vec<bool> = lanes.iter().map(|lane| lane.entry.subject.is_aged()).collect();
            let together = self.groups.entry(name.clone()).or_default();
            together.members.extend(lanes.iter().map(|lane| lane.variable.to_owned()));
            let settings = |warm_up| self.plans.of_group(&name, warm_up);
            together.judge(&mut lanes, &self.entries, (instants, threshold), settings, &mut self.heard);
            for ((at, lane), was_aged) in places.into_iter().zip(lanes).zip(were_aged) {
                judged[at] = self.put_back(lane, was_aged);
            }
        }
        judged
    }

    /// The column with what is known of its variable, which is away from the others meanwhile.
    fn lane<'a>(&mut self, column: &Column<'a>, verdicts: ColumnVerdicts) -> Lane<'a> {
        let entry = self.entries.remove(column.variable);
        let entry = entry.unwrap_or_else(|| Entry::new(column.variable, self.plans.of(column.variable)));
        Lane { variable: column.variable, values: column.values, verdicts, entry }
    }

    fn put_back(&mut self, lane: Lane<'_>, was_aged: bool) -> ColumnVerdicts {
        let Lane { variable, verdicts, entry, .. } = lane;
        match (was_aged, entry.subject.is_aged()) {
            (false, true) => self.heard.aged.push(variable.to_owned()),
            (true, false) => self.heard.fitting.push(variable.to_owned()),
            _ => {}
        }
        self.entries.insert(variable.to_owned(), entry);
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
        for (name, together) in &mut self.groups {
            if let (true, Some(group)) = (std::mem::take(&mut together.has_changed), &together.group) {
                let content = StoredGroup { name: name.clone(), group: group.clone() };
                let bytes = Some(parts::encode(&content));
                changes.push(StatePart { name: parts::group_name(name), bytes });
            }
        }
        let left = self.left.drain(..);
        changes.extend(left.map(|name| StatePart { name: parts::group_name(&name), bytes: None }));
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
        self.join(&base.variable);
        self.entries.insert(base.variable, entry);
    }

    fn take_up_group(&mut self, stored: StoredGroup) -> Result<(), String> {
        if !stored.group.is_sound() {
            return Err("is damaged".to_owned());
        }
        if self.plans.has_group(&stored.name) {
            let budget = self.plans.of_group(&stored.name, 0).false_alarms;
            let together = self.groups.entry(stored.name).or_default();
            together.group = Some(stored.group.under(budget));
        } else {
            self.left.push(stored.name);
        }
        Ok(())
    }

    /// A variable is one of its group's.
    fn join(&mut self, variable: &str) {
        if let Some(group) = self.plans.group(variable) {
            self.groups.entry(group).or_default().members.insert(variable.to_owned());
        }
    }

    fn replay(&mut self, delta: Delta) {
        self.checkpoint = self.checkpoint.max(delta.checkpoint);
        self.deltas.insert(delta.checkpoint);
        for (variable, taken) in delta.variables {
            let plan = self.plans.of(&variable);
            self.join(&variable);
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
