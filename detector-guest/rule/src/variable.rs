//! One variable: what is known of it, and the verdict on its next reading.

use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::episode::{Course, Episode};
use crate::expectation::{Basis, Expectation, Outlook};
use crate::gauge::{ALARM, Gauge};
use crate::group::{Call, Member};
use crate::novelty::{Novelty, SPANS};
use crate::settings::RuleSettings;
use crate::signals::{Distances, PATTERN, SIGNALS, SPIKE, Signals, log};
use crate::verdict::{Band, Cause, Verdict};

/// The most that a reading scores which is no alarm.
const BELOW_ALARM: f64 = 49.9;

/// In how many usual errors the bounds lie while their own past is too short.
const FIRST_BOUND: f64 = 4.0;

/// And the most, and the most in distances of the reading that was furthest from the first: what is
/// stored of a bound has its limits, and of what is far beyond all readings nothing is known.
const MOST_BOUND: f64 = 1e5;
const MOST_REACHES: f64 = 4.0;

/// A reading further off than this in usual errors is learnt as this far, until the budget's
/// threshold is known.
const FIRST_LIMIT: f64 = 20.0;

/// A reading speaks for its variable in a group for so many of the variable's intervals.
const HELD: f64 = 4.0;

/// No reading is further from the first than this, so that squares and single precision hold it.
const FURTHEST: f64 = 1e18;

/// Everything that is known of one variable. Pure: what it is given in any pieces gives the same
/// verdicts to the last bit, on every system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    settings: RuleSettings,
    readings: u32,
    /// It is late enough for alarms, and stays so.
    learnt: bool,
    last_time: Option<i64>,
    /// Microseconds from a reading to the next.
    interval: Average,
    /// The first reading: everything is relative to it, so that single precision suffices at any
    /// offset.
    origin: f64,
    /// The greatest distance of a reading from it.
    reach: f64,
    expectation: Expectation,
    novelty: Novelty,
    signals: Signals,
    gauge: Gauge,
    episode: Option<Episode>,
    /// The signals of the last reading, beside what each usually reaches; None while that is not
    /// known.
    beyond: Option<[f32; SIGNALS]>,
}

/// A reading on its way to its verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    /// It is taken in; the verdict waits for [`Variable::conclude`].
    Seen(Box<Seen>),
    /// It is late or no number, and this is its verdict.
    Late(Verdict),
}

/// A reading that was taken in and is not judged yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    time: i64,
    x: f64,
    outlook: Outlook,
    model: Option<Band>,
    distances: Distances,
    numbers: [f64; SIGNALS],
    scores: [f64; SIGNALS],
}

impl Variable {
    /// Knows nothing yet.
    pub fn new(settings: RuleSettings) -> Self {
        let warm_up = settings.warm_up.max(RuleSettings::LEAST_WARM_UP);
        let span = warm_up.saturating_mul(SPANS);
        Self {
            settings: RuleSettings { warm_up, ..settings },
            readings: 0,
            learnt: false,
            last_time: None,
            interval: Average::new(500),
            origin: 0.0,
            reach: 0.0,
            expectation: Expectation::new(span),
            novelty: Novelty::new(warm_up),
            signals: Signals::new(span),
            gauge: Gauge::new(span),
            episode: None,
            beyond: None,
        }
    }

    pub fn settings(&self) -> &RuleSettings {
        &self.settings
    }

    /// Microseconds from a reading to the next, on the mean; 0 while that is not known.
    pub fn interval(&self) -> f64 {
        self.interval.mean()
    }

    /// Whether its model errs more than what is known without it.
    pub fn is_aged(&self) -> bool {
        self.expectation.is_aged()
    }

    /// Goes on under settings with the same warm-up; under another budget the thresholds are learnt
    /// anew.
    pub(crate) fn go_on_under(&mut self, settings: RuleSettings) {
        if settings.false_alarms != self.settings.false_alarms {
            self.gauge = Gauge::new(self.span());
        }
        self.settings = RuleSettings { warm_up: self.settings.warm_up, ..settings };
    }

    /// Whether it can be gone on from: what no run of [`Self::judge`] leaves behind is not.
    pub(crate) fn is_sound(&self) -> bool {
        self.settings.warm_up >= RuleSettings::LEAST_WARM_UP
            && self.origin.is_finite()
            && self.reach.is_finite()
            && self.beyond.is_none_or(|beyond| beyond.iter().all(|number| number.is_finite()))
            && self.novelty.is_sound()
            && self.gauge.is_sound()
            && self.episode.as_ref().is_none_or(Episode::is_sound)
    }

