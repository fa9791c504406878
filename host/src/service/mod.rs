//! The service as whoever manages it sees it: systemd today.

mod notify;
pub mod systemd;

pub use notify::Manager;
