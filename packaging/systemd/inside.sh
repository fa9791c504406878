#!/bin/bash
# What packaging/systemd/try.sh has the booted system do: the package from its installation to its purge. Ends with `all is well`.
set -u
config=/etc/anomaly-worker/anomaly-worker.toml
plant=/var/lib/anomaly-worker/plant.sqlite
step() { echo "== $*"; }
fail() {
    echo "FAILED: $*"
    systemctl status --no-pager anomaly-worker
    journalctl --no-pager -u anomaly-worker | tail -40
    exit 1
}
property() { systemctl show --property="$1" --value anomaly-worker; }
# Something that must come to be so.
becomes() {
    for _ in $(seq 300); do eval "$2" && return; sleep 0.2; done
    fail "$1"
}
verdicts() { sqlite3 "$plant" "SELECT count(*) FROM anomalies_detector" 2>/dev/null || echo 0; }
readings() {
    sqlite3 "$plant" "INSERT INTO datos_proceso (datetime, variable_name, value)
        SELECT datetime('now', 'localtime', '-$1 seconds'), column1, 70 FROM (VALUES ('TEMP-03'), ('TEMP-04'))"
}
logged() { journalctl --no-pager -u anomaly-worker | grep -qF "$1"; }

step install
dpkg --force-depends -i /anomaly-worker.deb >/dev/null || fail "it is not installed"
cp /models/* /etc/anomaly-worker/models/
mkdir -p /etc/systemd/system/anomaly-worker.service.d
printf '[Service]\nRestartSec=1s\n' >/etc/systemd/system/anomaly-worker.service.d/try.conf
sed -i 's/^\[log\]/[worker]\ninterval = "2s"\n[log]/' $config
systemctl daemon-reload

step 'start: without a database it waits for one'
systemctl start anomaly-worker || fail "the start failed"
[ "$(property ActiveState)" = active ] || fail "it is not active"
logged 'there is no such file' || fail "it does not say what it waits for"

step 'a database comes'
sqlite3 $plant "CREATE TABLE datos_proceso (id INTEGER PRIMARY KEY AUTOINCREMENT, datetime TEXT NOT NULL, variable_name TEXT NOT NULL, value REAL,
    source_file TEXT, created_at TEXT)"
readings 60
chown --reference=/var/lib/anomaly-worker/ $plant
becomes 'verdicts' '[ "$(verdicts)" = 2 ]'
becomes 'a status' 'property StatusText | grep -q "^cycle .*, watermark .*, set "'
echo "status: $(property StatusText)"
becomes 'the kept set' '[ -n "$(ls /var/lib/anomaly-worker/last-good)" ]'
[ "$(journalctl -u anomaly-worker -p err -o cat | wc -l)" -gt 0 ] || fail "lines have no priority"

step 'reload'
systemctl reload anomaly-worker || fail "the reload failed"
becomes 'the answer in the journal' 'logged "nothing has changed; set "'
[ "$(property ActiveState)" = active ] || fail "it is not active after the reload"
systemctl kill --signal=HUP --kill-who=main anomaly-worker
becomes 'the answer to a signal' 'logged "SIGHUP: nothing has changed"'
becomes 'the end of the reload' '[ "$(property ActiveState)" = active ]'
anomaly-worker reload --config $config || fail "root is not answered"
said=$(setpriv --reuid=65534 --regid=65534 --clear-groups anomaly-worker reload --config $config 2>&1) && fail "anybody is answered"
echo "$said" | grep -q 'it belongs to another user; as root: sudo /usr/bin/anomaly-worker reload --config ' || fail "$said"
anomaly-worker reload --dry-run --config $config || fail "the dry run failed"
anomaly-worker check --config $config | grep 'it runs already' || fail "check does not see it"
anomaly-worker status --config $config || fail "there is no status"

step 'a broken model is refused, by a reload and by a restart'
cp /etc/anomaly-worker/models/prophet_model_TEMP_03.json /good.json
echo '{' >/etc/anomaly-worker/models/prophet_model_TEMP_03.json
touch -d '1 hour ago' /etc/anomaly-worker/models/prophet_model_TEMP_03.json
systemctl reload anomaly-worker && fail "a broken model is not refused"
[ "$(property ActiveState)" = active ] || fail "a refused reload ends it"
logged 'the files are refused and set ' || fail "it does not say why"
systemctl restart anomaly-worker || fail "the restart failed"
becomes 'the last good set' 'logged "the last set that judged goes on in their place"'
readings 30
becomes 'verdicts of the last good set' '[ "$(verdicts)" = 4 ]'
becomes 'a status of it' 'anomaly-worker status --config $config | grep -q "^files         refused"'
cp /good.json /etc/anomaly-worker/models/prophet_model_TEMP_03.json
becomes 'mended files' '! anomaly-worker status --config $config | grep -q "^files "'

step 'killed, it is started anew; nothing is judged twice'
kill -KILL "$(property MainPID)"
readings 20
becomes 'a new start' '[ "$(property NRestarts)" = 1 ] && [ "$(verdicts)" = 6 ]'

step 'a wrong configuration is not tried again'
systemctl stop anomaly-worker || fail "it does not stop"
cp $config /good.toml
echo 'interval = 0' >>$config
systemctl start anomaly-worker && fail "it starts with a wrong configuration"
[ "$(property ExecMainStatus)" = 2 ] && [ "$(property ActiveState)" = failed ] || fail "it is tried again"
cp /good.toml $config

step 'watched, stopped, upgraded, purged'
systemctl start anomaly-worker || fail "it does not start"
before=$(property MainPID)
dpkg --force-depends --force-confold -i /anomaly-worker.deb >/dev/null || fail "the upgrade failed"
becomes 'the new program' '[ "$(property ActiveState)" = active ] && [ "$(property MainPID)" != "$before" ]'
systemctl stop anomaly-worker || fail "it does not stop"
[ "$(property Result)" = success ] || fail "it ends with $(property Result)"
dpkg --purge anomaly-worker 2>&1 | grep 'private/anomaly-worker stays' || fail "data is not spoken of"
[ ! -e /usr/bin/anomaly-worker ] && [ ! -e $config ] && [ -e /var/lib/private/anomaly-worker/plant.sqlite ] || fail "too much or too little is gone"
echo 'all is well'
