// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same comparison as emulate-native.c for 32- and 16-bit protected-mode code,
 * in segments of a local descriptor table with bases and limits of their own,
 * with both address sizes in each.
 */
#include <asm/ldt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate-case.h"
#include "selftest/selftest.h"
#include "unit.h"

#define CASES		200
#define MISMATCHES	10
#define GS_OFFSET	0x100
#define GATE_OFFSET	MACHINE_CODE	/* behind the code pages */
#define SELECTOR(n)	((n) << 3 | 7)

enum { LDT_CODE32, LDT_CODE16, LDT_DATA32, LDT_DATA16, LDT_GS };

static unsigned int width;		/* of the code under test */

static bool ldt_set(unsigned int entry, u64 base, u32 limit, bool code, bool big)
{
	struct user_desc desc = {
		.entry_number = entry,
		.base_addr = base,
		.limit = limit,
		.seg_32bit = big,
		.contents = code ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA,
		.useable = 1,
	};

	return !syscall(SYS_modify_ldt, 1, &desc, sizeof(desc));
}

static bool segments_setup(void)
{
	if (!ldt_set(LDT_CODE32, CODE_BASE, 0x3fff, true, true) ||
	    !ldt_set(LDT_CODE16, CODE_BASE, 0x3fff, true, false) ||
	    !ldt_set(LDT_DATA32, DATA_BASE, 0xffff, false, true) ||
	    !ldt_set(LDT_DATA16, DATA_BASE, 0xffff, false, false) ||
	    !ldt_set(LDT_GS, DATA_BASE + GS_OFFSET, 0xffff - GS_OFFSET, false, true))
		return false;
	memcpy(case_code + GATE_OFFSET, native_gate, native_gate_end - native_gate);
	return true;
}

static void segments_load(unsigned int data, unsigned int gs)
{
	asm volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %1, %%gs" : : "r" (data), "r" (gs));
}

/* 26, 36, 3E and 65: all but GS have the same base here. */
static void compat_prefixes(struct native_case *c)
{
	static const u8 overrides[] = { 0x26, 0x36, 0x3e };
	const struct emulate_form *form = c->form;
	const u8 *bytes = form->bytes;
	bool fixed = form->flags & FORM_FIXED;

	c->gs = one_in(5);
	c->adsize = one_in(3);
	c->opsize = !(form->flags & (FORM_FIXED | FORM_BYTE | FORM_NO16)) && one_in(3);
	c->lock = form->flags & FORM_LOCK && one_in(3);
	if (form->flags & FORM_REP && !one_in(3)) {
		c->rep = random_next() & 1;
		c->repne = !c->rep;
	}
	if (one_in(5))
		case_put(c, overrides[random_below(3)], 1);
	if (c->gs)
		case_put(c, 0x65, 1);
	if (c->rep || c->repne)
		case_put(c, c->rep ? 0xf3 : 0xf2, 1);
	if (c->opsize)
		case_put(c, 0x66, 1);
	if (c->lock)
		case_put(c, 0xf0, 1);
	if (c->adsize)
		case_put(c, 0x67, 1);
	if (fixed && !(form->flags & FORM_VEX) && bytes[0] != 0x0f)
		case_put(c, bytes[0], 1);
	c->address_size = (width == 4) == c->adsize ? 2 : 4;
	c->size = form->flags & FORM_BYTE ? 1 : (width == 4) == c->opsize ? 2 : 4;
}

static void compat_opcode(struct native_case *c)
{
	const struct emulate_form *form = c->form;
	unsigned int skip = 0;

	if (form->flags & FORM_FIXED && !(form->flags & FORM_VEX) && form->bytes[0] != 0x0f)
		skip = 1;
	memcpy(c->bytes + c->n, form->bytes + skip, form->nbytes - skip);
	c->n += form->nbytes - skip;
}

/* Set a register that addresses memory, as wide as addresses are; above it anything. */
static void set_address(struct native_case *c, unsigned int reg, u64 val)
{
	if (c->address_size == 2 && reg != LODGE_RSP)
		val = (val & 0xffff) | (random_next() & 0xffff0000);
	c->in.gprs[reg] = (u32)val;
}

static u32 compat_offset(const struct native_case *c)
{
	return c->target - DATA_BASE - (c->gs ? GS_OFFSET : 0);
}

