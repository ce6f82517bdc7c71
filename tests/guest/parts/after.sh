# After the last power cut.
# shellcheck shell=bash
check "after the cuts every service is active" wait_for 180 all_active
books "after the cuts"
[ "$(grep -c '^closed' /out/told)" -gt 0 ]
say $? "$(grep -c '^closed' /out/told) visits were told before the cuts, $(grep -c '^wrong' /out/told) went wrong"
visits cut
say $? "a visit after the cuts"
ask 'SELECT count(*), min(id), max(id) FROM visits'
finish
systemctl poweroff
