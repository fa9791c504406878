//! The numbers of one variable that may alarm, and what each says when it does.
//!
//! With `r` the reading beside its expectation, `s` the usual |r|, `w` the reading beside its base
//! (so that a level shows), and `<x>_n` the mean over about the last n readings; N is the span:
//!
//! ```text
//! pattern   log novelty                            see `Novelty`
//! spike     log |r| / s
//! shift     log |<w>_N/72 - <w>_N/2| / s
//! drift     log |<w>_N/4 - <w>_3N| / s
//! variance  |log <|r|>_N/48 / s|
//! stuck     log of how many equal readings there were in a row
//! jump      log |r - k r'| / <|r - k r'|>_2N       r' the r before, k how much of it is usually left
//! ```
//!
//! What is slow (the longer means and s) stands still while something is wrong. The scale of none
//! of them matters: each is held against its own past.

use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::expectation::Outlook;

/// Numbers that may alarm.
pub(crate) const SIGNALS: usize = 7;

pub(crate) const PATTERN: usize = 0;
pub(crate) const SPIKE: usize = 1;
pub(crate) const SHIFT: usize = 2;
pub(crate) const DRIFT: usize = 3;
pub(crate) const VARIANCE: usize = 4;
pub(crate) const STUCK: usize = 5;
pub(crate) const JUMP: usize = 6;

/// The most of a residual that the next one is expected to keep: beyond it a variable wanders.
const MOST_KEPT: f64 = 0.98;

/// Logarithms beyond these say no more.
const LEAST: f64 = -20.0;
const MOST: f64 = 40.0;

/// The means behind the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Signals {
    /// Of readings beside their base.
    block: Average,
    half: Average,
    quarter: Average,
    thrice: Average,
    /// Of |r|, and of r.
    spread: Average,
    recent: Average,
    /// The residual before, and means of the products of two that follow each other, of their
    /// squares, and of how far one is from what the one before it lets expect.
    before: f64,
    products: Average,
    squares: Average,
    news: Average,
    last: Option<f64>,
    /// Equal readings in a row, and how often they ended.
    run: u32,
    changes: u32,
}

/// Where a variable stands beside what is usual, in its own units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Distances {
    pub(crate) residual: f64,
    /// The residual before.
    pub(crate) before: f64,
    /// The mean of the last residuals: what is sudden.
    pub(crate) recent: f64,
    pub(crate) shift: f64,
    pub(crate) drift: f64,
    /// The mean of the last readings beside what was usual for long.
    pub(crate) level: f64,
    /// The logarithm of the ratio.
    pub(crate) spread: f64,
    pub(crate) run: u32,
}

impl Signals {
    pub(crate) fn new(span: u32) -> Self {
        let over = |part: u32, least: u32| Average::new((span / part).max(least));
        Self {
            block: over(72, 4),
            half: over(2, 4),
            quarter: over(4, 4),
            thrice: Average::new(span.saturating_mul(3)),
            spread: over(48, 12),
            recent: over(72, 4),
            before: 0.0,
            products: Average::new(span),
            squares: Average::new(span),
            news: Average::new(span.saturating_mul(2)),
            last: None,
            run: 0,
            changes: 0,
        }
    }

    /// Takes in a reading as it is: what is fast.
    pub(crate) fn see(&mut self, x: f64, outlook: &Outlook) -> Distances {
        let (residual, beside) = (x - outlook.expected, x - outlook.base);
        self.block.push(beside);
        self.quarter.push(beside);
        self.spread.push(residual.abs());
        self.recent.push(residual);
        if self.last == Some(x) {
            self.run = self.run.saturating_add(1);
        } else {
            self.run = 1;
            self.changes = self.changes.saturating_add(1);
        }
        self.last = Some(x);
        let before = std::mem::replace(&mut self.before, residual);
        Distances {
            residual,
            before,
            recent: self.recent.mean(),
            shift: if self.half.is_empty() { 0.0 } else { self.block.mean() - self.half.mean() },
            drift: if self.thrice.is_empty() { 0.0 } else { self.quarter.mean() - self.thrice.mean() },
            level: if self.thrice.is_empty() { 0.0 } else { self.block.mean() - self.thrice.mean() },
            spread: log(self.spread.mean() / outlook.scale),
            run: self.run,
        }
    }

    /// Takes a reading, or what is believed of it, into what is slow; `before` is the residual
    /// before, or what is believed of that.
    pub(crate) fn learn(&mut self, x: f64, outlook: &Outlook, before: f64) {
        let residual = x - outlook.expected;
        self.news.push((residual - self.kept() * before).abs());
        self.products.push(residual * before);
        self.squares.push(residual * residual);
        self.half.push(x - outlook.base);
        self.thrice.push(x - outlook.base);
    }

    /// How much of a residual is usually left in the next.
    fn kept(&self) -> f64 {
        let squares = self.squares.mean();
        if squares > 0.0 { (self.products.mean() / squares).clamp(0.0, MOST_KEPT) } else { 0.0 }
    }

    /// The numbers, but for the pattern's.
    pub(crate) fn numbers(&self, distances: &Distances, scale: f64) -> [f64; SIGNALS] {
        let of = |distance: f64| log(distance.abs() / scale);
        // Of a variable that does not change it cannot be said how long is too long.
        let stuck = if self.changes < 20 { 0.0 } else { libm::log(f64::from(distances.run)) };
        let mut numbers = [0.0; SIGNALS];
        numbers[SPIKE] = of(distances.residual);
        numbers[SHIFT] = of(distances.shift);
        numbers[DRIFT] = of(distances.drift);
        numbers[VARIANCE] = distances.spread.abs();
        numbers[STUCK] = stuck;
        let news = (distances.residual - self.kept() * distances.before).abs();
        // What is lost in the digits of a residual is no news.
        numbers[JUMP] = log(news / self.news.mean().max(1e-9 * scale));
        numbers
    }

    /// What the last readings were beside their expectation, and their usual distance from it.
    pub(crate) fn recent(&self) -> (f64, f64) {
        (self.recent.mean(), self.spread.mean())
    }

    /// What is fast goes back to what is slow: the episode is over and forgotten.
    pub(crate) fn return_to_usual(&mut self, scale: f64) {
        self.block.set(self.half.mean());
        self.quarter.set(self.thrice.mean());
        self.spread.set(scale);
        self.recent.set(0.0);
    }

    /// What is slow goes to what is fast: this is usual now, at this usual error.
    pub(crate) fn accept(&mut self, scale: f64) {
        self.spread.set(scale);
        let level = self.block.mean();
        self.half.set(level);
        self.quarter.set(level);
        self.thrice.set(level);
        // The next residual is one beside the new level; so must be the one before it, or the two
        // are a jump.
        self.before -= self.recent.mean();
        self.recent.set(0.0);
    }

    /// Another base: levels beside it are other levels.
    pub(crate) fn rebase(&mut self, by: f64) {
        for of in [&mut self.block, &mut self.half, &mut self.quarter, &mut self.thrice] {
            of.set(of.mean() + by);
        }
    }
}

/// Within bounds, and never not a number.
pub(crate) fn log(x: f64) -> f64 {
    if x > 0.0 { libm::log(x).clamp(LEAST, MOST) } else { LEAST }
}
