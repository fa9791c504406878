#!/bin/sh
# Makes the Debian package: packaging/deb.sh PROGRAM DIRECTORY [VERSION]. Takes dpkg-deb and nothing else.
set -eu
program=$1 out=$2
version=${3:-$("$program" --version | cut -d' ' -f2)}
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

put() { install -D -m "$1" "$2" "$root/$3"; }
# `host` is another program of Debian's.
put 755 "$program" usr/bin/anomaly-worker
put 644 "$here/systemd/anomaly-worker.service" lib/systemd/system/anomaly-worker.service
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
put 644 "$root/manuals/_anomaly-worker" usr/share/zsh/vendor-completions/_anomaly-worker
put 644 "$root/manuals/anomaly-worker.fish" usr/share/fish/vendor_completions.d/anomaly-worker.fish
put 644 "$root/manuals/_anomaly-worker.ps1" "$doc/_anomaly-worker.ps1"
rm -r "$root/manuals"

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do
    install -m 755 "$here/deb/$script" "$root/DEBIAN/$script"
done
echo /etc/anomaly-worker/anomaly-worker.toml >"$root/DEBIAN/conffiles"
# It was linked with this machine's C library, and runs with that or a newer one.
libc=$(dpkg-query -W -f '${Version}' libc6 | cut -d- -f1)
cat >"$root/DEBIAN/control" <<END
Package: anomaly-worker
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: anomaly-worker <anomaly-worker@localhost>
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: libc6 (>= $libc), libgcc-s1
Section: science
Priority: optional
Description: judges a plant's readings in SQL Server
 Every few minutes it reads what is new in a database, asks one Prophet model
 per variable what it expected, and writes a verdict for each reading. Models
 and detector run in a sandbox and can be replaced while it runs.
END
mkdir -p "$out"
dpkg-deb --build --root-owner-group "$root" "$out/anomaly-worker_${version}_$(dpkg --print-architecture).deb"
