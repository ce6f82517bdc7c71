# shellcheck disable=SC2154 # what is not set here is set by the script that reads this part
# The packages come onto a fresh Debian, the desk is configured, and patients come.
# shellcheck shell=bash
: >/out/told
[ "$(systemctl is-system-running --wait)" = running ]
say $? "systemd is running before anything is installed"
echo 'uketsuke-models uketsuke-models/directory string /data/models' | debconf-set-selections
check "the packages install" dpkg -i /data/guest/old/uketsuke_*.deb /data/guest/old/uketsuke-models_*.deb /data/guest/old/uketsuke-sim_*.deb
check "the models came from the local directory and are right" uketsuke-fetch-models
not_failed() { [ -z "$(systemctl --no-legend --plain list-units --state=failed 'uketsuke*')" ]; }
quiet_without_configuration() { not_failed && ! systemctl -q is-active uketsuke-desk.service; }
check "installed and not configured: nothing runs, nothing failed" quiet_without_configuration
check "the database key was made and is encrypted to this machine" test -s /etc/uketsuke/credentials/database.key
check "simulated cards and service are prepared" uketsuke-sim setup /data/sim
check "the desk is configured" uketsuke-sim configure
# An emulated processor is slow at faces.
sed -i 's/^card-back-seconds.*/&\nface-seconds = 120\nask-seconds = 60/' /etc/uketsuke/uketsuke.conf
check "uketsuke config check finds nothing wrong" uketsuke config check
check "the targets start" systemctl enable --now uketsukesim.target uketsuke.target
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
say $? "a day's visits: PIN, staff, paper, face, a counterfeit card"
uketsuke doctor
say $? "uketsuke doctor finds nothing bad"

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