    /// When it has learnt enough for alarms if readings go on as they came, in microseconds; None
    /// when it has.
    pub fn learning_until(&self) -> Option<i64> {
        let left = if self.learnt { 0 } else { self.learnt_from().saturating_sub(self.readings) };
        let from = self.last_time?;
        let wait = f64::from(left) * self.interval.mean();
        (left > 0).then(|| from.saturating_add(wait as i64))
    }

    /// The verdict on the reading at `time` (microseconds on any clock without a zone), for which
    /// the model, if there is one, says `model`.
    ///
    /// A reading that is not later than the last one is judged by what is known and changes
    /// nothing, and neither does one that is not finite.
    pub fn judge(&mut self, time: i64, value: f64, model: Option<Band>) -> Verdict {
        match self.look(time, value, model) {
            Looked::Late(verdict) => verdict,
            Looked::Seen(seen) => self.conclude(&seen, None),
        }
    }

    /// The first half of [`Self::judge`], for a variable that is judged with others. After it comes
    /// [`Self::conclude`] of what was seen, and nothing else.
    pub fn look(&mut self, time: i64, value: f64, model: Option<Band>) -> Looked {
        if self.readings == 0 && value.is_finite() {
            self.origin = value;
        }
        let outlook = self.outlook(time, model);
        if !value.is_finite() || self.last_time.is_some_and(|last| time <= last) {
            return Looked::Late(self.judge_late(value, &outlook, model));
        }
        self.pass(time);
        let x = self.beside_origin(value);
        self.reach = self.reach.max(x.abs());
        let distances = self.signals.see(x, &outlook);
        let mut numbers = self.signals.numbers(&distances, outlook.scale);
        numbers[PATTERN] = log(self.novelty.push(x));
        self.beyond = self.gauge.beyond(&numbers);
        let scores = if self.gauge_is_open() { self.gauge.scores(&numbers) } else { [0.0; SIGNALS] };
        Looked::Seen(Box::new(Seen { time, x, outlook, model, distances, numbers, scores }))
    }

    /// The verdict on what was seen last. A `call` of its group says whether this is an alarm; None:
    /// it is judged alone.
    pub fn conclude(&mut self, seen: &Seen, call: Option<Call>) -> Verdict {
        let Seen { outlook, model, distances, numbers, scores, .. } = seen;
        let learning = self.is_learning();
        let (score, alarm) = self.alarm(scores, learning, call);
        if alarm {
            self.gauge.alarm();
            self.episode = Some(match call {
                Some(Call::Alarm(of)) => {
                    Episode::called((of.signal as usize).min(SIGNALS - 1), numbers, distances, self.span())
                }
                _ => Episode::begin(scores, numbers, distances, self.span()),
            });
        }
        let usual = self.gauge.usual();
        let course = self
            .episode
            .as_mut()
            .map(|episode| episode.step(scores, numbers, &usual, distances, self.settings.normal_after));
        let cause = match course {
            Some(Course::Flagged(cause) | Course::Accepted(cause)) => Some(cause),
            Some(Course::Quiet | Course::Over) | None => None,
        };
        self.learn(seen, cause.is_some());
        self.follow(course, outlook.scale);
        Verdict {
            alarm,
            is_anomaly: cause.is_some(),
            score: if alarm { score } else { score.min(BELOW_ALARM) },
            cause,
            learning,
            late: false,
            ..self.unjudged(outlook, *model)
        }
    }

    /// What its group needs to know of it at this time; None: it has nothing to say, because too
    /// little is known of it, it is flagged already, or had its last reading long ago.
    pub fn member(&self, time: i64) -> Option<Member> {
        let since = time.saturating_sub(self.last_time?);
        let is_recent = since >= 0 && since as f64 <= HELD * self.interval.mean();
        let speaks = is_recent && self.readings > self.span() && self.episode.is_none();
        let beyond = self.beyond.filter(|_| speaks)?.map(f64::from);
        Some(Member { beyond, is_new: since == 0 })
    }

    /// Readings before the first alarm: half as many where a model fits from the first one on.
    fn learnt_from(&self) -> u32 {
        let warm_up = self.settings.warm_up;
        if self.expectation.fits_since(self.readings) { warm_up / 2 } else { warm_up }
    }

    fn is_learning(&self) -> bool {
        !self.learnt
    }

    fn span(&self) -> u32 {
        self.settings.warm_up.saturating_mul(SPANS)
    }

    fn beside_origin(&self, y: f64) -> f64 {
        (y - self.origin).clamp(-FURTHEST, FURTHEST)
    }

    fn outlook(&self, time: i64, model: Option<Band>) -> Outlook {
        let model =
            model.filter(|band| band.expected.is_finite()).map(|band| self.beside_origin(band.expected));
        self.expectation.at(time, model)
    }

