//! Telling people what happened: from the outbox, which is written in the transaction of the
//! verdicts, to the channels of the configuration.
//!
//! What is said is pure: an [`event`] in words ([`sentence`]), put together with others ([`group`])
//! to a [`message`], tried again as [`retry`] says. A [`channel`] sends it once; [`delivery`] runs
//! beside the worker, reads the [`outbox`] and sees to the rest.

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
mod sentence;
pub mod service_status;
pub mod service_watch;
