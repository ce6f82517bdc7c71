#!/bin/bash
# container.sh BUILD [PART...]: the parts of guest.sh under a real systemd of Debian 12 on this machine's own kernel, in
# namespaces and a control group of their own: minutes instead of an emulated processor. The power cuts need the guest
# (run.sh). Needs root. One line a check, "N passed, N failed" at the end; logs in BUILD/guest/container/out.
set -u
build=$(realpath "$1")
shift
here=$(realpath "$(dirname "$0")")
dir=$build/guest/container
out=$dir/out
passed=0 failed=0 init=''
[ "$(id -u)" -eq 0 ] || { echo "container.sh: root is needed" >&2; exit 1; }
group=/sys/fs/cgroup
if [ "$(stat -f -c %T "$group")" != cgroup2fs ]; then
    group=$dir/cgroup
    mkdir -p "$group"
    mountpoint -q "$group" || mount -t cgroup2 none "$group" || exit 1
fi
group=$group/uketsuke-guest-$$
finish() {
    if [ -n "$init" ]; then kill -KILL "$init" 2>/dev/null; fi
    wait
    sleep 0.2
    # Empty again: the groups from the bottom up.
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
    if mountpoint -q "$dir/cgroup"; then umount "$dir/cgroup"; fi
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

"$here/packages.sh" "$build" || { echo "0 passed, 1 failed"; exit 1; }
mkdir -p "$dir" "$group"
exec 8>"$dir/lock"
flock -n 8 || { echo "container.sh: another one is running in $dir" >&2; exit 1; }
rm -rf "${dir:?}/root" "$out" || exit 1
mkdir -p "$out"
cp -a "$build/guest/root" "$dir/root"
: >"$dir/root/etc/fstab"
cp -r "$here/guest.sh" "$here/parts" "$here/../../README.md" "$here/../../packaging/man" "$out/"
: >"$out/results"

boot() { # boot PART: systemd as first process, until it ends
    local left=600
    echo "guest: $1"
    echo "$1" >"$out/part"
    # shellcheck disable=SC2016
    bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' bash "$group" \
        unshare --fork --kill-child=KILL --pid --mount --uts --ipc --net --cgroup bash -c '
        set -e
        mount --make-rprivate /
        cd "$1"
        mount --bind root root
        mount --bind out root/out
        mount --bind "$2" root/data
        mount -t proc proc root/proc
        mount -t sysfs sysfs root/sys
        mount -t cgroup2 cgroup2 root/sys/fs/cgroup
        mount -t tmpfs tmpfs root/dev
        for d in null zero full random urandom tty; do mknod -m 666 "root/dev/$d" c "0x$(stat -c %t "/dev/$d")" "0x$(stat -c %T "/dev/$d")"; done
        mkdir root/dev/shm root/dev/pts
        mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
        ln -s pts/ptmx root/dev/ptmx
        ln -s /proc/self/fd root/dev/fd
        : >root/dev/console
        mount -t tmpfs tmpfs root/run
        mount -t tmpfs tmpfs root/tmp
        ip link set lo up
        hostname reception
        mount --make-rshared /
        exec chroot root env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
    ' bash "$dir" "$build" <"/dev/null" >"$out/console-$1.log" 2>&1 &
    init=$!
    while kill -0 "$init" 2>/dev/null && [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
    done
    [ "$left" -gt 0 ] || kill -KILL "$init"
    wait "$init"
    init=''
    while read -r line; do
        echo "$line"
        case $line in
            "ok "*) passed=$((passed + 1)) ;;
            "FAILED "*) failed=$((failed + 1)) ;;
        esac
    done <"$out/results"
    : >"$out/results"
    if [ ! -e "$out/finished-$1" ]; then
        echo "FAILED $1: it did not come to its end: see $out/guest.log, $out/console-$1.log"
        failed=$((failed + 1))
    fi
}
[ $# -gt 0 ] || set -- install upgrade rebooted
for part in "$@"; do boot "$part"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
