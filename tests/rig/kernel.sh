#!/bin/bash
# kernel.sh DIR [INIT MODULE...]: Debian's stock kernel and an initramfs for the rig, cached below DIR by version and by
# what they are made of. Prints the folder: vmlinux, initramfs.gz, lib/modules/VERSION. INIT is the initramfs's first
# process (the rig's otherwise), the modules what it needs to reach its root.
#
# The package is downloaded, not installed. vmlinux is unpacked from the bzImage (xz payload, at the offset that
# the boot protocol's header gives: Documentation/x86/boot.rst), for an emulated processor is slow at unpacking.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
here=$(realpath "$(dirname "$0")")
mkdir -p "$1"
dir=$(realpath "$1")
init=$(realpath "${2:-$here/init}")
modules=${*:3}
modules=${modules:-virtio_pci 9pnet_virtio 9p overlay} # what is needed to reach the root; others are loaded from there

package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
if [ -z "$package" ]; then # no package list at hand: the newest one that is here already
    package=$(find "$dir" -maxdepth 1 -name 'linux-image-*' -type d -printf '%f\n' | sort -V | tail -n 1)
    [ -n "$package" ] || { echo "kernel.sh: apt knows no linux-image-amd64: apt-get update" >&2; exit 1; }
fi
version=${package#linux-image-}
out=$dir/$package
exec 9> "$dir/.lock"
flock 9

number() { od -An -v -tu"$2" -j"$1" -N"$2" "$out/vmlinuz" | tr -d ' '; } # number OFFSET BYTES

if [ ! -s "$out/vmlinux" ]; then
    rm -rf "$out"
    mkdir -p "$out"
    (cd "$out" && apt-get -qq download "$package" 2> download.log) || { cat "$out/download.log" >&2; exit 1; }
    # The whole is 400 MB unpacked; the rig needs a tenth.
    dpkg-deb --fsys-tarfile "$out"/*.deb | tar x -C "$out" --wildcards --no-wildcards-match-slash \
        './boot/vmlinuz-*' './lib/modules/*/modules.*'
    dpkg-deb --fsys-tarfile "$out"/*.deb | tar x -C "$out" --wildcards \
        './lib/modules/*/kernel/drivers/usb/*' './lib/modules/*/kernel/drivers/media/*' \
        './lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/net/9p/*' './lib/modules/*/kernel/fs/9p/*' \
        './lib/modules/*/kernel/drivers/block/virtio_blk.ko' './lib/modules/*/kernel/fs/ext4/*' './lib/modules/*/kernel/fs/jbd2/*' \
        './lib/modules/*/kernel/fs/mbcache.ko' './lib/modules/*/kernel/crypto/*' './lib/modules/*/kernel/lib/*' \
        './lib/modules/*/kernel/arch/x86/crypto/*' './lib/modules/*/kernel/fs/fscache/*' './lib/modules/*/kernel/fs/netfs/*' './lib/modules/*/kernel/fs/overlayfs/*'
    depmod -b "$out" "$version"
    mv "$out/boot/vmlinuz-$version" "$out/vmlinuz"
    setup=$(number 497 1)
    offset=$(number 584 4)
    length=$(number 588 4)
    # The last four bytes of the payload are the unpacked size.
    dd if="$out/vmlinuz" iflag=skip_bytes,count_bytes skip=$(((setup + 1) * 512 + offset)) count=$((length - 4)) \
        bs=1M status=none | xz -dc > "$out/vmlinux.new"
    [ "$(head -c 4 "$out/vmlinux.new" | tail -c 3)" = ELF ] || { echo "kernel.sh: $out/vmlinuz holds no ELF" >&2; exit 1; }
    rm -rf "${out:?}"/*.deb "${out:?}/boot" "${out:?}/vmlinuz"
    mv "$out/vmlinux.new" "$out/vmlinux"
fi

wanted=$({ echo "$modules" && cat "$init" "$0" /bin/busybox; } | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$out/initramfs.of" 2> /dev/null)" != "$wanted" ]; then
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    mkdir -p "$tree"/{bin,dev,proc,sys,modules,lower,upper,root}
    cp /bin/busybox "$tree/bin/"
    ln -s busybox "$tree/bin/sh"
    install -m 755 "$init" "$tree/init"
    n=10
    for module in $modules; do
        modprobe -S "$version" -d "$out" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        cp "$file" "$tree/modules/$n-$(basename "$file")"
        n=$((n + 1))
    done
    (cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner=0:0 | gzip -1n) > "$out/initramfs.new"
    mv "$out/initramfs.new" "$out/initramfs.gz"
    echo "$wanted" > "$out/initramfs.of"
fi
echo "$out"
