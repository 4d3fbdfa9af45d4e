#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=2 seconds=400 memory=2G flags=both,slow
#
# Linux as a guest of `lodge run`, the lab's own kernel: one and two processors, a
# disk to read, both kinds of PCI interrupts, and three of them at once.

. "$(dirname "$0")/tool/common.sh"
. "$TOP/selftests/tool/linux.sh"

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
