#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=400 memory=4G flags=both,slow
#
# A shell in Linux as a guest of `lodge run`: what it writes to its disk, its entropy,
# power-off, three ways to reboot, panic, memory above 4 GiB's hole and none at all.

. "$(dirname "$0")/tool/common.sh"
. "$TOP/selftests/tool/linux.sh"

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
if [ "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" -lt $((3600 * 1024)) ]; then
	skip "memory beyond the hole" "this host has less memory than such a guest; Bochs' machine has 3 GiB at most"
else
	shell 'grep MemTotal /proc/meminfo; grep "System RAM" /proc/iomem; sleep 1' --memory 3500M
	grep -qi '100000000-11abfffff : System RAM' lines
	result $? "memory beyond the hole"
fi
shell 'echo; dd if=/dev/mem bs=4096 count=1 skip=$((0xd8000)) 2>&1; devmem 0xd8000000' --cmdline "$QUIET iomem=relaxed"
[ "$STATUS" = 20 ] && grep -q 'GPA 0xd8000000' err
result $? "a guest that touches unbacked memory ends: status 20"
finish
