/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What would need the emulator, done inside the section where that takes no sleep: the length of an instruction on
 * CPUs that give no next RIP, and the plain moves to and from device registers.
 */
#ifndef LODGE_SECTION_H
#define LODGE_SECTION_H

#include "lodge.h"

/**
 * lodge_section_find_length() - set vcpu->next_rip from the instruction's bytes
 * Return: false: they cannot be had here, or have redundant operands that need decoding; ask lodge_vcpu_decode().
 * Context: in the section.
 */
bool lodge_section_find_length(struct lodge_vcpu *vcpu);

/**
 * lodge_section_mmio() - complete the access of vcpu->fault, or hand it to user space
 * Return: LODGE_EXIT_RESUME, LODGE_EXIT_USER with vcpu->run filled, or LODGE_EXIT_DEFER with lodge_vcpu_emulate().
 * Context: in the section.
 */
int lodge_section_mmio(struct lodge_vcpu *vcpu);

/**
 * lodge_move_complete() - finish the load that user space answered
 * Return: LODGE_EXIT_RESUME. Context: vcpu->mutex held, not in the guest.
 */
int lodge_move_complete(struct lodge_vcpu *vcpu);

#endif
