//! The service as whoever manages it sees it: systemd, or the service manager of Windows.

pub mod control;
mod notify;
pub mod registration;
pub mod systemd;
#[cfg(windows)]
pub mod windows;

pub use notify::Manager;

/// What a service is called that nobody has named.
pub const NAME: &str = "anomaly-worker";

/// The exit code of what is wrong with the command line or the configuration: no restart mends it.
pub(crate) const USAGE: u8 = 2;
