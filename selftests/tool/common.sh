# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts tool-*.sh share: KTAP, running the tool, and kernels of a few
# bytes. Such a kernel is an ELF file with a PVH entry point (32-bit protected
# mode, flat segments, interrupts off), its code written in hexadecimal.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LODGE=${LODGE:-$TOP/build/lodge}
export LODGE_DEVICE=${LODGE_DEVICE:-/dev/lodge}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lodge-tool.XXXXXX")
cleanup()
{
	local guests

	guests=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$guests" ] || { kill $guests; wait; } 2>/dev/null
	rm -rf "$WORK"
}
trap cleanup EXIT
cd "$WORK" || exit
CASE=0 FAILED=0
# Seconds that one run of the tool may take.
LIMIT=$((60 * ${LODGE_TEST_SCALE:-1}))

echo "KTAP version 1"

# result STATUS NAME: one case; STATUS 0 is good. On failure what the tool said follows.
# LODGE_TEST_UNTIL names a case behind which the script stops.
result()
{
	CASE=$((CASE + 1))
	if [ "$1" = 0 ]; then
		echo "ok $CASE $2"
	else
		echo "not ok $CASE $2"
		FAILED=$((FAILED + 1))
		[ ! -e out ] || head -c 2000 out | tr -d '\r' | sed 's/^/# out: /'
		[ ! -e err ] || head -c 2000 err | tr -d '\r' | sed 's/^/# err: /'
	fi
	[ "$2" != "$LODGE_TEST_UNTIL" ] || finish
}

skip()
{
	CASE=$((CASE + 1))
	echo "ok $CASE $1 # SKIP $2"
}

finish()
{
	echo "1..$CASE"
	[ "$FAILED" = 0 ]
	exit
}

# tool ARGUMENT...: runs it with its output in out and err, its status in STATUS.
tool()
{
	timeout -k 5 "$LIMIT" "$LODGE" "$@" >out 2>err </dev/null
	STATUS=$?
}

# until_there PATTERN FILE: waits for what a tool in the background is to write.
until_there()
{
	local i

	for ((i = 0; i < LIMIT * 5; i++)); do
		! grep -aqE -- "$1" "$2" 2>/dev/null || return 0
		sleep 0.2
	done
	return 1
}

# refused STATUS PATTERN NAME ARGUMENT...: the tool must end with STATUS and one
# sentence that matches PATTERN, and leave no file behind.
refused()
{
	local status=$1 pattern=$2 name=$3 before after

	shift 3
	touch out err
	before=$(ls -A)
	tool "$@"
	after=$(ls -A)
	[ "$STATUS" = "$status" ] && [ "$(wc -l <err)" = 1 ] && grep -qE "^lodge: .*$pattern" err &&
		[ "$after" = "$before" ]
	result $? "$name"
	[ "$STATUS" = "$status" ] || echo "# status $STATUS instead of $status"
}

# le BYTES NUMBER: little endian, in hexadecimal.
le()
{
	local i

	for ((i = 0; i < $1; i++)); do
		printf '%02x' $(($2 >> 8 * i & 255))
	done
}

# hex_write FILE HEX
hex_write()
{
	# shellcheck disable=SC2059
	printf "$(sed 's/../\\x&/g' <<<"$2")" >"$1"
}

# kernel FILE HEX [NOTE-TYPE]: an ELF kernel whose code starts at 1 MiB.
kernel()
{
	local code=${2// /} elf size

	size=$((${#code} / 2))
	elf=7f454c46020101$(le 9 0)$(le 2 2)$(le 2 62)$(le 4 1)	# ELF64, executable, x86-64
	elf+=$(le 8 0x100000)$(le 8 64)$(le 8 0)$(le 4 0)$(le 2 64)$(le 2 56)$(le 2 2)$(le 6 0)
	# PT_LOAD of the code at file offset 0x100, and PT_NOTE at 0xb0
	elf+=$(le 4 1)$(le 4 7)$(le 8 0x100)$(le 8 0x100000)$(le 8 0x100000)$(le 8 $size)$(le 8 4096)$(le 8 16)
	elf+=$(le 4 4)$(le 4 4)$(le 8 0xb0)$(le 8 0)$(le 8 0)$(le 8 20)$(le 8 20)$(le 8 4)
	elf+=$(le 4 4)$(le 4 4)$(le 4 "${3:-18}")58656e00$(le 4 0x100000)	# "Xen", PHYS32_ENTRY
	while [ ${#elf} -lt 512 ]; do
		elf+=00
	done
	hex_write "$1" "$elf$code"
}

# Pieces of code.
POWEROFF="66ba0406 66b80034 66ef"	# S5 into PM1 control, port 0x604
HALT="fa f4 ebfc"			# cli; hlt for ever
# put TEXT: code that writes it to the serial port.
put()
{
	local i

	printf '66baf803'
	for ((i = 0; i < ${#1}; i++)); do
		printf 'b0%02xee' "'${1:i:1}"
	done
	printf 'b00aee'
}
