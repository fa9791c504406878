//! One active worker per name: a locked file beside the output.
//!
//! The system releases the lock when the process ends, however it ends; the empty file stays,
//! because deleting it would race with the next process that locks it. If it cannot be made or
//! locked (some network shares), every worker leads, and only the fence keeps them apart.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::SqliteStore;
use super::connect::expect_file;
use super::side::Side;
use crate::store::{ErrorKind, LeaderLock, StoreError};

pub(super) struct FileLock {
    store: SqliteStore,
    worker: String,
    /// Locked until it is dropped.
    held: Option<File>,
}

impl FileLock {
    pub(super) fn new(store: &SqliteStore, worker: &str) -> Self {
        Self { store: store.clone(), worker: worker.to_owned(), held: None }
    }
}

#[async_trait]
impl LeaderLock for FileLock {
    async fn try_acquire(&mut self) -> Result<bool, StoreError> {
        // A lock that is held is kept; another handle would find it taken.
        if self.held.is_some() {
            return Ok(true);
        }
        let (store, worker) = (self.store.clone(), self.worker.clone());
        // The lock file may be on a slow share.
        let asked = tokio::task::spawn_blocking(move || try_lock(&store, &worker)).await;
        let locked = asked.unwrap_or_else(|error| {
            let message = format!("the thread that locks a worker's name ended: {error}");
            Err(StoreError::new(ErrorKind::Other, message))
        })?;
        Ok(match locked {
            Locked::Here(file) => {
                self.held = file;
                true
            }
            Locked::Elsewhere => false,
        })
    }
}

enum Locked {
    /// Held by us, with the file if there is one that can be locked.
    Here(Option<File>),
    Elsewhere,
}

fn try_lock(store: &SqliteStore, worker: &str) -> Result<Locked, StoreError> {
    let timeout = store.busy_timeout;
    // A mistyped path must not leave a lock file behind.
    expect_file(&store.input, Side::Input).map_err(|fault| fault.at(&store.input, timeout))?;
    let side = Side::Output { create: store.create_output };
    expect_file(&store.output, side).map_err(|fault| fault.at(&store.output, timeout))?;
    let path = lock_path(store, worker);
    let ours = File::options().create(true).truncate(false).write(true).open(&path);
    // Left by another user, for instance by root's `run --once`: reading is enough to lock it.
    let opened = ours.or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => File::open(&path),
        _ => Err(error),
    });
    let locked = match opened {
        Ok(file) => match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Ok(Locked::Elsewhere),
            Err(TryLockError::Error(error)) => without(&path, &error),
        },
        Err(error) => without(&path, &error),
    };
    Ok(Locked::Here(locked))
}

/// If the directory cannot be written, the database itself gives a better error.
fn without(path: &Path, error: &std::io::Error) -> Option<File> {
    tracing::debug!("`{}` cannot be locked: {error}", path.display());
    None
}

/// `plant.sqlite-default.lock`; characters that a file name cannot contain are replaced, and a
/// digest then makes such names different.
fn lock_path(store: &SqliteStore, worker: &str) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = if worker.chars().all(plain) {
        worker.to_owned()
    } else {
        let digest: String =
            Sha256::digest(worker).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digest}", worker.replace(|c: char| !plain(c), "_"))
    };
    let mut path = store.output.clone().into_os_string();
    path.push(format!("-{name}.lock"));
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_file_of_its_own() {
        let path = |worker| lock_path(&SqliteStore::new("d/plant.sqlite"), worker).display().to_string();
        for (worker, expected) in [
            ("default", "d/plant.sqlite-default.lock"),
            ("default 2/8", "d/plant.sqlite-default_2_8-3ff397a3.lock"),
            ("default_2_8", "d/plant.sqlite-default_2_8.lock"),
            ("../x", "d/plant.sqlite-.._x-d6b96a97.lock"),
        ] {
            assert_eq!(path(worker), expected);
        }
    }
}
