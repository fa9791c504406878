//! Directories and files that nobody but this user can have written, where the system tells.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes a directory, and its parents, that only this user can enter; an existing one must belong
/// to this user alone.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)?;
    check(directory)
}

/// Whether a directory exists and belongs to this user alone.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    ours(&fs::metadata(directory)?)
}

/// Opens a file for reading; it must belong to this user alone, be a regular file, and not be
/// reached through a link.
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
    // Of the open file: another file may take its name at any time.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    ours(&metadata)?;
    Ok(file)
}

/// Whether a file of this name was written by this program: the directory may hold other files as
/// well, which must not be removed.
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

/// The permissions that are inherited in the user's own directories keep others out.
#[cfg(not(unix))]
fn ours(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
