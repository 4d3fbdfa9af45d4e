# SPDX-License-Identifier: GPL-2.0-only
#
# The lab machine "bochs-svm": Bochs's emulation of an AMD CPU with nested paging, next RIP
# and flush by ASID; the second opinion on AMD-V beside QEMU.
# Sourced by the lab; bochs.sh has the rest.

MACHINE_CPU=ryzen

. "$LAB_DIR/bochs.sh"
