#!/bin/bash
# deb.sh BUILD: the packages in a fresh Debian 12 (a chroot without systemd running): install, install again, upgrade,
# a refused downgrade, remove, purge with and without the records. One line a check, "N passed, N failed" at the end.
set -u
build=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
guest=$build/guest
passed=0 failed=0
[ "$(id -u)" -eq 0 ] || { echo "deb.sh: root is needed" >&2; exit 1; }
export PATH=$PATH:/usr/sbin:/sbin
"$here/guest/packages.sh" "$build" || { echo "0 passed, 1 failed"; exit 1; }
root=$guest/chroot
log=$guest/chroot.log
finish() {
    ! mountpoint -q "$root/proc" || umount "$root/proc"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
finish
rm -rf "$root"
cp -a "$guest/root" "$root"
mount -t proc proc "$root/proc"
: >"$log"
check() { # check WORDS COMMAND...
    local words=$1
    shift
    echo "== $words: $*" >>"$log"
    if "$@" >>"$log" 2>&1; then
        echo "ok    $words"
        passed=$((passed + 1))
    else
        echo "FAIL  $words"
        tail -n 4 "$log" | sed 's/^/        /'
        failed=$((failed + 1))
    fi
}
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
put() { rm -rf "$root/debs" && mkdir "$root/debs" && cp "$guest/$1"/uketsuke_*.deb "$guest/$1"/uketsuke-models_*.deb "$guest/$1"/uketsuke-sim_*.deb "$root/debs/"; }
install() { put "$1" && inside sh -c 'dpkg -i /debs/*.deb'; }
# shellcheck disable=SC2016 # dpkg's own variables
version() { inside dpkg-query -W -f '${Version}' uketsuke; }
# shellcheck disable=SC2016
status_is() { [ "$(inside dpkg-query -W -f '${db:Status-Abbrev}' "$1" | tr -d ' ')" = "$2" ]; }
answer() { echo "$1" | inside debconf-set-selections; }
# The file's own user_version (four bytes at 60), which is all that the package looks at.
database_of() { # database_of MIGRATION
    mkdir -p "$root/var/lib/uketsuke"
    # shellcheck disable=SC2059
    { head -c 63 /dev/zero && printf "$(printf '\\%03o' "$1")" && head -c 4032 /dev/zero; } >"$root/var/lib/uketsuke/uketsuke.db"
}

mkdir -p "$root/models"
cp "$build"/models/* "$root/models/"
answer 'uketsuke-models uketsuke-models/directory string /nowhere'
check "packages install although the models cannot be had" install old
without_models() { [ -z "$(ls -A "$root/var/lib/uketsuke-models")" ] && ! inside uketsuke-fetch-models /nowhere; }
check "... and it is said that they are missing" without_models
cp "$root/models/fr_detect.onnx" "$root/models/.keep"
echo x >>"$root/models/fr_detect.onnx"
spoilt() { ! inside uketsuke-fetch-models /models && [ ! -e "$root/var/lib/uketsuke-models/fr_detect.onnx" ]; }
check "a model that is not the manifest's is refused" spoilt
mv "$root/models/.keep" "$root/models/fr_detect.onnx"
check "models from a local directory, checked" inside uketsuke-fetch-models /models
check "... and they stand where the matcher looks" inside test -s /usr/share/uketsuke/models/manifest.ini
users() { local n; for n in desk broker reader matcher relay handover web ocr sim; do inside getent passwd "uketsuke-$n" || return 1; done; }
check "every program has its user" users
no_model() { ! inside dpkg -L uketsuke uketsuke-models uketsuke-sim | grep -q '\.onnx$'; }
check "no model is in a package" no_model
# shellcheck disable=SC2016
modules() { inside dpkg-query -W -f '${Depends}' uketsuke | tr ',' '\n' | sed -n 's/.*libopencv-\([a-z]*\).*/\1/p' | sort | paste -sd' '; }
only_used() { [ "$(modules)" = 'core dnn' ] || [ "$(modules)" = 'core dnn imgproc' ]; }
check "of OpenCV only the modules that are used" only_used
runs() { inside uketsuke --version && inside uketsuked --version && inside uketsuke-matcher --version && inside uketsuke-ocr --version && inside uketsuke-relay --version; }
check "the programs run" runs
# An image that is built in a chroot must not carry a key that all its copies share: systemd-creds refuses there.
no_key() { [ ! -e "$root/etc/uketsuke/credentials/database.key" ] && grep -q 'run later: uketsuke-setup' "$log"; }
check "no key is made where no machine runs, and it is said" no_key
echo kept >"$root/etc/uketsuke/credentials/database.key"
check "the same version installs again" install old
check "... and keeps what is there" grep -qx kept "$root/etc/uketsuke/credentials/database.key"
for_root() { [ "$(stat -c %a "$root/etc/uketsuke/credentials")" = 700 ]; }
check "... for root alone" for_root
echo '# mine' >"$root/etc/uketsuke/uketsuke.conf"
schema=$(cat "$root/usr/share/uketsuke/schema")
database_of "$schema"
check "the next version installs over it" install new
check "... and knows its migration" test "$(cat "$root/usr/share/uketsuke/schema")" = $((schema + 1))
check "the configuration is the same" grep -qx '# mine' "$root/etc/uketsuke/uketsuke.conf"
database_of $((schema + 1))
refused() { ! install old; }
check "a downgrade below the database's migration is refused" refused
check "... in words" grep -q '古い版には戻せません' "$log"
next_stays() { [[ $(version) = *+next1 ]] && status_is uketsuke ii; }
check "... and the newer version is still there, whole" next_stays
check "the packages are removed" inside dpkg --remove uketsuke-sim uketsuke-models uketsuke
check "... records, key and configuration stay" test -s "$root/var/lib/uketsuke/uketsuke.db" -a -s "$root/etc/uketsuke/credentials/database.key" -a -s "$root/etc/uketsuke/uketsuke.conf"
check "purged without a yes" inside dpkg --purge uketsuke-sim uketsuke-models uketsuke
check "... records and key are still there" test -s "$root/var/lib/uketsuke/uketsuke.db" -a -s "$root/etc/uketsuke/credentials/database.key"
check "installed once more" install new
answer 'uketsuke uketsuke/purge-data boolean true'
check "purged with a yes" inside dpkg --purge uketsuke-sim uketsuke-models uketsuke
check "... nothing is left" test ! -e "$root/var/lib/uketsuke" -a ! -e "$root/etc/uketsuke" -a ! -e "$root/var/lib/uketsuke-models"
gone() { ! inside dpkg-query -W uketsuke uketsuke-models uketsuke-sim 2>/dev/null | grep -q .; }
check "... not even in dpkg's list" gone
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
