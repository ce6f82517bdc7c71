# Visits one after another until the power goes.
# shellcheck shell=bash
check "before the cut every service is active" wait_for 180 all_active
books "before the cut"
touch /out/cut-me
part_of_a_visit loop >>/out/told
