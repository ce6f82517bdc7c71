# shellcheck disable=SC2016 # what as_printed gets is for its own bash
# shellcheck disable=SC2154 # what is not set here is set by the script that reads this part
# The packages come onto a fresh Debian, the desk is configured, and patients come.
# shellcheck shell=bash
: >/out/told
[ "$(systemctl is-system-running --wait)" = running ]
say $? "systemd is running before anything is installed"
echo 'uketsuke-models uketsuke-models/directory string /data/models' | debconf-set-selections
as_printed 'sudo apt install ./uketsuke_0.1.0_amd64.deb ./uketsuke-models_0.1.0_all.deb'
check "the models came from the local directory and are right" uketsuke-fetch-models
not_failed() { [ -z "$(systemctl --no-legend --plain list-units --state=failed 'uketsuke*')" ]; }
quiet_without_configuration() { not_failed && ! systemctl -q is-active uketsuke-desk.service; }
check "installed and not configured: nothing runs, nothing failed" quiet_without_configuration
check "the database key was made and is encrypted to this machine" test -s /etc/uketsuke/credentials/database.key

# The counter of a house, as far as it goes without its hardware and its service.
as_printed 'sudo cp /usr/share/doc/uketsuke/examples/uketsuke.conf.example /etc/uketsuke/uketsuke.conf'
as_printed 'uketsuke config check'
as_printed 'sudo uketsuke-setup'
install -D -m 644 -t /etc/uketsuke/pki /data/guest/sim/pki/ca.pem /data/guest/sim/pki/client.pem
as_printed 'sudo uketsuke-setup import upstream-main.key client.key' 'uketsuke-setup import upstream-main.key /data/guest/sim/pki/client.key'
as_printed 'sudo uketsuke-setup import upstream-main.password -' 'echo of-the-service | uketsuke-setup import upstream-main.password -'
as_printed 'sudo uketsuke-setup export database.key > FILE' 'uketsuke-setup export database.key >/run/database.key && [ "$(stat -c %s /run/database.key)" = 32 ]'
as_printed 'sudo systemctl enable --now uketsuke.target'
check "a counter whose service does not answer yet has all its programs up" wait_for 180 all_active
systemctl stop uketsuke.target
rm -r /etc/uketsuke/uketsuke.conf /etc/uketsuke/credentials/upstream-main.*

# The same without hardware.
as_printed 'sudo apt install ./uketsuke-sim_0.1.0_amd64.deb'
as_printed 'sudo uketsuke-sim setup' 'uketsuke-sim setup /data/guest/sim'
as_printed 'sudo uketsuke-sim configure'
# An emulated processor is slow at faces.
sed -i 's/^card-back-seconds.*/&\nmethod-seconds = 600\nentry-seconds = 600\nface-seconds = 120\nask-seconds = 60\nbackup-directory = \/var\/backups\/uketsuke/' /etc/uketsuke/uketsuke.conf
# Backups on another disk, as uketsuked(8) says.
install -d -o uketsuke-desk -g uketsuke-desk -m 700 /var/backups/uketsuke
mkdir -p /etc/systemd/system/uketsuke-desk.service.d
sed -n '/30-backup.conf/,/^\.Ed/{/^\[Service\]/p;/^ReadWritePaths=/p}' /out/man/uketsuked.8 >/etc/systemd/system/uketsuke-desk.service.d/30-backup.conf
check "uketsuked(8) says how the desk is let write backups elsewhere" grep -qx 'ReadWritePaths=/var/backups/uketsuke' /etc/systemd/system/uketsuke-desk.service.d/30-backup.conf
systemctl daemon-reload
as_printed 'uketsuke config check'
as_printed 'sudo systemctl enable --now uketsukesim.target uketsuke.target'
check "every service becomes active" wait_for 120 all_active
systemctl --no-pager status 'uketsuke-*' 2>&1 | head -n 120

for service in $services; do
    level=$(systemd-analyze security "$service.service" 2>/dev/null | sed -nE 's/.*exposure level for [^ ]*: ([0-9.]+).*/\1/p')
    awk -v level="${level:-10}" 'BEGIN {exit !(level <= 1.5)}'
    say $? "$service runs under its own user $(systemctl show -P User "$service.service"), exposure ${level:-unknown}"
