//! Telling people what happened: from the outbox, which is written in the transaction of the
//! verdicts, to the channels of the configuration.
//!
//! What is said is pure: an [`event`] in words ([`sentence`]), put together with others ([`group`])
//! to a [`message`], tried again as [`retry`] says.

pub mod channel;
pub mod event;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod group;
mod http;
pub mod language;
pub mod message;
pub mod retry;
mod secret_source;
mod sentence;
