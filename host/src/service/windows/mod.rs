//! Services of Windows: registering one, asking it for something, and being one.

pub mod manage;
pub mod serve;
