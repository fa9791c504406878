//! What turns the readings of one variable into an alarm: how much of what it does now it has not done before.
//!
//! [`Novelty`] takes one reading at a time and answers a number that is 0 for what is known. [`Alarm`] compares it with a threshold
//! that each alarm raises for a while. Both are pure and keep a bounded state, which is plain data for a checkpoint: what is given
//! in any number of pieces gives the same answers to the last bit, on every system.
//!
//! How it works: readings are squeezed into [`blocks`], about a hundred per warm-up. Two memories look at the last blocks: a few
//! [`boxes`] remember shapes and levels of eight blocks, and [`nearest`] searches the last 512 blocks for the window most like the newest
//! one, whose distance counts against its own decaying [`record`]. Where the blocks begin is arbitrary, so several [`phase`]s cut them
//! at different readings and their mean counts.
//!
//! Sources: the boxes are fuzzy ART (Carpenter, Grossberg and Rosen, "Fuzzy ART", Neural Networks 4, 1991) over Haar coefficients; the nearest
//! earlier window is a discord (Keogh, Lin and Fu, "HOT SAX", ICDM 2005) against its past.

mod alarm;
mod blocks;
mod boxes;
mod nearest;
mod novelty;
mod phase;
mod record;

pub use alarm::{Alarm, Verdict};
pub use novelty::Novelty;
