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
rm -rf "$root/models"
cp -r "$here/../../models/demo" "$root/models"
cat >"$root/etc/systemd/system/try.service" <<END
[Unit]
After=basic.target dbus.socket
[Service]
Type=oneshot
ExecStart=-/inside.sh
StandardOutput=file:/out/said
StandardError=file:/out/said
TimeoutStartSec=10min
ExecStartPost=/bin/systemctl --no-block poweroff
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../try.service "$root/etc/systemd/system/multi-user.target.wants/try.service"
# What it does to the system is forgotten.
mkdir "$work/out"
timeout 600 systemd-nspawn --quiet --directory="$root" --volatile=overlay --bind="$work/out:/out" --register=no --keep-unit --boot --console=read-only >"$work/boot" 2>&1 </dev/null || true
cat "$work/out/said" || cat "$work/boot"
tail -1 "$work/out/said" | grep -qx 'all is well'
