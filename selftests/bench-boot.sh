#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=300 memory=2G flags=lodge,slow
#
# lodge bench: a guest's boot is counted. Not where the clock counts instructions:
# it leaps, over a limit too, while the machine waits for its disk.

. "$(dirname "$0")/tool/common.sh"

if [ "$LODGE_LAB" != svm ] || [ ! -e /sys/kernel/tracing/events/lodge/lodge_exit/hist ]; then
	skip "the exits of a guest's boot are counted by reason" "it takes minutes there, or the kernel does not count them"
	finish
fi
KINDS="boot-port boot-fault boot-msr boot-cpuid boot-control boot-hlt boot-window boot-host boot-other"
# shellcheck disable=SC2086
LIMIT=240 tool bench --against /dev/null -j boot boot-exits $KINDS
[ "$STATUS" = 0 ] && python3 - <<'PYTHON'
import json
rows = {row["row"]: row for row in json.load(open("out"))}
boot, exits = rows.pop("boot"), rows.pop("boot-exits")
assert boot["unit"] == "ticks" and all(row["unit"] == "exits" for row in [exits, *rows.values()]), rows
counts = {name: row["lodge"] for name, row in rows.items()}
# Kernels ask for many leaves and write much to their serial port; they touch their memory. Sleep is as it comes.
assert all(counts[name] for name in counts if name not in ("boot-other", "boot-hlt", "boot-window")), counts
assert counts["boot-port"] > 100 and counts["boot-cpuid"] > 100 and counts["boot-fault"] > 100, counts
# One boot was measured, the other counted: they differ by the host's interrupts, which are many where it is slow.
assert exits["lodge"] / 3 < sum(counts.values()) < exits["lodge"] * 3, (counts, exits)
assert boot["lodge"] > 10**9, boot
PYTHON
result $? "the exits of a guest's boot are counted by reason"

finish
