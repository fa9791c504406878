#!/bin/sh
# Makes the Debian package: packaging/deb.sh PROGRAM DIRECTORY [VERSION]. Takes dpkg-deb and nothing else.
set -eu
program=$1 out=$2
version=${3:-$("$program" --version | cut -d' ' -f2)}
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

"$here/stage.sh" "$program" "$root" lib/systemd/system usr/share/zsh/vendor-completions

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
