#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=2 seconds=600 memory=4G flags=both,slow
#
# Linux as a guest of `lodge run`, the lab's own kernel: disk, entropy, both
# kinds of PCI interrupts, power-off, reboot, panic, memory above 4 GiB's hole, and
# three of them at once.

. "$(dirname "$0")/tool/common.sh"

LIMIT=$((120 * ${LODGE_TEST_SCALE:-1}))
vmlinuz=/boot/vmlinuz-$(uname -r)
case $vmlinuz in
*-lodge-*)	echo "1..0 # SKIP a kernel built for the lab is no guest; see tool-guest.sh"; exit 4 ;;
esac
[ -r "$vmlinuz" ] || { echo "1..0 # SKIP there is no $vmlinuz"; exit 4; }
head -c 3M /dev/urandom >disk
QUIET="console=ttyS0 quiet panic=-1"

# reports PATTERN NAME ARGUMENT...: a guest that powers off after its report.
reports()
{
	local pattern=$1 name=$2

	shift 2
	tool run --report "$@"
	[ "$STATUS" = 0 ] && tail -n 1 out | grep -qE "^guest: $(uname -r) $pattern poweroff=clean$"
	result $? "$name"
}

reports 'cpus=1 clocksource=kvm-clock disk=none' "one vCPU, no disk"
reports 'cpus=2 clocksource=kvm-clock disk=ok' "two vCPUs, a disk to read" --cpus 2 --disk disk,ro
reports 'cpus=1 clocksource=kvm-clock disk=ok' "interrupts by wires" --disk disk,ro \
	--cmdline "$QUIET pci=nomsi"
reports 'cpus=1 clocksource=kvm-clock disk=ok' "configuration space by ports" --disk disk,ro \
	--cmdline "$QUIET pci=nommconf"

cp disk other && printf x | dd of=other bs=1 seek=1000000 conv=notrunc status=none
hash=$(sha256sum <disk | cut -d' ' -f1)
tool run --report --disk other,ro --cmdline "$QUIET lodge.sha256=$hash"
[ "$STATUS" = 22 ] && grep -q 'disk=bad poweroff=clean$' out
result $? "a disk with one wrong byte is noticed"

# shell COMMANDS ARGUMENT...: an interactive guest that is fed from a pipe.
shell()
{
	local commands=$1

	shift
	timeout $LIMIT "$LODGE" run "$@" <<<"$commands" >out 2>err
	STATUS=$?
	tr -d '\r' <out >lines
}

shell 'echo w-r-i-t-t-e-n | dd of=/dev/vda conv=notrunc 2>/dev/null; sync
echo serial $(cat /sys/block/vda/serial) size $(cat /sys/block/vda/size)
echo rng $(cat /sys/class/misc/hw_random/rng_current) $(head -c 64 /dev/hwrng | wc -c)
dmesg | grep -E "ACPI.*(Error|Warning|Exception)|BUG|Oops"; echo no more complaints' --disk disk
[ "$STATUS" = 0 ]
result $? "a shell that ends powers off"
[ "$(head -c 13 disk)" = w-r-i-t-t-e-n ]
result $? "what the guest writes and syncs is in the image"
grep -q '^serial lodge-disk-0 size 6144$' lines
result $? "the disk's serial number and size"
grep -q '^rng virtio_rng.0 64$' lines
result $? "the entropy source gives bytes"
[ "$(grep -B1 '^no more complaints' lines | head -n 1 | grep -cE 'ACPI|BUG|Oops')" = 0 ] &&
	grep -q '^no more complaints' lines
result $? "no ACPI complaint in the guest's log"

shell 'dd if=/dev/zero of=/dev/vda count=1 2>&1; echo write ended $?' --disk disk,ro
grep -qE '^write ended [1-9]' lines && [ "$(head -c 13 disk)" = w-r-i-t-t-e-n ]
result $? "a read-only disk is not written"
shell 'reboot -f' --cmdline "$QUIET"
[ "$STATUS" = 16 ]
result $? "reboot: status 16"
shell 'reboot -f' --cmdline "$QUIET reboot=k"
[ "$STATUS" = 16 ]
result $? "reboot by the keyboard controller: status 16"
shell 'reboot -f' --cmdline "$QUIET reboot=t"
[ "$STATUS" = 17 ] && grep -q '  rip ' err
result $? "reboot by triple fault: status 17 and a dump"
shell 'echo c >/proc/sysrq-trigger' --cmdline "$QUIET"
[ "$STATUS" = 16 ] && grep -q 'Kernel panic' lines
result $? "a panic reboots and is seen"
shell 'grep MemTotal /proc/meminfo; grep "System RAM" /proc/iomem; sleep 1' --memory 3500M
grep -qi '100000000-11abfffff : System RAM' lines
result $? "memory beyond the hole"
shell 'echo; dd if=/dev/mem bs=4096 count=1 skip=$((0xd8000)) 2>&1; devmem 0xd8000000' --cmdline "$QUIET iomem=relaxed"
[ "$STATUS" = 20 ] && grep -q 'GPA 0xd8000000' err
result $? "a guest that touches unbacked memory ends: status 20"

# until_seen PATTERN FILE: within the time that three guests take to boot side by side.
until_seen()
{
	local try

	for ((try = 0; try < 4 * LIMIT; try++)); do
		! tr -d '\r' <"$2" | grep -qE "$1" || return 0
		sleep 1
	done
	return 1
}

inputs=() pids=()
for i in 1 2 3; do
	mkfifo in$i
	"$LODGE" run --name guest-$i --memory 256M <in$i >out$i 2>err$i &
	pids+=($!)
	exec {input}>in$i
	inputs+=("$input")
	echo "echo up-\$((1110 + $i))" >&"$input"
done
status=0
for i in 1 2 3; do
	until_seen "^up-111$i$" out$i || status=1
done
result $status "three guests come up at once"
if [ "$LODGE_DEVICE" = /dev/kvm ]; then
	skip "the list has the three" "KVM itself is under test"
else
	"$LODGE" list >out
	status=$(($(wc -l <out) != 4))
	for i in 1 2 3; do
		grep -qE "^ *[0-9]+  guest-$i +${pids[i - 1]} +1 +256M  running +-$" out || status=1
	done
	result $status "the list has the three"
fi
# The first is killed, the others are told to end and do.
kill -9 "${pids[0]}"
status=0
for i in 2 3; do
	echo exit >&"${inputs[i - 1]}"
	wait "${pids[i - 1]}" || status=1
done
result $status "two power off when one was killed"
wait "${pids[0]}"
[ "$LODGE_DEVICE" = /dev/kvm ] || { "$LODGE" list >out; [ "$(wc -l <out)" = 1 ]; }
result $? "none is left in the list"
finish
