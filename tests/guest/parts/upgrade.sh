# After the reboot everything runs by itself; a new version comes in mid-visit; the old one is refused.
# shellcheck shell=bash
check "after a reboot every service is active by itself" wait_for 180 all_active
before=$(ask 'SELECT count(*) FROM visits')
books "after a reboot"
part_of_a_visit consent >/run/begun
check "a visit is at the consents" test $? -eq 0
cat /run/begun
id=$(awk '{print $2}' /run/begun)
as_printed 'sudo apt install ./uketsuke_….deb' 'cd ../new && apt install ./uketsuke_*.deb ./uketsuke-models_*.deb ./uketsuke-sim_*.deb'
check "every service is active again" wait_for 120 all_active
part_of_a_visit finish >/run/ended
say $? "the visit goes on to its end"
cat /run/ended
[ "$(ask "SELECT outcome != 0 FROM visits WHERE id = ${id:-0}")" = 1 ] && [ "$(ask 'SELECT count(*) FROM visits')" = $((before + 1)) ]
say $? "it is one visit, and it is decided"
grep -q "^visit $id eligible" /run/ended
say $? "it is the same visit, and eligible"
new_table() { [ "$(ask "SELECT count(*) FROM sqlite_master WHERE name = 'upgrade_tried'")" = 1 ]; }
check "the migration of the new version is done" new_table
version() { uketsuke --version | grep -q next1; }
check "the new version runs" version
dpkg -i /data/guest/old/uketsuke_*.deb >/run/downgrade 2>&1
say $((! $?)) "the old version is refused"
cat /run/downgrade
grep -q '古い版には戻せません' /run/downgrade
say $? "... in words"
check "... and the desk goes on as it was" all_active
visits upgraded
say $? "a visit after all that"
books "after the upgrade"

# A reboot in the middle of a visit.
part_of_a_visit pin >/run/begun
check "a visit is at the PIN, and the machine is rebooted" test $? -eq 0
awk '{print $2}' /run/begun >/out/rebooted-visit
finish
systemctl reboot
