# SPDX-License-Identifier: GPL-2.0-only
UNITS += vmx_state
vmx_state-sources := kmod/vmx/selftest_state.c kmod/vmx/guest_state.c
