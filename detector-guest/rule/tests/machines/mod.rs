//! Machines of six sensors, made from a seed, and what a group makes of them.

#![allow(dead_code, reason = "each test and example uses a part")]

use std::f64::consts::TAU;

use rule::{BudgetError, Call, Group, Looked, Member, RuleSettings, Variable, Verdict};

use crate::families::{DAY, DAYS, FAMILIES, Family, Random, STEP, WARM_UP, mean};

pub(crate) const MEMBERS: usize = 6;

pub(crate) type Row = [f64; MEMBERS];

/// Sensors that are as always: of what family, and whether each is by itself or they correlate, by
/// 0.64.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    family: Family,
    correlated: bool,
}

pub(crate) const KINDS: [Kind; 8] = [
    Kind { name: "gaussian", family: FAMILIES[0].1, correlated: false },
    Kind { name: "gaussian, correlated", family: FAMILIES[0].1, correlated: true },
    Kind { name: "heavy-tailed", family: FAMILIES[1].1, correlated: false },
    Kind { name: "heavy-tailed, correlated", family: FAMILIES[1].1, correlated: true },
    Kind { name: "autocorrelated", family: FAMILIES[2].1, correlated: false },
    Kind { name: "autocorrelated, correlated", family: FAMILIES[2].1, correlated: true },
    Kind { name: "seasonal", family: FAMILIES[3].1, correlated: false },
    Kind { name: "seasonal, correlated", family: FAMILIES[3].1, correlated: true },
];

impl Kind {
    pub(crate) fn rows(self, seed: u64, rows: usize) -> Vec<Row> {
        let mut random = Random(seed * 77 + 5);
        let common = (self.family)(&mut random, rows, DAY);
        let own = [(); MEMBERS].map(|()| (self.family)(&mut random, rows, DAY));
        let sensor = |row: usize, member: usize| {
            let own: f64 = own[member][row];
            if self.correlated { 20.0 + 0.8 * (common[row] - 20.0) + 0.6 * (own - 20.0) } else { own }
        };
        (0..rows).map(|row| std::array::from_fn(|member| sensor(row, member))).collect()
    }
}

/// Sensors with a daily load and noise of deviation 1 whose neighbours in time correlate by 0.9.
pub(crate) fn loaded(seed: u64, rows: usize) -> Vec<Row> {
    let mut random = Random(seed);
    let mut noise = [0.0; MEMBERS];
    let row = |row: usize| {
        let load = 3.0 * libm::sin(TAU * row as f64 / DAY as f64);
        let mut values = [0.0; MEMBERS];
        for (n, (value, noise)) in values.iter_mut().zip(&mut noise).enumerate() {
            *noise = 0.9 * *noise + 0.19_f64.sqrt() * random.normal();
            *value = 50.0 + load * (1.0 + n as f64 / 8.0) + *noise;
        }
        values
    };
    (0..rows).map(row).collect()
}

/// What was said of an instant.
pub(crate) struct Judged<const N: usize = MEMBERS> {
    pub(crate) verdicts: [Verdict; N],
    /// Not by each member alone.
    pub(crate) by_group: bool,
}

impl<const N: usize> Judged<N> {
    pub(crate) fn alarms(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.alarm)
    }
}

/// What a group makes of its members, row by row.
pub(crate) fn together(rows: &[Row], settings: RuleSettings) -> Vec<Judged> {
    let mut machine = Machine::new(settings);
    (0..).map(|row| row * STEP).zip(rows).map(|(time, row)| machine.judge(time, row)).collect()
}

/// Variables that are judged together.
pub(crate) struct Machine<const N: usize> {
    variables: [Variable; N],
    group: Group,
}

impl<const N: usize> Machine<N> {
    pub(crate) fn new(settings: RuleSettings) -> Self {
        Self { variables: [(); N].map(|()| Variable::new(settings)), group: Group::new(settings) }
    }

    pub(crate) fn judge(&mut self, time: i64, row: &[f64; N]) -> Judged<N> {
        let Self { variables, group } = self;
        let looked: [Looked; N] = std::array::from_fn(|n| variables[n].look(time, row[n], None));
        let members: Vec<_> = variables.iter().map(|variable| variable.member(time)).collect();
        let speak: Vec<_> = members.iter().copied().flatten().collect();
        let said = group.judge(time, &speak);
        let mut calls = said.iter().flatten().copied();
        let call = |member: &Option<Member>| member.and_then(|_| calls.next()).unwrap_or(Call::Quiet);
        let calls: Vec<_> = members.iter().map(call).map(|call| said.is_some().then_some(call)).collect();
        let conclude = |n: usize| match &looked[n] {
            Looked::Seen(seen) => variables[n].conclude(seen, calls[n]),
            Looked::Late(verdict) => *verdict,
        };
        Judged { verdicts: std::array::from_fn(conclude), by_group: said.is_some() }
    }
}

/// Alarms of one member that is judged alone.
pub(crate) fn alone(rows: &[Row], member: usize, settings: RuleSettings) -> Vec<bool> {
    let mut variable = Variable::new(settings);
    (0..).zip(rows).map(|(row, values)| variable.judge(row * STEP, values[member], None).alarm).collect()
}

/// Alarms of groups, as a share of those that the budget allows.
pub(crate) struct Share {
    /// In the first two weeks of a group, and in all of 60 days.
    pub(crate) early: f64,
    pub(crate) all: f64,
    /// The standard error of the latter.
    pub(crate) error: f64,
}

pub(crate) fn of_what_was_asked_for(
    kind: Kind,
    (budget, a_day): (&str, f64),
    machines: u64,
) -> Result<Share, BudgetError> {
    let settings = RuleSettings { false_alarms: budget.parse()?, ..RuleSettings::new(WARM_UP as u32) };
    let (mut early, mut all) = (Vec::new(), Vec::new());
    for seed in 0..machines {
        let judged = together(&kind.rows(seed, DAYS * DAY), settings);
        let first = judged.iter().position(|row| row.by_group).unwrap_or(judged.len());
        let share = |rows: &[Judged]| {
            let alarms = rows.iter().filter(|row| row.by_group && row.alarms()).count();
            alarms as f64 / (a_day * rows.len() as f64 / DAY as f64)
        };
        let since = &judged[first..];
        early.push(share(&since[..since.len().min(14 * DAY)]));
        all.push(share(since));
    }
    let ((early, _), (all, error)) = (mean(&early), mean(&all));
    Ok(Share { early, all, error })
}
