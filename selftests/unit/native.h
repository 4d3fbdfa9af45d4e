/* SPDX-License-Identifier: GPL-2.0-only */
/* Running single instructions on the CPU with registers of the caller's choice. */
#ifndef UNIT_NATIVE_H
#define UNIT_NATIVE_H

#include <linux/types.h>

struct native_state {
	u64 gprs[16];
	u64 rflags;
	u64 entry;
	u64 stack_selector;	/* 32- and 16-bit code: SS while it runs; 0: the flat one */
	u64 code_selector;
	u8 vectors[16][32];
};

/* 64-bit code at state->entry, which must come back by a jump or call to native_return. */
void native_run(struct native_state *state);
extern char native_return[];

/* 32- or 16-bit code at code_selector:entry; comes back by a far jump to native_gate in segment 0x33. */
void native_run_compat(struct native_state *state);
extern char native_gate[], native_gate_end[];

#endif
