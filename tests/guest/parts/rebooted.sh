# The visit that a reboot came into is decided or goes on; it is neither lost nor doubled.
# shellcheck shell=bash
check "after a reboot in mid-visit every service is active" wait_for 180 all_active
id=$(cat /out/rebooted-visit)
[ "$(ask "SELECT count(*) FROM visits WHERE id = $id")" = 1 ]
say $? "the visit of the reboot stands in the book"
decided() { [ "$(ask "SELECT outcome != 0 FROM visits WHERE id = $id")" = 1 ]; }
check "... and is decided, for its card is gone" wait_for 120 decided
books "after a reboot in mid-visit"
visits rebooted
say $? "a visit after the reboot"
finish
systemctl poweroff