static void compat_modrm16(struct native_case *c, u8 digit, unsigned int mod)
{
	static const u8 bases[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const u8 indexes[8] = { 6, 7, 6, 7, 0xff, 0xff, 0xff, 0xff };
	unsigned int rm = random_below(8);
	u32 ea = compat_offset(c);
	s16 disp = mod == 1 ? (s8)random_next() : mod == 2 ? (s16)random_next() : 0;

	case_put(c, mod << 6 | digit << 3 | rm, 1);
	if (!mod && rm == 6) {
		case_put(c, ea, 2);
		return;
	}
	if (mod)
		case_put(c, disp, mod);
	if (indexes[rm] != 0xff)
		ea -= c->in.gprs[indexes[rm]];
	if (c->form->flags & FORM_BITS && (bases[rm] == digit || indexes[rm] == digit))
		c->skip = true;
	set_address(c, bases[rm], ea - disp);
}

static void compat_modrm32(struct native_case *c, u8 digit, unsigned int mod)
{
	unsigned int base = random_below(8), index = 4, scale = random_below(4);
	u32 ea = compat_offset(c);
	s32 disp = mod == 1 ? (s8)random_next() : mod == 2 ? (s32)random_next() : 0;
	bool sib = base == 4 || one_in(3);

	if (sib && base != 4) {
		do {
			index = random_below(8);
		} while (index == base);
	}
	case_put(c, mod << 6 | digit << 3 | (sib ? 4 : base), 1);
	if (sib)
		case_put(c, scale << 6 | index << 3 | base, 1);
	if (index != 4)
		ea -= c->in.gprs[index] << scale;
	if (!mod && base == 5) {
		case_put(c, ea, 4);
		if (c->form->flags & FORM_BITS && index == digit)
			c->skip = true;
		return;
	}
	if (mod)
		case_put(c, disp, mod == 1 ? 1 : 4);
	if (c->form->flags & FORM_BITS && (base == digit || index == digit))
		c->skip = true;
	/* The stack pointer must stay in its segment for what uses the stack. */
	if (base == LODGE_RSP && c->form->flags & FORM_STACK && mod == 2)
		c->skip = true;
	set_address(c, base, ea - disp);
}

static void compat_modrm(struct native_case *c)
{
	u8 digit = c->form->digit >= 0 ? c->form->digit : random_below(8);
	unsigned int mod = random_below(3);

	if (c->form->flags & FORM_BITS) {
		s32 bit = (s32)random_below(0x4000) - 0x2000;

		c->in.gprs[digit] = c->size == 4 ? (u32)bit : (random_next() & 0xffff0000) | (u16)bit;
	}
	if (c->address_size == 2)
		compat_modrm16(c, digit, mod);
	else
		compat_modrm32(c, digit, mod);
}

static void compat_string(struct native_case *c)
{
	set_address(c, LODGE_RSI, 0x3000 + random_below(0x6000));
	set_address(c, LODGE_RDI, 0x3000 + random_below(0x6000));
	if (c->rep || c->repne)
		set_address(c, LODGE_RCX, random_below(40));
	if (c->form->flags & FORM_COMPARES && one_in(2)) {
		memset(case_data + 0x2000, random_next(), 0x9000);
		c->in.gprs[LODGE_RAX] = case_data[0x2000] * 0x01010101u;
	}
}

static void compat_build(struct native_case *c, const struct emulate_form *form)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->form = form;
	c->at = one_in(4) ? 4096 - random_below(16) : random_below(4000);
	case_choose_registers(c);
	for (i = 0; i < 16; i++)
		c->in.gprs[i] = i < 8 ? (u32)c->in.gprs[i] : 0;
	c->in.gprs[LODGE_RSP] = STACK_OFFSET;
	case_choose_target(c);
	compat_prefixes(c);
	compat_opcode(c);
	if (form->flags & FORM_STRING)
		compat_string(c);
	else if (form->flags & FORM_XLAT)
		set_address(c, LODGE_RBX, compat_offset(c) - (u8)c->in.gprs[LODGE_RAX]);
	else if (form->flags & FORM_MOFFS)
		case_put(c, compat_offset(c), c->address_size);
	else if (!(form->flags & FORM_NOMODRM))
		compat_modrm(c);
	case_put_immediate(c);
	case_set_undefined(c);
}

