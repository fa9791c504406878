#!/bin/bash
# The Debian package under a systemd that is booted: packaging/systemd/try.sh PACKAGE.deb [ROOT]. Takes root, debootstrap and systemd-nspawn (Debian's
# package systemd-container). ROOT is a Debian that was made before; without it one is made and thrown away.
set -euo pipefail
package=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=${2:-$work/root}
if [ ! -x "$root/usr/bin/systemctl" ]; then
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,sqlite3 bookworm "$root" http://deb.debian.org/debian
fi
install -m 644 "$package" "$root/anomaly-worker.deb"
install -m 755 "$here/inside.sh" "$root/inside.sh"
rm -rf "$root/models" "$root/said"
cp -r "$here/../../models/demo" "$root/models"
cat >"$root/etc/systemd/system/try.service" <<END
[Unit]
After=basic.target dbus.socket
[Service]
Type=oneshot
ExecStart=-/inside.sh
StandardOutput=file:/said
StandardError=file:/said
TimeoutStartSec=10min
ExecStartPost=/bin/systemctl --no-block poweroff
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../try.service "$root/etc/systemd/system/multi-user.target.wants/try.service"
timeout 600 systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --boot --console=read-only >"$work/boot" 2>&1 </dev/null || true
cat "$root/said" || cat "$work/boot"
tail -1 "$root/said" | grep -qx 'all is well'
