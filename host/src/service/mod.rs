//! The service as whoever manages it sees it: systemd today.

pub mod control;
mod notify;
pub mod systemd;

pub use notify::Manager;
