// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the rules for guest state (vmx/guest_state.c): states of every mode that an entry takes, and for each
 * rule one that breaks it and nothing else. No locks.
 */
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "guest_state.h"

#include "../selftest/selftest.h"

#define CODE32		(0x9b | VMX_ATTR_DB | VMX_ATTR_G)
#define CODE64		(0x9b | VMX_ATTR_L | VMX_ATTR_G)
#define DATA32		(0x93 | VMX_ATTR_DB | VMX_ATTR_G)
#define PAGING		(BIT_ULL(31) | 0x31)
#define TF		BIT_ULL(8)
#define IF		BIT_ULL(9)
#define VM		BIT_ULL(17)

static struct vmx_guest_state state;

static void set_data(u32 limit, u32 attributes)
{
	int i;

	for (i = VMX_SEG_ES; i <= VMX_SEG_GS; i++)
		state.segments[i] = (struct vmx_state_segment) { .limit = limit, .attributes = attributes };
}

static void real_mode(void)
{
	memset(&state, 0, sizeof(state));
	state.cr0 = 0x30;
	state.cr0_must = 0x80000021;
	state.cr0_may = 0xffffffff;
	state.cr4 = state.cr4_must = 0x2000;
	state.cr4_may = 0x7fffff;
	state.dr7 = 0x400;
	state.pat = 0x0007040600070406ULL;
	state.rip = 0xfff0;
	state.rflags = 2;
	state.link = ~0ULL;
	state.physical_bits = 39;
	state.linear_bits = 48;
	set_data(0xffff, 0x93);
	state.segments[VMX_SEG_CS].attributes = 0x9b;
	state.segments[VMX_SEG_TR] = (struct vmx_state_segment) { .limit = 0xffff, .attributes = 0x8b };
	state.segments[VMX_SEG_LDTR] = (struct vmx_state_segment) { .limit = 0xffff, .attributes = 0x82 };
}

static void pae_mode(void)
{
	real_mode();
	state.cr0 = PAGING;
	state.cr4 |= 0x20;
	set_data(0xffffffff, DATA32);
	state.segments[VMX_SEG_CS].attributes = CODE32;
}

static void vm86_mode(void)
{
	pae_mode();
	state.rflags |= VM;
	set_data(0xffff, 0xf3);
}

static void long_mode(void)
{
	pae_mode();
	state.entry_controls = VMX_ENTRY_LONG_MODE;
	state.efer = 0x501;
	state.segments[VMX_SEG_CS].attributes = CODE64;
	state.rip = 0xffffffff81000000ULL;
}

static void ring_3(void)
{
	long_mode();
	state.segments[VMX_SEG_CS].attributes |= 3 << VMX_ATTR_DPL_SHIFT;
	state.segments[VMX_SEG_SS].attributes |= 3 << VMX_ATTR_DPL_SHIFT;
	state.segments[VMX_SEG_DS].attributes = VMX_ATTR_UNUSABLE;
	state.rip = 0x400000;
}

#define SEG(name)	state.segments[VMX_SEG_##name]
#define INJECT(type, vector)	(VMX_EVENT_VALID | (type) | (vector))

struct rule {
	void (*mode)(void);
	void (*spoil)(void);
	const char *words;	/* the beginning of what must be said */
};

#define RULE(name, mode_, code, words_)			\
	static void spoil_##name(void) { code; }	\
	static const struct rule rule_##name = { mode_, spoil_##name, words_ };
#include "selftest_rules.h"
#undef RULE

static const struct rule *const rules[] = {
#define RULE(name, mode_, code, words_)	&rule_##name,
#include "selftest_rules.h"
#undef RULE
};

static int check_valid(const char *name, void (*mode)(void))
{
	const char *fault;

	mode();
	fault = vmx_guest_state_fault(&state);
	if (!fault)
		return 0;
	pr_err("vmx_state: %s is valid, but: %s\n", name, fault);
	return 1;
}

int lodge_selftest_vmx_state(void)
{
	int failed = 0;
	unsigned int i;

	failed |= check_valid("real mode", real_mode);
	failed |= check_valid("PAE paging", pae_mode);
	failed |= check_valid("virtual-8086 mode", vm86_mode);
	failed |= check_valid("long mode", long_mode);
	failed |= check_valid("user mode", ring_3);
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		const char *fault;

		rules[i]->mode();
		rules[i]->spoil();
		fault = vmx_guest_state_fault(&state);
		if (fault && !strncmp(fault, rules[i]->words, strlen(rules[i]->words)))
			continue;
		pr_err("vmx_state: expected \"%s\", got \"%s\"\n", rules[i]->words, fault ?: "nothing");
		failed = 1;
	}
	return failed;
}
