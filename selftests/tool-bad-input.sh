#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lab: cpus=1 seconds=300 memory=2G flags=both
#
# What the tool refuses: each case breaks one thing and expects the exit status
# of its kind and one sentence that names the thing.

. "$(dirname "$0")/tool/common.sh"

kernel halt "$HALT"

tool
result $((STATUS != 2)) "no verb"
refused 2 '"fly"' "a verb that does not exist" fly
refused 2 '"ru"' "an abbreviated verb" ru
refused 2 '"--fast"' "an option that does not exist" run --fast
refused 2 '"--ker"' "an abbreviated option" run --ker halt
refused 2 '"halt"' "an argument that is no option" run halt
refused 2 '--kernel needs a value' "an option without its value" run --kernel
for cpus in 0 -1 x 1x 255 99999999999999999999; do
	refused 2 "\"$cpus\" is not a number" "--cpus $cpus" run --kernel halt --cpus "$cpus"
done
for memory in x -1 1X 1MM 0x10 99999999999999999999 17179869184G; do
	refused 2 "\"$memory\" is not a memory size" "--memory $memory" run --kernel halt --memory "$memory"
done
refused 2 '1M is too little' "--memory 1M" run --kernel halt --memory 1M
refused 2 'not a VM.s name' "an empty name" run --kernel halt --name ""
refused 2 'not a VM.s name' "a name of 64 characters" run --kernel halt --name "$(printf '%064d' 0)"
refused 2 'not a VM.s name' "a name with a newline" run --kernel halt --name $'a\nb'
refused 2 'command line has 3000' "a command line longer than the kernel takes" \
	run --kernel halt --cmdline "$(printf '%03000d' 0)"
disks=()
for ((i = 0; i < 25; i++)); do
	disks+=(--disk "d$i")
done
refused 2 'at most 24 disks' "25 disks" run --kernel halt "${disks[@]}"

refused 4 'cannot open kernel absent: No such file' "a kernel that is not there" run --kernel absent
refused 4 '/ is not a regular file' "a kernel that is a directory" run --kernel /
: >empty
refused 3 'empty is not a kernel image' "an empty kernel" run --kernel empty
echo "this is no kernel" >text
refused 3 'text is not a kernel image' "a kernel that is a text" run --kernel text
head -c 100000 /dev/urandom >noise
refused 3 'noise is not a kernel image' "a kernel of random bytes" run --kernel noise
head -c 200 halt >short
refused 3 'short is cut short' "an ELF kernel that is cut short" run --kernel short
kernel noentry "$HALT" 1
refused 3 'noentry has no PVH entry' "an ELF kernel without a PVH entry" run --kernel noentry
refused 3 '(no PVH entry|cut short|be loaded|not an ELF file for x86-64)' "an ELF file that is a program" \
	run --kernel "$LODGE"
vmlinuz=/boot/vmlinuz-$(uname -r)
if [ -r "$vmlinuz" ]; then
	head -c 1000000 "$vmlinuz" >part
	refused 3 'part is cut short' "a bzImage that is cut short" run --kernel part
	refused 5 'raise --memory' "a bzImage that does not fit" run --kernel "$vmlinuz" --memory 32M
	cp "$vmlinuz" old && printf '\x00\x00' | dd of=old bs=1 seek=$((0x236)) conv=notrunc status=none
	refused 3 'no 64-bit entry' "a bzImage without a 64-bit entry" run --kernel old
else
	skip "a bzImage that is cut short" "there is no $vmlinuz"
	skip "a bzImage that does not fit" "there is no $vmlinuz"
	skip "a bzImage without a 64-bit entry" "there is no $vmlinuz"
fi

refused 4 'cannot open initrd absent' "an initrd that is not there" run --kernel halt --initrd absent
truncate -s 64M big
refused 5 'raise --memory' "an initrd that does not fit" run --kernel halt --initrd big --memory 32M
rm big
refused 4 'cannot open disk absent' "a disk that is not there" run --kernel halt --disk absent
refused 4 'neither a file nor' "a disk that is a directory" run --kernel halt --disk /,ro
truncate -s 1000 odd
refused 4 'odd has 1000 bytes' "a disk of half a sector" run --kernel halt --disk odd
: >nothing
refused 4 'nothing has 0 bytes' "a disk of no size" run --kernel halt --disk nothing
refused 4 'cannot write serial file' "a serial file in no directory" \
	run --kernel halt --serial absent/serial
refused 5 'host cannot give 67108864 MiB' "more memory than the host has" \
	run --kernel halt --memory 64T

refused 7 '/dev/absent' "a device that is not there" run --kernel halt --device /dev/absent
refused 7 '/dev/null does not speak' "a device that is another" run --kernel halt --device /dev/null
refused 7 'not a character device' "a device that is a file" run --kernel halt --device "$WORK/text"

chmod 755 "$WORK"
cp "$LODGE" lodge && chmod 755 lodge && chmod 644 halt
mknod node c $((0x$(stat -c %t "$LODGE_DEVICE"))) $((0x$(stat -c %T "$LODGE_DEVICE"))) && chmod 600 node
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	setpriv --reuid 65534 --regid 65534 --clear-groups ./lodge run --kernel halt --device "$WORK/node" \
		>out 2>err </dev/null
	STATUS=$?
	[ $STATUS = 6 ] && grep -q '^lodge: no permission on .*node: .*kvm' err
	result $? "no permission on the device"
else
	skip "no permission on the device" "only root can become another user"
fi

# Two VMs on one disk: both may read, one may write.
truncate -s 1M shared
"$LODGE" run --kernel halt --disk shared,ro >/dev/null 2>&1 </dev/null &
pid=$!
sleep 2
refused 4 'shared is in use by another VM' "a disk that another VM reads" run --kernel halt --disk shared
kill -9 $pid
wait $pid 2>/dev/null

# Another hypervisor with a VM: the kernel's own, if it can be loaded.
if [ "$LODGE_DEVICE" = /dev/kvm ]; then
	skip "another hypervisor holds the CPU feature" "KVM itself is under test"
elif [ -e /dev/kvm ] || ! { modprobe kvm_amd || modprobe kvm_intel; } 2>/dev/null; then
	skip "another hypervisor holds the CPU feature" "KVM is in use, or is not there"
else
	"$LODGE" run --kernel halt --device /dev/kvm >/dev/null 2>&1 </dev/null &
	pid=$!
	sleep 2
	refused 8 'which kvm_(amd|intel) holds: .*modprobe -r kvm' \
		"another hypervisor holds the CPU feature" run --kernel halt
	tool check
	[ "$STATUS" = 8 ] && grep -qE '^other *holds' out && grep -qE '^next *todo *modprobe -r kvm' out
	result $? "check: another hypervisor holds the CPU feature"
	kill -9 $pid
	wait $pid 2>/dev/null
	modprobe -r kvm_amd 2>/dev/null || modprobe -r kvm_intel
fi

tool check -j
python3 -c 'import json, sys; rows = json.load(open("out")); sys.exit(rows[-1]["item"] != "next")' && [ "$STATUS" = 0 ]
result $? "check: a VM can run, as JSON"
tool check --device /dev/absent
[ "$STATUS" = 7 ] && grep -q '^next *todo' out
result $? "check: a device that is not there"
refused 2 '"-x"' "check: an option that does not exist" check -x
finish
