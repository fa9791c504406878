//! The service from the service manager's side: systemd, or the service manager of Windows.

pub mod control;
mod notify;
pub mod registration;
pub mod systemd;
#[cfg(windows)]
pub mod windows;

pub use notify::Manager;

/// The default name of a service.
pub const NAME: &str = "anomaly-worker";

/// The exit code for an error of the command line or the configuration, which no restart repairs.
pub(crate) const USAGE: u8 = 2;
