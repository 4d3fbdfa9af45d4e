#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=300 memory=2G flags=both
#
# How a guest can end, each way with a kernel of a few bytes: exit status by
# kind, a reason and one register dump for what went wrong.

. "$(dirname "$0")/tool/common.sh"

# ends STATUS WORD DUMPS NAME CODE [ARGUMENT]...: the guest's end, by exit status and report.
ends()
{
	local status=$1 word=$2 dumps=$3 name=$4 code=$5

	shift 5
	kernel kernel "$code"
	: >initrd
	tool run --kernel kernel --initrd initrd --memory 32M "$@"
	[ "$STATUS" = "$status" ] && [ "$(grep -c '  rip ' err)" = "$dumps" ]
	result $? "$name: status $status"
	tool run --kernel kernel --initrd initrd --memory 32M --report "$@"
	[ "$(tail -n 1 out)" = "guest: - cpus=- clocksource=- disk=- poweroff=$word" ]
	result $? "$name: report $word"
}

ends 16 reboot 0 "ACPI reset register" "66ba0606 b001 ee $HALT"
ends 16 reboot 0 "keyboard controller's reset" "b0fe e664 $HALT"
ends 17 triple-fault 1 "triple fault" "0f011d20001000 cc $(le 24 0) $(le 16 0)"
ends 17 triple-fault 1 "triple fault of the first of four vCPUs" "0f011d20001000 cc $(le 40 0)" --cpus 4
ends 18 emulation 1 "x87 load from unbacked memory" "9bdbe3 dd05000000d8 $HALT"
ends 20 unbacked 1 "read of unbacked memory" "a1000000d8 $HALT"
ends 20 unbacked 1 "write to unbacked memory" "a3000000d8 ebf9"
ends 20 unbacked 1 "write past the end of memory" "a300000002 ebf9"

kernel off "$POWEROFF $HALT"
: >initrd
tool run --kernel off --memory 32M
[ "$STATUS" = 0 ] && [ ! -s err ]
result $? "power-off: status 0 and silence"
tool run --kernel off --initrd initrd --memory 32M --report
[ "$STATUS" = 22 ] && grep -q ' poweroff=clean$' out
result $? "power-off without a report: status 22"
kernel good "$(put "guest: me cpus=1 clocksource=none disk=none") $POWEROFF $HALT"
tool run --kernel good --initrd initrd --memory 32M --report
[ "$STATUS" = 0 ] && [ "$(cat out)" = "guest: me cpus=1 clocksource=none disk=none poweroff=clean" ]
result $? "a report is completed, and printed once"
kernel bad "$(put "guest: me cpus=1 clocksource=none disk=bad") $POWEROFF $HALT"
tool run --kernel bad --initrd initrd --memory 32M --report
[ "$STATUS" = 22 ] && grep -q ' disk=bad poweroff=clean$' out
result $? "a report of a bad disk: status 22"
kernel twice "$(put "guess")$(put "guest: a")$(put "guest: b") $(put "end")$POWEROFF $HALT"
tool run --kernel twice --initrd initrd --memory 32M --report
[ "$(cat out)" = $'guess\nend\nguest: b poweroff=clean' ]
result $? "other lines pass through"

kernel where "a1000000d8 $HALT"
tool run --kernel where --memory 32M
grep -q '^lodge: the guest read 4 bytes at GPA 0xd8000000, where nothing is$' err
result $? "the reason names size and address"

kernel halt "$HALT"
# stopped SIGNAL STATUS: a VM that gets a signal.
stopped()
{
	"$LODGE" run --kernel halt --memory 32M --cpus 2 >out 2>err </dev/null &
	local pid=$! status

	sleep 2
	kill -"$1" $pid
	wait $pid 2>/dev/null
	status=$?
	[ $status = "$2" ] && [ "$(grep -c stopped err)" = "$3" ] && [ "$(ls -A)" = "$FILES" ]
	result $? "a halted guest gets $1: status $2"
}
touch out err
FILES=$(ls -A)
stopped TERM 143 1
stopped HUP 129 1
stopped KILL 137 0
kernel halt "66ba0004 ee ebfd"
stopped TERM 143 1
finish
