#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=400 memory=2G flags=lodge,icount,slow
#
# lodge bench: what it refuses, what it prints, and that lodge's rows of VMs and
# their memory keep their limits. The rows of exits, and KVM beside lodge, are make
# bench's.

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

finish