    /// The clock: how far apart readings are, and from that how many alarms a reading may have.
    fn pass(&mut self, time: i64) {
        if let Some(last) = self.last_time {
            let gap = time.saturating_sub(last) as f64;
            // A pause is no interval.
            let most = if self.interval.is_empty() { gap } else { 4.0 * self.interval.mean() };
            self.interval.push(gap.min(most));
        }
        self.last_time = Some(time);
        self.readings = self.readings.saturating_add(1);
        self.learnt |= self.readings > self.learnt_from();
        if self.gauge_is_open() {
            let rate = self.settings.false_alarms.for_a_reading(self.interval.mean());
            self.gauge.allow(rate, self.readings, !self.is_learning());
        }
        self.gauge.step();
    }

    /// From a quarter of the warm-up on the signals' past is kept.
    fn gauge_is_open(&self) -> bool {
        self.readings > self.settings.warm_up / 4
    }

    /// The largest score, or its group's where that is an alarm; and whether it is an alarm: one an
    /// episode.
    fn alarm(&self, scores: &[f64; SIGNALS], learning: bool, call: Option<Call>) -> (f64, bool) {
        let own = scores.iter().copied().fold(0.0, f64::max);
        let may = !learning && self.episode.is_none();
        match call {
            None => (own, own >= ALARM && may && self.gauge.is_free()),
            Some(Call::Alarm(of)) => (of.score, may),
            Some(Call::Quiet) => (own, false),
        }
    }

    fn learn(&mut self, seen: &Seen, flagged: bool) {
        let Seen { time, x, outlook, numbers, distances, .. } = seen;
        if self.gauge_is_open() {
            let (learning, calm) = (self.is_learning(), self.episode.is_none());
            self.gauge.learn(numbers, |signal| match signal {
                PATTERN => !learning,
                _ => calm,
            });
        }
        if flagged {
            return;
        }
        let residual = x - outlook.expected;
        let limit = match self.gauge.threshold(SPIKE) {
            Some(threshold) => outlook.scale * libm::exp(threshold),
            None if self.gauge_is_open() => outlook.scale * FIRST_LIMIT,
            None => f64::INFINITY,
        };
        let within = |residual: f64| residual.max(-limit).min(limit);
        let believed = outlook.expected + within(residual);
        self.signals.learn(believed, outlook, within(distances.before));
        if let Some(more) = self.expectation.learn(*time, believed, outlook) {
            self.signals.rebase(more);
        }
    }

    /// What an episode's end makes of what was learnt.
    fn follow(&mut self, course: Option<Course>, scale: f64) {
        match course {
            Some(Course::Over) => self.signals.return_to_usual(scale),
            Some(Course::Accepted(cause)) => {
                let (level, spread) = self.signals.recent();
                let scale = if cause == Cause::Variance { spread } else { scale };
                self.expectation.shift(level);
                self.expectation.rescale(scale);
                self.signals.accept(scale);
            }
            Some(Course::Flagged(_) | Course::Quiet) | None => return,
        }
        self.episode = None;
    }

    fn judge_late(&self, value: f64, outlook: &Outlook, model: Option<Band>) -> Verdict {
        let mut verdict = self.unjudged(outlook, model);
        if !value.is_finite() {
            return verdict;
        }
        verdict.late = true;
        let mut numbers = [f64::NEG_INFINITY; SIGNALS];
        numbers[SPIKE] = log((self.beside_origin(value) - outlook.expected).abs() / outlook.scale);
        let score = if self.gauge_is_open() { self.gauge.scores(&numbers)[SPIKE] } else { 0.0 };
        verdict.alarm = score >= ALARM && !verdict.learning;
        verdict.is_anomaly = verdict.alarm;
        verdict.score = if verdict.alarm { score } else { score.min(BELOW_ALARM) };
        verdict.cause = verdict.alarm.then_some(Cause::Spike);
        verdict
    }

    /// What is said of a reading of which nothing is said.
    fn unjudged(&self, outlook: &Outlook, model: Option<Band>) -> Verdict {
        let expected = outlook.expected + self.origin;
        let bound =
            self.gauge.threshold(SPIKE).map_or(FIRST_BOUND, libm::exp).min(MOST_BOUND) * outlook.scale;
        let bound = if self.reach > 0.0 { bound.min(MOST_REACHES * self.reach) } else { bound };
        let own = Band { expected, lower: expected - bound, upper: expected + bound };
        Verdict {
            alarm: false,
            is_anomaly: false,
            score: 0.0,
            cause: None,
            band: if outlook.basis == Basis::Model { model.unwrap_or(own) } else { own },
            scale: outlook.scale,
            basis: outlook.basis,
            aged: model.is_some() && self.expectation.is_aged(),
            learning: self.is_learning(),
            late: false,
        }
    }
}
