#!/bin/sh
# Makes a container image of a program that was built here, from nothing: packaging/image.sh PROGRAM [TAG]. Takes buildah or podman and no registry.
# The image holds the program, the libraries that it is linked with, certificates and time zones. Without a registry at hand this is the one to build;
# packaging/Containerfile builds from the sources as well.
set -eu
program=$1 tag=${2:-anomaly-worker}
here=$(cd "$(dirname "$0")" && pwd)
for builder in buildah podman ''; do
    [ -z "$builder" ] || { command -v "$builder" >/dev/null && break; }
done
[ -n "$builder" ] || { echo "left out: there is neither buildah nor podman" >&2; exit 0; }
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/root
install -D -m 755 "$program" "$root/usr/bin/anomaly-worker"
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    install -D -m 755 "$library" "$root$library"
done
for file in /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$root$file"
done
if [ -d /usr/share/zoneinfo ]; then
    mkdir -p "$root/usr/share"
    cp -r /usr/share/zoneinfo "$root/usr/share/"
fi
install -d -m 1777 "$root/tmp"
mkdir "$root/plant"
"$builder" build --isolation chroot --format docker --file "$here/Containerfile.scratch" --tag "$tag" "$context"
