#!/usr/bin/env bash
# build-guest.sh OUTPUT [CACHE]
#
# Makes a small bootable Linux disk (BIOS, amd64) from packages of this Debian or Ubuntu: OUTPUT is a .qcow2 file, or a
# folder that gets guest.qcow2. Beside it lie vmlinuz and initrd.gz, for starting the same guest without a boot loader.
# Needs no root, mounts nothing. Packages are kept in CACHE (default: packages/ beside OUTPUT); run again with the same
# packages and sources it does nothing.
#
# The guest: busybox, dropbear, e2fsprogs, lsblk, blkid, and busybox' wget by the name curl as well. User cirros, password gocubsgo. See guest/ for what it does.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC PATH="$PATH:/usr/sbin:/sbin"
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1735689600}"

readonly user=cirros password=gocubsgo
readonly sources="$(cd "$(dirname "${BASH_SOURCE[0]}")/guest" && pwd)"

# Loaded by the first stage: first those of a cloud's disks, others where no disk is found. Then, in the running guest,
# the network's and all others. What they depend on is found in the modules themselves.
readonly virtio_modules='virtio_pci virtio_blk'
readonly other_modules='sd_mod virtio_scsi ata_piix ahci'
readonly network_modules='virtio_net'
readonly late_modules='ata_piix sr_mod isofs vfat nls_ascii nls_cp437 nls_utf8 button evdev acpiphp virtio-rng virtio_balloon virtio_console 8021q'

fail() {
  echo "build-guest: $*" >&2
  exit 1
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: build-guest.sh OUTPUT.qcow2 [CACHE]"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || fail "needs Debian or Ubuntu on amd64"
for tool in apt-get apt-cache dpkg-deb cpio gzip syslinux mcopy mkfs.vfat mke2fs debugfs e2fsck sfdisk qemu-img; do
  command -v "$tool" >/dev/null || fail "the program $tool is missing (packages cpio syslinux mtools dosfstools e2fsprogs fdisk qemu-utils)"
done

case "$1" in *.qcow2) image="$1" ;; *) image="$1/guest.qcow2" ;; esac
mkdir -p "$(dirname "$image")"
out="$(cd "$(dirname "$image")" && pwd)"
image="$out/$(basename "$image")"
mkdir -p "${2:-$out/packages}"
cache="$(cd "${2:-$out/packages}" && pwd)"

work="$(mktemp -d "$out/.build.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# ---- packages

known() { [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

if ! known busybox-static; then
  [ "$(id -u)" = 0 ] || fail "apt knows no packages; run apt-get update"
  apt-get update -qq >/dev/null
fi
known busybox-static || fail "apt has no package busybox-static"

kernel=''
for meta in linux-image-cloud-amd64 linux-image-virtual linux-image-amd64; do
  known "$meta" || continue
  kernel="$(apt-cache depends --important "$meta" | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')"
  [ -z "$kernel" ] || break
done
[ -n "$kernel" ] || fail "apt has no kernel for guests"

libraries="$(apt-cache depends --recurse --important dropbear-bin e2fsprogs libmount1 libsmartcols1 libudev1 | grep -E '^(lib[a-z0-9.+-]+|zlib1g)$' | sort -u)"
packages="$kernel busybox-static dropbear-bin e2fsprogs util-linux $libraries"

# Each line: 'URL' FILE SIZE HASH
apt-get download --print-uris $packages 2>/dev/null | sort >"$work/wanted"
[ -s "$work/wanted" ] || fail "apt cannot tell where its packages are"
identity="$( (cut -d' ' -f2- "$work/wanted"; cat "${BASH_SOURCE[0]}" "$sources"/*) | sha256sum | cut -d' ' -f1)"
if [ -s "$image" ] && [ -s "$out/vmlinuz" ] && [ -s "$out/initrd.gz" ] && [ "$(cat "$image.id" 2>/dev/null)" = "$identity" ]; then
  echo "$image is up to date"
  exit 0
fi

lacking=''
while read -r _ file size _; do
  [ "$(stat -c %s "$cache/$file" 2>/dev/null)" = "$size" ] || lacking="$lacking ${file%%_*}"
done <"$work/wanted"
if [ -n "$lacking" ]; then
  echo "downloading$lacking"
  (cd "$cache" && apt-get download -qq -o APT::Sandbox::User=root $lacking) || fail "the download failed"
fi
while read -r _ file size _; do
  [ "$(stat -c %s "$cache/$file" 2>/dev/null)" = "$size" ] || fail "$file was not downloaded whole"
  case "$file" in "$kernel"_*) into=kernel ;; *) into=programs ;; esac
  mkdir -p "$work/$into"
  dpkg-deb --fsys-tarfile "$cache/$file" | tar -x -C "$work/$into" --no-same-owner
done <"$work/wanted"

# ---- the root file system

