# SPDX-License-Identifier: GPL-2.0-only
#
# The lab machine "bochs-vmx": Bochs's emulation of an Intel CPU with VT-x, EPT,
# VPID, unrestricted guest and posted interrupts.
# Sourced by the lab; bochs.sh has the rest.

MACHINE_CPU=corei7_skylake_x

. "$LAB_DIR/bochs.sh"
