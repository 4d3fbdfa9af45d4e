/* SPDX-License-Identifier: GPL-2.0-only */
/* How the emulator's tests, emulate.c and emulate_access.c, state what they expect. */
#ifndef LODGE_SELFTEST_EMULATE_CHECK_H
#define LODGE_SELFTEST_EMULATE_CHECK_H

#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate_machine.h"
#include "selftest.h"

/* Count and print a failed expectation; @failed is a counter in scope of the caller. */
#define EXPECT(failed, cond)							\
	do {									\
		if (!(cond)) {							\
			pr_err("%s:%d: expected %s\n", __FILE__, __LINE__, #cond);	\
			(failed)++;						\
		}								\
	} while (0)

/* Bytes at RIP; returns how many. */
#define CODE(machine, ...)							\
	emulate_machine_code(machine, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

unsigned int emulate_machine_code(struct emulate_machine *machine, const u8 *bytes, unsigned int n);

/* Step once from where RIP stands, with nothing cached. */
enum lodge_emulate_result emulate_machine_step(struct emulate_machine *machine);

/* A result FAULT with this vector and error code; -1: no error code. */
bool emulate_machine_faulted(const struct emulate_machine *machine, enum lodge_emulate_result ret, u8 vector,
			     int error);

#endif