root="$work/root"
ramdisk="$work/ramdisk"
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,usr/share/udhcpc,lib64,lib/modules,etc/dropbear,etc/acpi/PWRF,root/.ssh,proc,sys,dev,run,tmp,mnt,media,var/lib/cloud,var/log,home}
mkdir -p "$ramdisk"/{bin,sbin,lib/modules,proc,sys,dev,newroot}
ln -s ../root "$root/home/$user"
ln -s ../run "$root/var/run"

find_program() {
  local folder
  for folder in bin sbin usr/bin usr/sbin; do
    if [ -f "$work/programs/$folder/$1" ]; then
      echo "$work/programs/$folder/$1"
      return
    fi
  done
  fail "no package has the program $1"
}

for tree in "$root" "$ramdisk"; do
  cp "$(find_program busybox)" "$tree/bin/busybox"
  for applet in $("$tree/bin/busybox" --list-full); do
    mkdir -p "$tree/$(dirname "$applet")"
    [ -e "$tree/$applet" ] || ln -s /bin/busybox "$tree/$applet"
  done
done

loader="$(find "$work/programs" -name 'ld-linux-x86-64.so.2' -type f | head -1)"
[ -n "$loader" ] || loader="$(readlink -f "$(find "$work/programs" -name 'ld-linux-x86-64.so.2' | head -1)")"
search="$(find "$work/programs" -type d -name x86_64-linux-gnu | paste -sd:)"
cp "$loader" "$root/lib64/ld-linux-x86-64.so.2"
mkdir -p "$root/lib/x86_64-linux-gnu"
for program in dropbear dropbearkey dbclient mke2fs resize2fs e2fsck lsblk blkid; do
  from="$(find_program "$program")"
  rm -f "$root"/{bin,sbin,usr/bin,usr/sbin}/"$program"
  cp "$from" "$root/usr/sbin/$program"
  "$loader" --library-path "$search" --list "$from" | awk '$2 == "=>" && $1 !~ /\// { print $1, $3 }' | while read -r name path; do
    [ -e "$root/lib/x86_64-linux-gnu/$name" ] || cp -L "$path" "$root/lib/x86_64-linux-gnu/$name"
  done
done
ln -sf ../sbin/dbclient "$root/usr/bin/ssh"
ln -sf mke2fs "$root/usr/sbin/mkfs.ext3"
ln -sf mke2fs "$root/usr/sbin/mkfs.ext4"

# ---- kernel and modules

version="$(ls "$work/kernel/lib/modules" 2>/dev/null || ls "$work/kernel/usr/lib/modules")"
modules="$(find "$work/kernel" -type d -path "*lib/modules/$version" | head -1)"
cp "$work/kernel/boot/vmlinuz-$version" "$work/vmlinuz"

# Copies a module to a tree after those that it depends on, and adds them to a list of it; built-in ones are passed over.
add_module() { # tree list module
  local tree="$1" list="$2" name="${3//-/_}" file plain dependency
  ! grep -qxF "$name" "$tree.added" 2>/dev/null || return 0
  echo "$name" >>"$tree.added"
  file="$(find "$modules" \( -name "${name//_/-}.ko*" -o -name "$name.ko*" \) | head -1)"
  [ -n "$file" ] || return 0
  plain="$tree/lib/modules/$name.ko"
  case "$file" in
    *.xz) xz -dc "$file" >"$plain" ;;
    *.zst) zstd -dcq "$file" >"$plain" ;;
    *) cp "$file" "$plain" ;;
  esac
  for dependency in $(tr '\0' '\n' <"$plain" | sed -n 's/^depends=//p' | tr ',' ' '); do add_module "$tree" "$list" "$dependency"; done
  echo "$name" >>"$tree/lib/modules/$list"
}
for name in $virtio_modules; do add_module "$ramdisk" virtio "$name"; done
for name in $other_modules; do add_module "$ramdisk" other "$name"; done
for name in $network_modules; do add_module "$root" network "$name"; done
for name in $late_modules; do add_module "$root" late "$name"; done

# ---- what makes it a guest

install -m 755 "$sources/init" "$ramdisk/init"
install -m 755 "$sources/start" "$root/etc/start"
install -m 755 "$sources/stop" "$root/etc/stop"
install -m 755 "$sources/plugged" "$root/usr/sbin/plugged"
install -m 755 "$sources/prompt" "$root/usr/sbin/prompt"
install -m 755 "$sources/dhcp-event" "$root/usr/share/udhcpc/default.script"
install -m 755 "$sources/cloud" "$root/usr/sbin/cloud"
install -m 755 "$sources/power-button" "$root/etc/acpi/PWRF/00000080"
install -m 755 "$sources/sudo" "$root/usr/bin/sudo"
install -m 755 "$sources/curl" "$root/usr/bin/curl"
install -m 644 "$sources/inittab" "$root/etc/inittab"
printf 'root:x:0:0:root:/root:/bin/sh\n%s:x:0:0:guest:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' "$user" >"$root/etc/passwd"
printf 'root:*:20000:0:99999:7:::\n%s:%s:20000:0:99999:7:::\n' "$user" "$("$root/bin/busybox" mkpasswd -m sha512 -S nestackguest "$password")" >"$root/etc/shadow"
chmod 600 "$root/etc/shadow"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf '/bin/sh\n' >"$root/etc/shells"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
printf 'guest\n' >"$root/etc/hostname"
printf "log in as '%s', password '%s'; 'sudo' for root\n" "$user" "$password" >"$root/etc/issue"
: >"$root/etc/resolv.conf"
chmod 700 "$root/root" "$root/root/.ssh"
chmod 1777 "$root/tmp"

