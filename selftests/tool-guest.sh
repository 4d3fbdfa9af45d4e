#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=180 memory=3G flags=lodge
#
# One Linux guest of `lodge run`, from its first instruction to power-off, with a
# disk that it reads: the shortest run through all that a guest needs. A lab with a
# kernel of its own takes the machine's for the guest, which is smaller and faster.

. "$(dirname "$0")/tool/common.sh"

LIMIT=$((150 * ${LODGE_TEST_SCALE:-1}))
release=$(uname -r)
case $release in
*-lodge-*)
	release=$(find /boot -name 'vmlinuz-*' ! -name '*-lodge-*' | sort -V | tail -n 1)
	release=${release##*/vmlinuz-} ;;
esac
vmlinuz=/boot/vmlinuz-$release
[ -r "$vmlinuz" ] || { echo "1..0 # SKIP there is no $vmlinuz"; exit 4; }
head -c 3M /dev/urandom >disk
tool run --report --kernel "$vmlinuz" --disk disk,ro
[ "$STATUS" = 0 ] && tail -n 1 out | grep -qE "^guest: $release cpus=1 clocksource=kvm-clock disk=ok poweroff=clean$"
result $? "a guest boots, reads its disk and powers off"
finish