static void compat_run_native(struct native_case *c)
{
	u8 *at = case_code + c->at;
	u32 gate = CODE_BASE + GATE_OFFSET;
	u16 selector = 0x33;

	memcpy(at, c->bytes, c->n);
	at += c->n;
	if (width == 2)
		*at++ = 0x66;
	*at++ = 0xea;
	memcpy(at, &gate, 4);
	memcpy(at + 4, &selector, 2);
	c->out = c->in;
	c->out.entry = c->at;
	c->out.code_selector = SELECTOR(width == 4 ? LDT_CODE32 : LDT_CODE16);
	c->out.stack_selector = SELECTOR(width == 4 ? LDT_DATA32 : LDT_DATA16);
	case_note(c);
	segments_load(SELECTOR(width == 4 ? LDT_DATA32 : LDT_DATA16), SELECTOR(LDT_GS));
	native_run_compat(&c->out);
	segments_load(0, 0);
}

static enum lodge_emulate_result compat_run_emulated(struct native_case *c)
{
	struct lodge_emulate *em = &case_machine.em;
	unsigned int i;

	emulate_machine_set_mode(&case_machine, LODGE_MODE_PROTECTED, width);
	case_machine.base = DATA_BASE;
	case_machine.code_base = CODE_BASE;
	for (i = LODGE_ES; i < LODGE_TR; i++) {
		case_machine.segments[i].base = DATA_BASE;
		case_machine.segments[i].limit = 0xffff;
	}
	case_machine.segments[LODGE_CS].base = CODE_BASE;
	case_machine.segments[LODGE_CS].limit = 0x3fff;
	case_machine.segments[LODGE_GS].base = DATA_BASE + GS_OFFSET;
	case_machine.segments[LODGE_GS].limit = 0xffff - GS_OFFSET;
	case_machine.io = one_in(3) ? 0 : one_in(2) ? 0xffff : random_next() & 0xffff;
	memcpy(case_machine.code + c->at, c->bytes, c->n);
	case_machine.code_second_absent = c->at + c->n <= 4096;
	memcpy(case_machine.gprs, c->in.gprs, sizeof(case_machine.gprs));
	memcpy(case_machine.vectors, c->in.vectors, sizeof(case_machine.vectors));
	em->rflags = c->in.rflags;
	em->rip = c->at;
	em->cpl = 3;
	return emulate_machine_run(&case_machine);
}

static void compat_set_memory(struct native_case *c)
{
	if (!(c->form->flags & FORM_ACC_MATCH) || one_in(3))
		return;
	if (c->form->flags & FORM_ACC2_MATCH) {
		memcpy((void *)c->target, &c->in.gprs[LODGE_RAX], 4);
		memcpy((void *)(c->target + 4), &c->in.gprs[LODGE_RDX], 4);
	} else {
		memcpy((void *)c->target, &c->in.gprs[LODGE_RAX], c->size);
	}
}

static unsigned int compat_check(const struct emulate_form *form, unsigned int *nr_cases)
{
	struct native_case c;
	unsigned int i, bad = 0;

	case_fill_memory();
	for (i = 0; i < CASES && !bad; i++) {
		compat_build(&c, form);
		if (c.skip)
			continue;
		compat_set_memory(&c);
		memcpy(case_machine.memory, case_data, MACHINE_MEMORY);
		compat_run_native(&c);
		bad = case_compare(&c, compat_run_emulated(&c), c.at + c.n, 0xffffffff);
		++*nr_cases;
	}
	if (bad)
		pr_err("  in %u-bit code\n", 8 * width);
	return bad;
}

int lodge_selftest_emulate_compat(void)
{
	unsigned int i, bad = 0, done = 0, nr_cases = 0;

	if (!case_cpu_is_sufficient())
		return unit_skip("this CPU has no AVX2 or no MOVBE");
	if (!case_setup())
		return 1;
	if (!segments_setup())
		return unit_skip("this kernel has no modify_ldt()");
	for (i = 0; i < emulate_nr_forms && bad < MISMATCHES; i++) {
		if (emulate_forms[i].flags & FORM_ONLY64)
			continue;
		for (width = 2; width <= 4; width += 2)
			bad += compat_check(&emulate_forms[i], &nr_cases);
		done++;
	}
	pr_info("%u forms of 16- and 32-bit code: %u cases, %u exits to user space\n", done, nr_cases,
		case_machine.nr_io);
	return bad;
}
