#!/bin/sh
# Makes the RPM package: packaging/rpm.sh PROGRAM DIRECTORY [VERSION]. Takes rpmbuild and nothing else, which Debian's package `rpm` brings too.
set -eu
program=$(realpath "$1") out=$2
version=${3:-$("$program" --version | cut -d' ' -f2)}
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
mkdir -p "$out" "$top/root"
"$here/stage.sh" "$program" "$top/root" usr/lib/systemd/system usr/share/zsh/site-functions
# It was linked with this machine's C library, and runs with that or a newer one.
libc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
rpmbuild -bb --quiet --target "$(uname -m)" \
    --define "_topdir $top" --define "_rpmdir $top/out" --define "staged $top/root" \
    --define "package_version $version" --define "libc $libc" \
    ${RPM_PAYLOAD:+--define "_binary_payload $RPM_PAYLOAD"} \
    "$here/rpm/anomaly-worker.spec"
cp "$top"/out/*/*.rpm "$out/"
