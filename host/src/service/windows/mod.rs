//! Windows services: registering one, sending it requests, and running as one.

pub mod manage;
pub mod serve;
