//! Replacing module and models under a running worker, in each situation on the disk that has
//! caused errors elsewhere: what the look says, which set judges the next batch, and what the log
//! says of it.

#[cfg(unix)]
mod again;
#[cfg(unix)]
mod asked;
mod disk;
mod events;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod links;
mod situations;
mod started;
mod swaps;
