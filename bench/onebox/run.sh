#!/bin/bash
# run.sh: 100,000 connections in one process, whatever the machine's limit of
# descriptors. Boots a small Linux of its own in software emulation (no KVM, no
# privileges), runs the hub and the load tool in it, all connections in one room,
# and asserts: none failed, the bytes of each within bounds, a broadcast reaches
# all. Times inside mean nothing (10 to 30 times slower); bytes, counts and losses do.
#
#   CONNS=100000   connections
#   SERVER=gohub   or a kind of cmd/peer, to try this script itself
#   MEM=6G CPUS=2  of the emulated machine
#   MINUTES=20     at most
#   OUT=../out     where binaries and results go
#
# Needs Debian's qemu-system-x86, busybox-static and cpio (installed when run as
# root) and fetches Debian's cloud kernel with apt-get download.
set -euo pipefail
cd "$(dirname "$0")"

OUT=$(mkdir -p "${OUT:-../out}" && cd "${OUT:-../out}" && pwd)
CONNS=${CONNS:-100000} SERVER=${SERVER:-gohub} MEM=${MEM:-6G} CPUS=${CPUS:-2} MINUTES=${MINUTES:-20}
case $SERVER in
gohub | centrifuge) PROTO=$SERVER ;;
*) PROTO=raw ;;
esac
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# need: the packages that are missing are installed by root and named to everybody else.
need() {
	local missing=()
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v cpio >/dev/null || missing+=(cpio)
	dpkg -s busybox-static >/dev/null 2>&1 || missing+=(busybox-static)
	if [ ${#missing[@]} = 0 ]; then return; fi
	if [ "$(id -u)" != 0 ]; then
		echo "onebox: missing Debian packages: apt-get install ${missing[*]}" >&2
		exit 3
	fi
	echo "onebox: installing ${missing[*]}" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# kernel: unpacked once, kept in OUT.
kernel() {
	if compgen -G "$OUT/kernel/boot/vmlinuz-*" >/dev/null; then return; fi
	local package
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p' | head -n 1)
	if [ -z "$package" ]; then
		echo "onebox: apt knows no linux-image-cloud-amd64; run apt-get update" >&2
		exit 3
	fi
	(cd "$WORK" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg -x "$package"_*.deb "$OUT/kernel")
}

programs() {
	local commands=(load peer)
	if [ "$SERVER" = gohub ]; then commands+=(hubsrv); fi
	mkdir -p "$WORK/root/bin"
	for c in "${commands[@]}"; do
		(cd .. && CGO_ENABLED=0 go build -ldflags=-s -o "$WORK/root/bin/$c" "./cmd/$c")
	done
	(cd .. && go build -o "$OUT/" ./cmd/report)
}

image() {
	mkdir -p "$WORK"/root/{dev,proc,sys,tmp}
	cp "$(command -v busybox)" "$WORK/root/bin/busybox"
	cp guest.sh "$WORK/root/guest.sh"
	cat >"$WORK/root/init" <<-EOF
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin SERVER=$SERVER CONNS=$CONNS PROTO=$PROTO
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		mount -t tmpfs tmp /tmp
		ip link set lo up
		echo 8000000 >/proc/sys/fs/nr_open
		echo 16000000 >/proc/sys/fs/file-max
		echo "1024 65535" >/proc/sys/net/ipv4/ip_local_port_range
		sh /guest.sh
		echo "guest: exit \$?"
		poweroff -f
	EOF
	chmod +x "$WORK/root/init"
	(cd "$WORK/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$WORK/initrd.gz"
}

boot() {
	timeout "${MINUTES}m" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "$CPUS" -m "$MEM" \
		-nographic -no-reboot -nic none -kernel "$OUT"/kernel/boot/vmlinuz-* -initrd "$WORK/initrd.gz" \
		-append "console=ttyS0 quiet panic=-1" </dev/null | tee "$OUT/onebox.log"
}

need
kernel
programs
image
boot
if ! grep -q "guest: exit 0" "$OUT/onebox.log"; then
	echo "onebox: the run inside failed; see $OUT/onebox.log" >&2
	exit 1
fi
# The console ends lines with a carriage return and may put its own characters before one.
sed -n 's/\r*$//; s/^[^{]*\({"set":.*}\)$/\1/p' "$OUT/onebox.log" >"$OUT/onebox.jsonl"
"$OUT/report" -check -machine "a machine of $CPUS processors emulated by qemu (times mean nothing)" \
	-md "$OUT/onebox.md" "$OUT/onebox.jsonl"
