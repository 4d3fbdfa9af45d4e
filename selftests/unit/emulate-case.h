/* SPDX-License-Identifier: GPL-2.0-only */
/* One instruction with everything it runs on, and what the native comparisons share. */
#ifndef UNIT_EMULATE_CASE_H
#define UNIT_EMULATE_CASE_H

#include "emulate-forms.h"
#include "native.h"
#include "selftest/emulate_machine.h"

#define DATA_BASE	0x50000000ull
#define CODE_BASE	0x51000000ull
#define STACK_OFFSET	0xe800

#define STATUS		0x8d5u	/* OF SF ZF AF PF CF */
#define FLAG_DF		0x400u

struct native_case {
	const struct emulate_form *form;
	u8 bytes[32];
	unsigned int n;
	unsigned int modrm_at;
	bool opsize, adsize, gs, lock, rep, repne;
	u8 rex;
	unsigned int size;		/* operand size */
	unsigned int address_size;	/* 16- and 32-bit code */
	unsigned int at;		/* offset of the code */
	u64 target;			/* linear address of the operand */
	u32 undefined;
	bool skip;
	struct native_state in, out;
};

extern struct emulate_machine case_machine;
extern u8 *const case_data, *const case_code;

u64 random_next(void);
u64 random_below(u64 n);
bool one_in(unsigned int n);

/* Map the data and code pages, catch signals, seed. False: said why. */
bool case_setup(void);
bool case_cpu_is_sufficient(void);

void case_put(struct native_case *c, u64 val, unsigned int n);
void case_describe(const struct native_case *c);
void case_choose_registers(struct native_case *c);
void case_choose_target(struct native_case *c);
void case_put_immediate(struct native_case *c);
void case_fill_memory(void);

/* Undefined flags that depend on the count; skip set where even the result is undefined. */
void case_set_undefined(struct native_case *c);

/* What runs natively from here on, for the signal handler. */
void case_note(const struct native_case *c);

/* The emulated state against c->out, registers under @mask; prints what differs. Number of mismatches, 0 or 1. */
unsigned int case_compare(const struct native_case *c, enum lodge_emulate_result ret, u64 rip, u64 mask);

#endif
