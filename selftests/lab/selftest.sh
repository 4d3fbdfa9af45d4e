# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the lab's own tests share, which speak KTAP: a directory of their own, the lab
# run in it, and results. Sourced, behind common.sh.

N=0 BAD=0
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lodge-lab-selftest.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit

# lab ARGUMENT...: runs the lab; its status, output and error output are kept.
lab()
{
	"$LAB_DIR/lab" --no-module "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	STATUS=$?
}

# result NAME: the last command's status is the verdict.
result()
{
	local status=$?

	N=$((N + 1))
	if [ $status = 0 ]; then
		echo "ok $N $1"
	else
		echo "not ok $N $1"
		echo "# status $STATUS"
		sed 's/^/# out: /' "$WORK/out" | tail -n 5
		sed 's/^/# err: /' "$WORK/err" | tail -n 20
		BAD=1
	fi
}

# plan NUMBER: how many results will follow.
plan()
{
	echo "KTAP version 1"
	echo "1..$1"
}
