//! Columns on their way through a batch: each alone, or those of a group instant by instant.
//!
//! A group hears its members in the order of their names, those that the batch has no column of
//! included, so that what it says does not depend on what a batch happens to hold.

use std::collections::{BTreeMap, BTreeSet};

use rule::{Band, Basis, Call, Group, Member, RuleSettings, Verdict};

use super::news::Heard;
use super::subject::{LookedAt, Taken};
use super::{Entry, TOLD};
use crate::score::FlagBits;
use crate::verdicts::ColumnVerdicts;

/// A deviation, in usual distances of what is normally distributed.
const DEVIATION: f64 = 1.253_314_137_315_500_3;

/// What is known of a group.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// None: none of its members has spoken yet.
    pub(super) group: Option<Group>,
    pub(super) members: BTreeSet<String>,
    /// Whether it is not as it is stored.
    pub(super) has_changed: bool,
}

/// A column with what is known of its variable.
pub(super) struct Lane<'a> {
    pub(super) variable: &'a str,
    pub(super) values: &'a [f64],
    pub(super) verdicts: ColumnVerdicts,
    pub(super) entry: Entry,
}

/// A member of a group, as a batch has it.
enum Place<'a> {
    Lane(usize),
    Absent(&'a Entry),
}

impl Lane<'_> {
    pub(super) fn judge(&mut self, instants: &[i64], threshold: f64, heard: &mut Heard) {
        for (row, time) in instants.iter().enumerate() {
            if let Some(looked) = self.look(row, *time) {
                self.conclude((row, *time), looked, None, threshold, heard);
            }
        }
    }

    fn look(&mut self, row: usize, time: i64) -> Option<LookedAt> {
        let value = self.values[row];
        (!value.is_nan()).then(|| self.entry.subject.look(time, value, self.verdicts.band(row)))
    }

    fn conclude(
        &mut self,
        (row, time): (usize, i64),
        looked: LookedAt,
        call: Option<Call>,
        threshold: f64,
        heard: &mut Heard,
    ) {
        let Self { variable, values, verdicts, entry } = self;
        let (value, model) = (values[row], verdicts.band(row));
        let verdict = entry.subject.conclude(looked, call);
        verdicts.set(row, &verdict, flags(value, &verdict, verdicts.flags[row], threshold));
        if verdict.late {
            return;
        }
        entry.take(Taken { time, value, model: model.map(|band| band.expected), call });
        let until = entry.subject.learning_until();
        if let (true, Some(until)) = (entry.taken == TOLD, until) {
            heard.learning.push(((*variable).to_owned(), until));
        }
        if entry.learning && entry.taken > TOLD && until.is_none() {
            entry.learning = false;
            heard.learnt.push((*variable).to_owned());
        }
    }
}

impl Together {
    /// Judges the columns of its members; `settings` are the group's, for a warm-up of so many
    /// readings.
    pub(super) fn judge(
        &mut self,
        lanes: &mut [Lane<'_>],
        others: &BTreeMap<String, Entry>,
        (instants, threshold): (&[i64], f64),
        settings: impl Fn(u32) -> RuleSettings,
        heard: &mut Heard,
    ) {
        let place = |name: &String| {
            let lane = lanes.iter().position(|lane| lane.variable == name);
            lane.map(Place::Lane).or_else(|| others.get(name).map(Place::Absent))
        };
        let places: Vec<Place<'_>> = self.members.iter().filter_map(place).collect();
        for (row, time) in instants.iter().enumerate() {
            let looked: Vec<Option<LookedAt>> = lanes.iter_mut().map(|lane| lane.look(row, *time)).collect();
            let entry = |place: &Place<'_>| match place {
                Place::Lane(lane) => lanes[*lane].entry.subject.member(*time),
                Place::Absent(entry) => entry.subject.member(*time),
            };
            let heard_of: Vec<Option<Member>> = places.iter().map(entry).collect();
            let said = self.ask(*time, &heard_of, lanes, &settings);
            let mut calls: Vec<Option<Call>> = vec![said.is_some().then_some(Call::Quiet); lanes.len()];
            let speakers = places.iter().zip(&heard_of).filter(|(_, member)| member.is_some());
            for ((place, _), call) in speakers.zip(said.into_iter().flatten()) {
                if let Place::Lane(lane) = place {
                    calls[*lane] = Some(call);
                }
            }
            for ((lane, looked), call) in lanes.iter_mut().zip(looked).zip(calls) {
                if let Some(looked) = looked {
                    lane.conclude((row, *time), looked, call, threshold, heard);
                }
            }
        }
    }

    /// What the group says of those members that speak.
    fn ask(
        &mut self,
        time: i64,
        members: &[Option<Member>],
        lanes: &[Lane<'_>],
        settings: &impl Fn(u32) -> RuleSettings,
    ) -> Option<Vec<Call>> {
        let speaking: Vec<Member> = members.iter().copied().flatten().collect();
        if self.group.is_none() && !speaking.is_empty() {
            let longest =
                lanes.iter().filter_map(|lane| lane.entry.subject.settings()).map(|own| own.warm_up);
            self.group = longest.max().map(|warm_up| Group::new(settings(warm_up)));
        }
        let group = self.group.as_mut()?;
        self.has_changed = true;
        group.judge(time, &speaking)
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
