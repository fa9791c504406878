//! Alerts: messages from the outbox, which is written in the transaction of the verdicts, are
//! delivered to the channels of the configuration.
//!
//! The content is pure: an [`event`] is put into words ([`sentence`]) and grouped with others
//! ([`group`]) into a [`message`]; [`retry`] decides on further attempts. A [`channel`] makes one
//! attempt; [`delivery`] runs beside the worker, reads the [`outbox`] and does the rest.

pub mod channel;
pub mod delivery;
pub mod event;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod group;
mod http;
pub mod language;
pub mod message;
pub mod outbox;
mod picture;
pub mod retry;
mod secret_source;
pub(crate) mod sentence;
pub mod service_status;
pub mod service_watch;
