#!/bin/sh
# Makes the zip and the MSI for Windows: packaging/windows.sh PROGRAM DIRECTORY [VERSION]. Takes zip, wixl and msitools.
set -eu
program=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
version=${3:-$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=$work/anomaly-worker-$version
mkdir "$files" "$files/models"
# The name that packages give it everywhere.
cp "$program" "$files/anomaly-worker.exe"
cp "$here/windows/anomaly-worker.toml" "$files/"
cp "$here/../anomaly-worker.toml" "$files/anomaly-worker-defaults.toml"
for file in README.md README.es.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
    cp "$here/../$file" "$files/"
done
cp "$here/../docs/service-windows.md" "$files/service.md"
cp "$here/../docs/service-windows.es.md" "$files/service.es.md"
# `schtasks` reads nothing else.
{ printf '\377\376'; iconv -f UTF-8 -t UTF-16LE "$here/windows/task.xml"; } >"$files/task.xml"

name=anomaly-worker_${version}_x64
rm -f "$out/$name.zip"
(cd "$work" && zip -q -r -X "$out/$name.zip" "anomaly-worker-$version")
(cd "$files" && wixl --arch x64 -D VERSION="$version" -o "$out/$name.msi" "$here/windows/anomaly-worker.wxs")
# What wixl has no words for: neither an upgrade nor an end takes the configuration and the models (16), and
# what is there stays as it is (128). 256 is a component of 64 bits.
msibuild "$out/$name.msi" -q "UPDATE Component SET Attributes = 400 WHERE Component = 'Configuration'"
msibuild "$out/$name.msi" -q "UPDATE Component SET Attributes = 272 WHERE Component = 'Models'"
echo "$out/$name.zip"
echo "$out/$name.msi"
