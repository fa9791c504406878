//! Checks that enough threads can be started.
//!
//! The runtime panics, or waits for ever, if the system has no thread for it (`TasksMax=` of a
//! unit, `ulimit -u`, a container's `pids.max`). So before it starts, as many threads are started
//! as a command may have at a time, and ended again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The runtime's, those that wait for files and databases, the detector's clock, the log's, and
/// those of the process that compiles. Reading models takes one a core besides.
const THREADS: usize = 16;

/// A sentence, if there are too few.
pub(super) fn expect() -> Result<(), String> {
    let needed = THREADS + thread::available_parallelism().map_or(1, usize::from);
    start(needed, |work| thread::Builder::new().spawn(work)).map_err(|(had, error)| {
        format!(
            "no threads to run on: {had} could be started and {needed} are needed ({error}); `TasksMax=` of the unit, `ulimit -u` or \
             the container's limit of processes must be higher"
        )
    })
}

type Work = Box<dyn FnOnce() + Send>;

/// Starts this many threads at a time; else returns how many there were, and why no more.
fn start(
    needed: usize,
    mut spawn: impl FnMut(Work) -> io::Result<thread::JoinHandle<()>>,
) -> Result<(), (usize, io::Error)> {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let mut threads = Vec::with_capacity(needed);
    let failed = loop {
        if threads.len() == needed {
            break None;
        }
        let gate = Arc::clone(&gate);
        match spawn(Box::new(move || drop(gate.lock()))) {
            Ok(thread) => threads.push(thread),
            Err(error) => break Some(error),
        }
    };
    drop(closed);
    let had = threads.len();
    for thread in threads {
        // The thread does nothing that could panic.
        let _ = thread.join();
    }
    failed.map_or(Ok(()), |error| Err((had, error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_needed_are_there_at_a_time() {
        for (most, needed, expected) in [(9, 4, Ok(())), (4, 4, Ok(())), (3, 4, Err(3)), (0, 4, Err(0))] {
            let mut left = most;
            let started = start(needed, |work| match left {
                0 => Err(io::Error::other("none")),
                _ => {
                    left -= 1;
                    thread::Builder::new().spawn(work)
                }
            });
            assert_eq!(started.map_err(|(had, _)| had), expected, "{most} of {needed}");
        }
    }
}