done
uids() { for service in $services; do stat -c %u "/proc/$(systemctl show -P MainPID "$service.service")"; done | sort -u; }
[ "$(uids | wc -l)" = 7 ] && ! uids | grep -qx 0
say $? "seven programs, seven users, none of them root"
strangers() { # nobody else comes to a socket, the database or a credential
    ! setpriv --reuid=nobody --clear-groups cat "$database" 2>/dev/null &&
        ! setpriv --reuid=nobody --clear-groups ls /etc/uketsuke/credentials 2>/dev/null &&
        ! setpriv --reuid=uketsuke-web --clear-groups cat "$database" 2>/dev/null &&
        ! setpriv --reuid=uketsuke-relay --clear-groups ls /run/credentials/uketsuke-desk.service 2>/dev/null &&
        ! setpriv --reuid=nobody --clear-groups curl -s --max-time 5 --unix-socket /run/uketsuke/desk.sock http://x/ 2>/dev/null
}
check "no other user reads database or credentials, or comes to the desk's socket" strangers
check "the pages answer" curl -sf --max-time 20 -o /dev/null http://127.0.0.1:8620/

visits day
say $? "a day's visits: PIN, staff, paper, a counterfeit card"
if [ "$faces" = yes ]; then
    visits faces
    say $? "a visit by face"
    frames=/data/guest/sim/videos
    printf '%s\n' path_a,path_b,same franck/frame_00001.jpg,franck/frame_00005.jpg,1 franck/frame_00001.jpg,cap12/frame_00001.jpg,0 >/run/pairs
    as_printed 'uketsuke-evaluate --models /usr/share/uketsuke/models --pairs FILE' "uketsuke-evaluate --models /usr/share/uketsuke/models --pairs /run/pairs --root $frames"
fi
as_printed 'sudo uketsuke doctor'
as_printed 'sudo uketsuke-setup addresses' 'uketsuke-setup addresses | tee /run/addresses'
kiosk=$(sed -n 's/.*\(http[^#]*\/kiosk\/1\)#token=.*/\1/p' /run/addresses)
check "the kiosk's address that it prints answers" curl -sf --max-time 20 -o /dev/null "$kiosk"
as_printed 'uketsuke lookup 06123459 77 --birth 19550203 --symbol 12 --branch 01' 'uketsuke lookup 00990010 2001 --birth 19640229 --symbol 試験 --branch 01'
as_printed 'uketsuke visits --date 2026-11-21'
"$(dirname "$sim")/sim-samples" /run/samples
as_printed 'uketsuke eligibility show OQSsiquc01res_202610050001.xml' 'uketsuke eligibility show "$(ls /run/samples/*res*.xml | head -n 1)" | jq -e .XmlMsg'
as_printed "uketsuke --json watch | jq 'select(.message == \"visit_item\")'" "timeout 20 uketsuke --json watch | jq 'select(.message == \"visit_item\")' >/run/watched & sleep 3
    uketsuke lookup 00990010 2001 --birth 19640229 --symbol 試験 --branch 01; wait; grep -q visit_item /run/watched"
as_printed 'uketsuke reload'
as_printed 'systemctl reload uketsuke-desk'
as_printed 'uketsuke key rotate'
as_printed 'uketsuke backup' 'uketsuke backup && ls /var/backups/uketsuke/*.backup'
as_printed 'sudo uketsuke restore BACKUP --check --key FILE' 'uketsuke restore $(ls /var/backups/uketsuke/*.backup | tail -n 1) --check --key /run/database.key'
for command in 'uketsuke status' 'uketsuke visits' 'uketsuke outbox' 'uketsuke audit list' 'uketsuke audit anchor' 'uketsuke audit verify' 'uketsuke failures' 'uketsuke account list'; do
    check "it answers: $command" bash -c "$command"
done
as_printed 'sudo uketsuke account add NAME administrator' 'uketsuke account add 佐藤 administrator'
as_printed 'sudo uketsuke bundle' 'uketsuke bundle /run/bundle.tar.gz && tar -tzf /run/bundle.tar.gz uketsuke-bundle/journal.json'
as_printed 'sudo systemctl enable --now uketsuke-reader@2.socket'
systemctl -q disable --now uketsuke-reader@2.socket

# A program that hangs is noticed by its watchdog and started again.
hung=$(systemctl show -P MainPID uketsuke-matcher.service)
kill -STOP "$hung"
came_back() { [ "$(systemctl show -P MainPID uketsuke-matcher.service)" != "$hung" ] && systemctl -q is-active uketsuke-matcher.service; }
check "a program that hangs is killed by its watchdog and comes back" wait_for 120 came_back
journalctl -u uketsuke-matcher.service --no-pager | grep -q 'Watchdog timeout'
say $? "... and the journal says so"
kill -KILL "$(systemctl show -P MainPID uketsuke-desk.service)"
check "a desk that was killed comes back" wait_for 60 systemctl -q is-active uketsuke-desk.service
books "after the first day"
finish
systemctl poweroff
