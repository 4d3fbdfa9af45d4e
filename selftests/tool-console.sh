#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=200 memory=2G flags=both
#
# The serial console's host ends: pipe, file, pseudo-terminal. The guest echoes
# what it reads and powers off after a q.

. "$(dirname "$0")/tool/common.sh"

kernel echo "66bafc03 b008 ee  66baf903 b001 ee  66bafd03 ec a801 74f7  66baf803 ec ee 3c71 75ed  $POWEROFF $HALT"
kernel hello "$(put hello) $POWEROFF $HALT"

printf 'some words, q' | timeout $LIMIT "$LODGE" run --kernel echo --memory 32M >out 2>err
[ $? = 0 ] && [ "$(cat out)" = 'some words, q' ] && [ ! -s err ]
result $? "a pipe: the guest gets every byte in order"

head -c 20000 /dev/zero | tr '\0' 'x' >long
{ cat long; printf q; } | timeout $LIMIT "$LODGE" run --kernel echo --memory 32M >out 2>err
[ $? = 0 ] && [ "$(wc -c <out)" = 20001 ]
result $? "a pipe: 20,000 bytes, none lost"

rm -f out err
timeout $LIMIT "$LODGE" run --kernel echo --memory 32M >out 2>err </dev/null &
until_there . out
od -An -tx1 out | tr -d ' ' | grep -qE '^(04)+$'
result $? "the end of input is a Ctrl-D"
kill %1
wait %1 2>/dev/null

timeout $LIMIT "$LODGE" run --kernel hello --memory 32M --serial file >out 2>err </dev/null
[ $? = 0 ] && [ "$(cat file)" = hello ] && [ ! -s out ]
result $? "a file gets the output, and stdout nothing"

kernel flood "66baf803 b078 ee ebfd"
timeout $LIMIT "$LODGE" run --kernel flood --memory 32M 2>err </dev/null | head -c 1000 >out
[ "${PIPESTATUS[0]}" = 4 ] && [ "$(wc -c <out)" = 1000 ] && grep -q 'console cannot be written' err
result $? "a reader that goes away ends the VM: status 4"

rm -f out err
timeout $LIMIT "$LODGE" run --kernel echo --memory 32M --serial PTY >out 2>err </dev/null &
until_there 'serial console is' err
tty=$(sed -n 's/^lodge: serial console is //p' err)
if [ -c "$tty" ]; then
	exec 3<>"$tty"
	stty -F "$tty" raw -echo
	# The end of the VM hangs the terminal up, with what nobody has read yet: q comes when the rest is here.
	printf 'pty ' >&3
	IFS= read -r -t 20 -N 4 -u 3 answer
	printf q >&3
	[ "$answer" = 'pty ' ] && wait %1
	result $? "a pseudo-terminal: both directions"
	exec 3>&-
else
	kill %1
	result 1 "a pseudo-terminal: both directions"
fi

if command -v script >/dev/null; then
	before=$(script -qec 'stty -g; true' /dev/null </dev/null)
	script -qec "stty -g >before; timeout --foreground $LIMIT '$LODGE' run --kernel hello --memory 32M; stty -g >after" /dev/null \
		>out 2>err </dev/null
	[ -n "$before" ] && grep -q hello out && cmp -s before after
	result $? "the terminal's mode comes back after a power-off"
	script -qec "stty -g >before; ( sleep 3; kill \$(cat pid) ) & sh -c 'echo \$\$ >pid; exec \"$LODGE\" run --kernel echo --memory 32M'; stty -g >after" \
		/dev/null >out 2>err </dev/null
	cmp -s before after
	result $? "the terminal's mode comes back after a signal"
else
	skip "the terminal's mode comes back after a power-off" "there is no script(1)"
	skip "the terminal's mode comes back after a signal" "there is no script(1)"
fi
finish
