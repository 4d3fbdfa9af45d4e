#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=400 memory=2G flags=lodge,icount,slow
#
# lodge bench: what it refuses, what it prints, that lodge's rows of VMs and
# their memory keep their limits, and that a guest's boot is counted. The rows of
# exits, and KVM beside lodge, are make bench's.

. "$(dirname "$0")/tool/common.sh"

refused 2 "no row nothing" "a row that nobody knows" bench nothing
refused 2 "row cpuid is named twice" "a row named twice" bench cpuid port-in cpuid
refused 1 "/dev/null: no machine to measure with" "a device that makes no VMs" bench --device /dev/null --against /dev/null cpuid

if [ -e /proc/lockdep ]; then
	skip "the rows that are named, in JSON" "what a debugging kernel costs is no figure"
	skip "what VMs cost is within its limits" "the same"
	finish
fi

tool bench --against /dev/null -j log-write cpuid
[ "$STATUS" = 0 ] && python3 - <<'PYTHON'
import json
rows = json.load(open("out"))
assert [row["row"] for row in rows] == ["cpuid", "log-write"], rows
for row in rows:
    assert set(row) == {"row", "unit", "kernel", "kvm", "lodge", "floor", "limit"}, row
    assert row["unit"] == "instructions" and row["kvm"] is None and 0 < row["lodge"] <= row["limit"], row
PYTHON
result $? "the rows that are named, in JSON"

tool bench --against /dev/null create destroy create-first fault fault-2m log-enable log-write log-harvest-1 \
	log-harvest-10 log-harvest-100 log-destroy memory-256
[ "$STATUS" = 0 ] && [ "$(wc -l <out)" = 13 ]
result $? "what VMs cost is within its limits"

if [ "$LODGE_LAB" != svm ] || [ ! -e /sys/kernel/tracing/events/lodge/lodge_exit/hist ]; then
	skip "the exits of a guest's boot are counted by reason" "it takes minutes there, or the kernel does not count them"
	finish
fi
KINDS="boot-port boot-fault boot-msr boot-cpuid boot-control boot-hlt boot-window boot-host boot-other"
# shellcheck disable=SC2086
LIMIT=300 tool bench --against /dev/null -j boot boot-exits $KINDS
[ "$STATUS" = 0 ] && python3 - <<'PYTHON'
import json
rows = {row["row"]: row for row in json.load(open("out"))}
boot, exits = rows.pop("boot"), rows.pop("boot-exits")
assert boot["unit"] == "ticks" and all(row["unit"] == "exits" for row in [exits, *rows.values()]), rows
counts = {name: row["lodge"] for name, row in rows.items()}
# Kernels ask for many leaves and write much to their serial port; they touch their memory, and sleep sometimes.
assert all(counts[name] for name in counts if name != "boot-other"), counts
assert counts["boot-port"] > 100 and counts["boot-cpuid"] > 100 and counts["boot-fault"] > 100, counts
# One boot was measured, the other counted: but for the time of the host's interrupts they are the same.
assert abs(sum(counts.values()) - exits["lodge"]) < exits["lodge"] / 50, (counts, exits)
assert boot["lodge"] > 10**9, boot
PYTHON
result $? "the exits of a guest's boot are counted by reason"

finish