find "$root" "$ramdisk" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd "$ramdisk" && find . -print0 | sort -z | cpio --null --create --format=newc --quiet --reproducible --owner=0:0) | gzip -9n >"$work/initrd.gz"

# ---- the disk: a FAT partition with the boot loader, and the root, which the guest lets grow to the disk's end

readonly mib=$((1024 * 1024))
boot_mib=$((($(stat -c %s "$work/vmlinuz") + $(stat -c %s "$work/initrd.gz")) / mib + 4))
truncate -s "${boot_mib}M" "$work/boot.fat"
mkfs.vfat --invariant -n GUESTBOOT "$work/boot.fat" >/dev/null
cp "$sources/syslinux.cfg" "$work/syslinux.cfg"
touch -d "@$SOURCE_DATE_EPOCH" "$work/vmlinuz" "$work/initrd.gz" "$work/syslinux.cfg"
mcopy -m -i "$work/boot.fat" "$work/vmlinuz" "$work/initrd.gz" "$work/syslinux.cfg" ::/
syslinux --install "$work/boot.fat"

# Everything that mke2fs would choose by chance or by its version is given, and the files are written one by one: in order,
# with one time, belonging to root whoever builds.
readonly root_mib=48 id=6e657374-6163-4b00-8000-000000000001
export E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH"
truncate -s "${root_mib}M" "$work/root.ext4"
mke2fs -q -F -L GUESTROOT -U "$id" -b 4096 -I 256 -m 0 -J size=4 \
  -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,64bit \
  -E "hash_seed=$id,root_owner=0:0,resize=$((1024 * 1024 * 256)),lazy_itable_init=0,lazy_journal_init=0,nodiscard" \
  "$work/root.ext4"
(cd "$root" && find . -mindepth 1 -printf '%y %m /%P %l\n') | sort -k 3,3 >"$work/entries"
while read -r type mode path target; do
  echo "cd $(dirname "$path")"
  name="$(basename "$path")"
  case "$type" in
    d) printf 'mkdir %s\nset_inode_field %s mode 04%04d\n' "$name" "$name" "$mode" ;;
    f) printf 'write %s %s\nset_inode_field %s mode 010%04d\n' "$root$path" "$name" "$name" "$mode" ;;
    l) printf 'symlink %s %s\n' "$name" "$target" ;;
  esac
  printf 'set_inode_field %s uid 0\nset_inode_field %s gid 0\n' "$name" "$name"
done <"$work/entries" >"$work/script"
debugfs -w -f "$work/script" "$work/root.ext4" >"$work/debugfs.log" 2>&1
! grep -vE '^(debugfs|Allocated inode)' "$work/debugfs.log" || fail "the root file system cannot be written"
e2fsck -fn "$work/root.ext4" >"$work/fsck.log" 2>&1 || { cat "$work/fsck.log" >&2; fail "the root file system is not sound"; }

truncate -s "$((1 + boot_mib + root_mib))M" "$work/disk.raw"
printf 'label: dos\nlabel-id: 0x6e657374\nstart=2048, size=%s, type=6, bootable\nstart=%s, size=%s, type=83\n' \
  $((boot_mib * 2048)) $(((1 + boot_mib) * 2048)) $((root_mib * 2048)) | sfdisk --quiet "$work/disk.raw"
dd if="$work/boot.fat" of="$work/disk.raw" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$work/root.ext4" of="$work/disk.raw" bs=1M seek=$((1 + boot_mib)) conv=notrunc,sparse status=none
boot_code=''
for file in /usr/lib/syslinux/mbr/mbr.bin /usr/lib/SYSLINUX/mbr.bin /usr/share/syslinux/mbr.bin; do
  [ ! -f "$file" ] || boot_code="$file"
done
[ -n "$boot_code" ] || fail "syslinux' mbr.bin is missing (package syslinux-common)"
dd if="$boot_code" of="$work/disk.raw" bs=440 count=1 conv=notrunc status=none
qemu-img convert -q -c -f raw -O qcow2 "$work/disk.raw" "$work/guest.qcow2"

mv "$work/vmlinuz" "$out/vmlinuz"
mv "$work/initrd.gz" "$out/initrd.gz"
mv "$work/guest.qcow2" "$image"
echo "$identity" >"$image.id"
echo "$image: $(($(stat -c %s "$image") / 1024)) KiB, kernel $version"
