//! The service as whoever manages it sees it: systemd today.

mod notify;

pub use notify::Manager;
