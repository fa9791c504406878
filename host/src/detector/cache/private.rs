//! Directories and files that nobody but this user can have written, where the system tells.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a directory, and those above it, that only this user can enter; one that is there already
/// must be ours alone.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)?;
    check(directory)
}

/// Whether a directory is there and ours alone.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    ours(&fs::metadata(directory)?)
}

/// Opens a file for reading; it must be ours alone, a regular file, and not behind a link.
pub(crate) fn open(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(file)?;
    // Of the open file: what its name stands for may change at any time.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    ours(&metadata)?;
    Ok(file)
}

/// Whether a file of this name is one that was put there by this program: the directory may be one
/// that holds other things as well, and those are nobody's to remove.
pub(crate) fn is_own(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let entry = name.strip_suffix(".trial").unwrap_or(&name);
    name.starts_with(".tmp") || (entry.len() == 32 && entry.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(unix)]
fn ours(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return refused(format!("it belongs to the user {} and this program runs as {user}", metadata.uid()));
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o022 != 0 => refused(format!("others can write it (its mode is {mode:o})")),
        _ => Ok(()),
    }
}

/// What the user's own directories inherit there keeps others out.
#[cfg(not(unix))]
fn ours(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
