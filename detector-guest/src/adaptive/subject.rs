//! One variable under the rule: from its first reading on, whose distance from the next is not
//! known yet.
//!
//! A warm-up of three days is a number of readings as soon as it is known how often they come.
//! Until then the first ones are kept; when there are enough, the rule is begun and is given them.

use rule::{Band, Call, CheckpointError, Looked, Member, RuleSettings, Seen, Variable, Verdict};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// Readings from which their distance is told.
pub(super) const FEW: usize = 16;

/// What the rule is told while that is not known: nothing is said then but what is expected.
const FIRST_WARM_UP: u32 = 375;

/// A reading that was taken in, with all that the state depends on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) time: i64,
    pub(super) value: f64,
    /// What the model expected.
    pub(super) model: Option<f64>,
    /// What its group said. None: it was judged alone.
    pub(super) call: Option<Call>,
}

/// A reading on its way to its verdict.
#[derive(Debug)]
pub(super) enum LookedAt {
    Seen(Box<Seen>),
    /// It is late, or little is known yet: nobody else is asked.
    Judged(Verdict),
}

/// What is known of one variable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    plan: Plan,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Young { taken: Vec<Taken>, until_then: Box<Variable> },
    Grown(Box<Variable>),
}

/// As it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    plan: Plan,
    stage: StoredStage,
}

#[derive(Debug, Serialize, Deserialize)]
enum StoredStage {
    Young(Vec<Taken>),
    Grown(Vec<u8>),
}

impl Subject {
    pub(super) fn new(plan: Plan) -> Self {
        let stage = match plan.settings(None) {
            Some(settings) => Stage::Grown(Box::new(Variable::new(settings))),
            None => Stage::Young {
                taken: Vec::with_capacity(FEW),
                until_then: Box::new(Variable::new(RuleSettings::new(FIRST_WARM_UP))),
            },
        };
        Self { plan, stage }
    }

    /// Takes in a reading; what there is to conclude of it goes to [`Self::conclude`] next.
    pub(super) fn look(&mut self, time: i64, value: f64, model: Option<Band>) -> LookedAt {
        let (taken, until_then) = match &mut self.stage {
            Stage::Grown(variable) => {
                return match variable.look(time, value, model) {
                    Looked::Seen(seen) => LookedAt::Seen(seen),
                    Looked::Late(verdict) => LookedAt::Judged(verdict),
                };
            }
            Stage::Young { taken, until_then } => (taken, until_then),
        };
        let verdict = until_then.judge(time, value, model);
        if !verdict.late {
            taken.push(Taken { time, value, model: model.map(|band| band.expected), call: None });
            if let Some(variable) = grown(&self.plan, taken) {
                self.stage = Stage::Grown(Box::new(variable));
            }
        }
        LookedAt::Judged(verdict)
    }

    /// The verdict, if there is none yet. `call` is what its group says; None: it is judged alone.
    pub(super) fn conclude(&mut self, looked: LookedAt, call: Option<Call>) -> Verdict {
        match (looked, &mut self.stage) {
            (LookedAt::Seen(seen), Stage::Grown(variable)) => variable.conclude(&seen, call),
            (LookedAt::Seen(seen), Stage::Young { until_then, .. }) => until_then.conclude(&seen, call),
            (LookedAt::Judged(verdict), _) => verdict,
        }
    }

    /// What its group needs to know of it.
    pub(super) fn member(&self, time: i64) -> Option<Member> {
        match &self.stage {
            Stage::Grown(variable) => variable.member(time),
            Stage::Young { .. } => None,
        }
    }

    /// How it is judged, once that is known.
    pub(super) fn settings(&self) -> Option<&RuleSettings> {
        match &self.stage {
            Stage::Grown(variable) => Some(variable.settings()),
            Stage::Young { .. } => None,
        }
    }

    /// The same again: the state is then what it was.
    pub(super) fn replay(&mut self, taken: &Taken) {
        let looked = self.look(taken.time, taken.value, taken.model.map(exact));
        self.conclude(looked, taken.call);
    }

    /// When enough is learnt, as far as that can be said.
    pub(super) fn learning_until(&self) -> Option<i64> {
        match &self.stage {
            Stage::Young { .. } => None,
            Stage::Grown(variable) => variable.learning_until(),
        }
    }

    /// Whether it has a model that errs more than what is known without it.
    pub(super) fn is_aged(&self) -> bool {
        match &self.stage {
            Stage::Young { .. } => false,
            Stage::Grown(variable) => variable.is_aged(),
        }
    }

    pub(super) fn store(&self) -> Stored {
        let stage = match &self.stage {
            Stage::Young { taken, .. } => StoredStage::Young(taken.clone()),
            Stage::Grown(variable) => StoredStage::Grown(variable.to_bytes()),
        };
        Stored { plan: self.plan, stage }
    }

    /// Goes on under `plan`: what was learnt is kept, unless another warm-up is asked for.
    pub(super) fn restore(stored: Stored, plan: Plan) -> Result<Self, CheckpointError> {
        let variable = match stored.stage {
            StoredStage::Grown(bytes) => Variable::restore(&bytes)?,
            StoredStage::Young(taken) => {
                let mut subject = Self::new(plan);
                taken.iter().for_each(|taken| subject.replay(taken));
                return Ok(subject);
            }
        };
        let variable = if stored.plan == plan {
            variable
        } else {
            let interval = Some(variable.interval()).filter(|interval| *interval > 0.0);
            let settings = plan.settings(interval).unwrap_or(*variable.settings());
            // Readings do not come exactly as often as they came at the beginning.
            let warm_up = match stored.plan.warm_up == plan.warm_up {
                true => variable.settings().warm_up,
                false => settings.warm_up,
            };
            variable.under(RuleSettings { warm_up, ..settings })?
        };
        Ok(Self { plan, stage: Stage::Grown(Box::new(variable)) })
    }
}

/// The rule with the first readings, when there are enough of them.
fn grown(plan: &Plan, taken: &[Taken]) -> Option<Variable> {
    if taken.len() < FEW {
        return None;
    }
    let mut gaps: Vec<i64> = taken.windows(2).map(|pair| pair[1].time.saturating_sub(pair[0].time)).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).map_or(1, |gap| (*gap).max(1));
    let mut variable = Variable::new(plan.settings(Some(usual as f64))?);
    for taken in taken {
        variable.judge(taken.time, taken.value, taken.model.map(exact));
    }
    Some(variable)
}

/// Of what was expected: the state does not depend on the bounds.
fn exact(expected: f64) -> Band {
    Band { expected, lower: expected, upper: expected }
}
