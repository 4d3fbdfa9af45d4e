# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share that boot Linux, the lab's own kernel, by `lodge run`: behind
# common.sh, skips where there is none to boot, and makes a disk.

LIMIT=$((120 * ${LODGE_TEST_SCALE:-1}))
vmlinuz=/boot/vmlinuz-$(uname -r)
case $vmlinuz in
*-lodge-*)	echo "1..0 # SKIP a kernel built for the lab is no guest; see tool-guest.sh"; exit 4 ;;
esac
[ -r "$vmlinuz" ] || { echo "1..0 # SKIP there is no $vmlinuz"; exit 4; }
head -c 3M /dev/urandom >disk
QUIET="console=ttyS0 quiet panic=-1"
