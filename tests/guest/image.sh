#!/bin/bash
# image.sh DIR DEB...: a Debian 12 of one's own on a disk image below DIR (base.img): systemd, and what the packages
# depend on, but not the packages. Made once; made again when the dependencies change.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(realpath "$(dirname "$0")")
dir=$(realpath "$1")
shift
# From where this machine has its own Debian 12; else from where debootstrap takes it by itself.
# shellcheck disable=SC2016 # apt's own names
mirror=${MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' | awk '$1 == "bookworm" && !seen++ { print $2 }')}
depends=$(for deb in "$@"; do dpkg-deb -f "$deb" Depends; done | tr ',' '\n' | sed 's/^ *//' | grep -v '^uketsuke' | sort -u | paste -sd,)
wanted=$(cat "$0" "$here/guest.service" <(echo "$depends") | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$dir/base.of" 2>/dev/null)" = "$wanted" ] && [ -s "$dir/base.img" ]; then exit 0; fi

root=$dir/root
if [ ! -e "$root/.made" ]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include=systemd-sysv,udev,dbus,ca-certificates,iproute2,procps,sqlite3,curl,jq \
        bookworm "$root" ${mirror:+"$mirror"} >"$dir/debootstrap.log" 2>&1 || { tail -n 5 "$dir/debootstrap.log" >&2 && exit 1; }
    touch "$root/.made"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get -q update >"$dir/satisfy.log" 2>&1 || { tail -n 5 "$dir/satisfy.log" >&2 && exit 1; }
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o APT::Install-Recommends=false satisfy "$depends" \
    >"$dir/satisfy.log" 2>&1 || { tail -n 5 "$dir/satisfy.log" >&2 && exit 1; }
# The guest has no network: what is only recommended is not to be had there.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root/etc/resolv.conf"

# The host's folders: what is tried, what it is tried with, and where it is told (never kept back by a cache).
cat >"$root/etc/fstab" <<'END'
data /data 9p trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose 0 0
out /out 9p trans=virtio,version=9p2000.L,msize=262144,cache=none 0 0
END
mkdir -p "$root/data" "$root/out" "$root/var/log/journal"
echo reception >"$root/etc/hostname"
echo '127.0.0.1 localhost reception' >"$root/etc/hosts"
install -m 644 "$here/guest.service" "$root/etc/systemd/system/guest.service"
ln -sf /etc/systemd/system/guest.service "$root/etc/systemd/system/multi-user.target.wants/guest.service"
# Nobody logs in; what only delays a boot is left out.
for unit in getty@tty1.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-networkd-wait-online.service systemd-timesyncd.service man-db.timer dpkg-db-backup.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -f "$root/etc/machine-id" && : >"$root/etc/machine-id"
rm -f "$dir/base.img"
mke2fs -q -t ext4 -d "$root" "$dir/base.new" 3G
mv "$dir/base.new" "$dir/base.img"
echo "$wanted" >"$dir/base.of"
