//! Models that are reached by symbolic links: releases side by side, and a mounted ConfigMap.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::disk::Expected::{Ready, Refused, Same};
use super::disk::{Disk, Step, follow};

/// Points a link elsewhere in one step.
pub(super) fn point(link: &Path, to: &Path) {
    let mut new = link.as_os_str().to_owned();
    new.push(".new");
    symlink(to, &new).unwrap();
    fs::rename(&new, link).unwrap();
}

fn directory(path: &Path, content: &str) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("T1"), content).unwrap();
}

/// Two releases side by side, and the link `models` to one of them.
pub(super) fn releases(models: &Path) {
    directory(&models.with_file_name("release-1"), "one");
    directory(&models.with_file_name("release-2"), "two");
    symlink("release-1", models).unwrap();
}

/// A mounted ConfigMap: `T1` leads through `..data` to a directory of its own.
pub(super) fn config_map(models: &Path) {
    fs::create_dir(models).unwrap();
    directory(&models.join("..2025_1"), "one");
    symlink("..2025_1", models.join("..data")).unwrap();
    symlink("..data/T1", models.join("T1")).unwrap();
}

/// Changes it as a kubelet does.
pub(super) fn update(models: &Path) {
    directory(&models.join("..2025_2"), "two");
    point(&models.join("..data"), Path::new("..2025_2"));
    fs::remove_dir_all(models.join("..2025_1")).unwrap();
}

#[tokio::test]
async fn swapped_links_are_met() {
    let steps: &[Step] = &[
        (|disk| point(&disk.source.models, Path::new("release-2")), Ready),
        (|disk| point(&disk.source.models, Path::new("release-1")), Ready),
        (|disk| point(&disk.source.models, Path::new("release-3")), Refused("models` cannot be read: ")),
        (|disk| point(&disk.source.models, Path::new("release-1")), Same),
    ];
    follow("a link to the directory", Disk::with_models(releases).await, steps).await;
    let steps: &[Step] = &[(|disk| update(&disk.source.models), Ready)];
    follow("a ConfigMap", Disk::with_models(config_map).await, steps).await;
}
