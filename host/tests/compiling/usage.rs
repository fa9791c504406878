//! The memory and processes of this process and of those that it starts, measured while something
//! runs.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Measures until it is asked for the result.
pub(crate) struct Usage {
    done: Arc<AtomicBool>,
    watching: JoinHandle<u64>,
}

impl Usage {
    /// Of the processes that `parent` starts, and those that they start.
    pub(crate) fn watch(parent: u32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let watching = thread::spawn(move || {
            let mut most = HashMap::new();
            while !stop.load(Ordering::Relaxed) {
                for process in descendants(parent) {
                    if let Some(peak) = peak(process) {
                        most.insert(process, peak);
                    }
                }
                thread::sleep(Duration::from_millis(2));
            }
            most.values().sum()
        });
        Self { done, watching }
    }

    /// The sum of the most that each of them had resident, in bytes.
    pub(crate) fn most(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.watching.join().unwrap()
    }
}

/// The children of a process, and theirs.
pub(crate) fn descendants(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let children = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

/// Whether a process is there and has not ended.
pub(crate) fn is_there(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.contains("State:") && !status.contains("(zombie)")
}

/// The most that a process had resident, in bytes.
pub(crate) fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
