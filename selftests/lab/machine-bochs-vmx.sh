# SPDX-License-Identifier: GPL-2.0-only
#
# The lab machine "bochs-vmx": Bochs's emulation of an Intel CPU with VT-x, EPT,
# VPID, unrestricted guest and posted interrupts.
# Sourced by the lab; bochs.sh has the rest.

MACHINE_CPU=corei7_skylake_x
# Virtual x2APIC mode refuses registers that exist: KVM does without (Documentation/lab-bochs.rst).
LAB_APPEND="kvm_intel.enable_apicv=0 $LAB_APPEND"

. "$LAB_DIR/bochs.sh"
