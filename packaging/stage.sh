#!/bin/sh
# Puts what a package holds below a directory: packaging/stage.sh PROGRAM ROOT UNITS COMPLETIONS. UNITS is where the distribution has
# units of systemd, COMPLETIONS where zsh looks for completions.
set -eu
program=$1 root=$2 units=$3 completions=$4
here=$(cd "$(dirname "$0")" && pwd)

put() { install -D -m "$1" "$2" "$root/$3"; }
# `host` is another program of Debian's.
put 755 "$program" usr/bin/anomaly-worker
put 644 "$here/systemd/anomaly-worker.service" "$units/anomaly-worker.service"
put 644 "$here/anomaly-worker.toml" etc/anomaly-worker/anomaly-worker.toml
install -d -m 755 "$root/etc/anomaly-worker/models"
install -d -m 700 "$root/etc/anomaly-worker/input" "$root/etc/anomaly-worker/output"
doc=usr/share/doc/anomaly-worker
for file in README.md README.es.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE anomaly-worker.toml; do
    put 644 "$here/../$file" "$doc/$file"
done
printf 'MIT or Apache-2.0, as you like: LICENSE-MIT and LICENSE-APACHE in this directory.\n' >"$root/$doc/copyright"
"$program" manuals "$root/manuals"
for page in "$root"/manuals/*.1; do
    gzip -9n "$page"
    put 644 "$page.gz" "usr/share/man/man1/$(basename "$page").gz"
done
put 644 "$root/manuals/anomaly-worker.bash" usr/share/bash-completion/completions/anomaly-worker
put 644 "$root/manuals/_anomaly-worker" "$completions/_anomaly-worker"
put 644 "$root/manuals/anomaly-worker.fish" usr/share/fish/vendor_completions.d/anomaly-worker.fish
put 644 "$root/manuals/_anomaly-worker.ps1" "$doc/_anomaly-worker.ps1"
rm -r "$root/manuals"
