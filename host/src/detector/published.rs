//! The published versions of the contract, word for word: detectors of other authors rely on them.

use super::CONTRACT;

/// By version.
const PUBLISHED: &[(&str, &str)] = &[("0.1.0", include_str!("published/detector-0.1.0.wit"))];

#[test]
fn a_published_contract_is_never_edited() {
    let now = include_str!("../../../wit/detector.wit");
    let package = |line: &str| Some(line.strip_prefix("package ")?.strip_suffix(';')?.to_owned());
    let package = now.lines().find_map(package).unwrap_or_default();
    assert_eq!(package, CONTRACT, "the package of `wit/detector.wit` and the one that this host serves");
    let version = package.split_once('@').map_or("", |(_, version)| version);
    let published = PUBLISHED.iter().find(|(published, _)| *published == version);
    let Some((_, published)) = published else { return };
    // Line by line: a checkout may have other line ends.
    let differs = now.lines().zip(published.lines()).position(|(now, published)| now != published);
    let line = differs.unwrap_or_else(|| now.lines().count().min(published.lines().count())) + 1;
    assert!(
        now.lines().eq(published.lines()),
        "`wit/detector.wit` is not what was published as {version}, from line {line} on, and detectors of that version would no longer \
         fit: put it back, or give the package a new version (its `package` line, `CONTRACT` in host/src/detector/mod.rs, and \
         `@since` of what is new); once that is published, put a copy beside the one of {version} in host/src/detector/published"
    );
}
