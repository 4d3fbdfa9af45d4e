// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator against the CPU: each form of emulate-forms.c is encoded with
 * random prefixes, addressing modes, registers and flags, run natively and
 * emulated on the same memory, now as RAM, now as MMIO completed piece by piece,
 * and everything that the manuals define must agree. 64-bit code.
 */
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate-case.h"
#include "selftest/selftest.h"
#include "unit.h"

#define GS_BASE		0x00123450ull
#define CASES		1000
#define MISMATCHES	10

/* Legacy prefixes and REX; the form's own mandatory prefix stands last before REX. */
static void encode_prefixes(struct native_case *c)
{
	const struct emulate_form *form = c->form;
	static const u8 ignored[] = { 0x26, 0x2e, 0x36, 0x3e };
	const u8 *bytes = form->bytes;
	bool sized = !(form->flags & (FORM_BYTE | FORM_FIXED));

	c->gs = one_in(6);
	c->adsize = one_in(5);
	c->opsize = sized && !(form->flags & FORM_NO16) && one_in(3);
	c->lock = form->flags & FORM_LOCK && one_in(3);
	if (form->flags & FORM_REP && !one_in(3)) {
		c->rep = random_next() & 1;
		c->repne = !c->rep;
	}
	if (c->gs)
		case_put(c, 0x65, 1);
	if (c->opsize)
		case_put(c, 0x66, 1);
	if (one_in(8))
		case_put(c, ignored[random_below(4)], 1);
	if (c->rep || c->repne)
		case_put(c, c->rep ? 0xf3 : 0xf2, 1);
	if (c->adsize)
		case_put(c, 0x67, 1);
	if (c->lock)
		case_put(c, 0xf0, 1);
	if (form->flags & FORM_VEX)
		return;
	if (form->flags & FORM_FIXED && (bytes[0] == 0x66 || bytes[0] == 0xf2 || bytes[0] == 0xf3))
		case_put(c, bytes[0], 1);
	if (one_in(12))
		case_put(c, 0x48, 1), case_put(c, 0x3e, 1);	/* a REX made void */
	c->rex = one_in(2) ? 0x40 | random_below(16) : 0;
	if (form->flags & FORM_STACK)
		c->rex &= ~8;
	if (c->rex)
		case_put(c, c->rex, 1);
}

static unsigned int case_size(const struct native_case *c)
{
	if (c->form->flags & FORM_BYTE)
		return 1;
	if (c->rex & 8)
		return 8;
	if (c->opsize)
		return 2;
	return c->form->flags & FORM_STACK ? 8 : 4;
}

static void encode_opcode(struct native_case *c)
{
	const struct emulate_form *form = c->form;
	unsigned int skip = 0;

	if (form->flags & FORM_FIXED && !(form->flags & FORM_VEX) && form->bytes[0] != 0x0f)
		skip = 1;
	memcpy(c->bytes + c->n, form->bytes + skip, form->nbytes - skip);
	if (form->flags & FORM_VEX) {
		c->rex = random_below(8);
		c->bytes[c->n + 1] ^= (c->rex & 7) << 5;
		/* C4's R, X, B stand in the order of REX */
		c->rex |= c->bytes[c->n + 2] & 0x80 ? 8 : 0;
	}
	c->n += form->nbytes - skip;
	c->size = case_size(c);
}

/* Give @reg what makes the address right; with prefix 67 the upper half may be anything. */
static void set_address_register(struct native_case *c, unsigned int reg, u64 val)
{
	if (c->adsize) {
		val = (u32)val;
		if (reg != LODGE_RSP)
			val |= random_next() << 32;
	}
	c->in.gprs[reg] = val;
}

static void encode_modrm(struct native_case *c)
{
	const struct emulate_form *form = c->form;
	unsigned int kind = random_below(6), reg, base, index, scale = random_below(4), mod = random_below(3);
	u64 ea = c->target - (c->gs ? GS_BASE : 0);
	s32 disp = mod == 1 ? (s8)random_next() : mod == 2 ? (s32)random_next() : 0;
	u8 digit = form->digit >= 0 ? form->digit : random_below(8);

	reg = digit | (c->rex & 4) << 1;
	c->modrm_at = c->n;
	if (form->flags & FORM_BITS) {
		s64 bit = (s64)random_below(0x8000) - 0x4000;

		c->in.gprs[reg] = c->size == 8 ? (u64)bit : c->size == 4 ? (random_next() << 32) | (u32)bit :
				  (random_next() << 16) | (u16)bit;
	}
	if (kind == 4) {	/* RIP-relative: completed by finish_rip_relative() */
		case_put(c, digit << 3 | 5, 1);
		case_put(c, ea, 4);
		return;
	}
	do {
		base = random_below(8) | (c->rex & 1) << 3;
	} while (form->flags & FORM_BITS && base == reg);
	if (kind == 3) {	/* [disp32], perhaps with an index of nothing */
		case_put(c, digit << 3 | 4, 1);
		case_put(c, 0x25 | scale << 6, 1);
		if (c->rex & 2) {	/* index R12 */
			c->in.gprs[12] = random_next() & 0xff;
			if (form->flags & FORM_BITS && reg == 12)
				c->skip = true;
			ea -= c->in.gprs[12] << scale;
		}
		case_put(c, ea, 4);
		return;
	}
	if (kind < 3 && (base & 7) != 4) {
		if (!mod && (base & 7) == 5)
			mod = 1, disp = 0;
		case_put(c, mod << 6 | digit << 3 | (base & 7), 1);
		index = 4;
	} else {
		do {
			index = random_below(8) | (c->rex & 2) << 2;
		} while (index == base || (form->flags & FORM_BITS && index == reg));
		/* The stack pointer must stay near the operand for what uses the stack. */
		if (base == LODGE_RSP && form->flags & FORM_STACK) {
			c->skip |= c->rex & 2 || c->adsize || c->gs;
			index = 4;
			if (mod == 2)
				mod = 1, disp = (s8)disp;
		}
		if (!mod && (base & 7) == 5)
			mod = 1, disp = 0;
		case_put(c, mod << 6 | digit << 3 | 4, 1);
		case_put(c, scale << 6 | (index & 7) << 3 | (base & 7), 1);
	}
	if (mod)
		case_put(c, disp, mod == 1 ? 1 : 4);
	if (index != 4)
		ea -= c->in.gprs[index] << scale;
	set_address_register(c, base, ea - disp);
}

static void finish_rip_relative(struct native_case *c)
{
	u32 disp;

	if ((c->bytes[c->modrm_at] & 0xc7) != 5)
		return;
	memcpy(&disp, c->bytes + c->modrm_at + 1, 4);
	disp -= (u32)(CODE_BASE + c->at + c->n);
	memcpy(c->bytes + c->modrm_at + 1, &disp, 4);
}

static void encode_string(struct native_case *c)
{
	u64 source = DATA_BASE + 0x3000 + random_below(0x6000);

	set_address_register(c, LODGE_RSI, source - (c->gs ? GS_BASE : 0));
	set_address_register(c, LODGE_RDI, DATA_BASE + 0x3000 + random_below(0x6000));
	if (one_in(3))
		set_address_register(c, LODGE_RDI, source + random_below(64));	/* overlapping */
	if (c->rep || c->repne)
		set_address_register(c, LODGE_RCX, random_below(40));
	if (c->form->flags & FORM_COMPARES && one_in(2)) {
		memset(case_data + 0x2000, random_next(), 0x9000);
		c->in.gprs[LODGE_RAX] = case_data[0x2000] * 0x0101010101010101ull;
	}
}

/* Memory as the form wants it. */
static void case_set_memory(struct native_case *c)
{
	u64 back = (u64)native_return;

	if (c->form->flags & FORM_TARGET)
		memcpy((void *)c->target, &back, 8);
	if (c->form->flags & FORM_RETURNS)
		memcpy((void *)c->in.gprs[LODGE_RSP], &back, 8);
	if (c->form->flags & FORM_ACC_MATCH && !one_in(3)) {
		unsigned int size = c->form->flags & FORM_ACC2_MATCH ? (c->rex & 8 ? 8 : 4) : c->size;

		memcpy((void *)c->target, &c->in.gprs[LODGE_RAX], size);
		if (c->form->flags & FORM_ACC2_MATCH)
			memcpy((void *)(c->target + size), &c->in.gprs[LODGE_RDX], size);
	}
}

static void case_build(struct native_case *c, const struct emulate_form *form)
{
	memset(c, 0, sizeof(*c));
	c->form = form;
	c->at = one_in(4) ? 4096 - random_below(16) : random_below(4000);
	case_choose_registers(c);
	c->in.gprs[LODGE_RSP] = DATA_BASE + STACK_OFFSET;
	case_choose_target(c);
	encode_prefixes(c);
	encode_opcode(c);
	if (form->flags & FORM_STRING)
		encode_string(c);
	else if (form->flags & FORM_XLAT)
		set_address_register(c, LODGE_RBX, c->target - (u8)c->in.gprs[LODGE_RAX] - (c->gs ? GS_BASE : 0));
	else if (form->flags & FORM_MOFFS)
		case_put(c, c->target - (c->gs ? GS_BASE : 0), c->adsize ? 4 : 8);
	else if (!(form->flags & FORM_NOMODRM))
		encode_modrm(c);
	case_put_immediate(c);
	if (c->modrm_at)
		finish_rip_relative(c);
	case_set_undefined(c);
	if (c->n > LODGE_INSN_MAX)
		c->skip = true;
}

static void case_run_native(struct native_case *c)
{
	static const u8 jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	u64 back = (u64)native_return;
	u8 *at = case_code + c->at;

	memcpy(at, c->bytes, c->n);
	memcpy(at + c->n, jump, sizeof(jump));
	memcpy(at + c->n + sizeof(jump), &back, 8);
	c->out = c->in;
	c->out.entry = CODE_BASE + c->at;
	case_note(c);
	native_run(&c->out);
}

static enum lodge_emulate_result case_run_emulated(struct native_case *c)
{
	struct lodge_emulate *em = &case_machine.em;

	emulate_machine_set_mode(&case_machine, LODGE_MODE_LONG, 8);
	case_machine.base = DATA_BASE;
	case_machine.code_base = CODE_BASE;
	case_machine.segments[LODGE_GS].base = GS_BASE;
	case_machine.io = one_in(3) ? 0 : one_in(2) ? 0xffff : random_next() & 0xffff;
	memcpy(case_machine.code + c->at, c->bytes, c->n);
	/* Fetching the next page must not be needed when the instruction ends before it. */
	case_machine.code_second_absent = c->at + c->n <= 4096;
	memcpy(case_machine.gprs, c->in.gprs, sizeof(case_machine.gprs));
	memcpy(case_machine.vectors, c->in.vectors, sizeof(case_machine.vectors));
	em->rflags = c->in.rflags;
	em->rip = CODE_BASE + c->at;
	em->cpl = 3;
	return emulate_machine_run(&case_machine);
}

static unsigned int form_check(const struct emulate_form *form, unsigned int *nr_cases)
{
	struct native_case c;
	unsigned int i, bad = 0;
	u64 rip;

	case_fill_memory();
	for (i = 0; i < CASES && !bad; i++) {
		case_build(&c, form);
		if (c.skip)
			continue;
		case_set_memory(&c);
		memcpy(case_machine.memory, case_data, MACHINE_MEMORY);
		case_run_native(&c);
		rip = form->flags & (FORM_TARGET | FORM_RETURNS) ? (u64)native_return : CODE_BASE + c.at + c.n;
		bad = case_compare(&c, case_run_emulated(&c), rip, ~0ull);
		++*nr_cases;
	}
	return bad;
}

int lodge_selftest_emulate_native(void)
{
	unsigned int i, bad = 0, done = 0, nr_cases = 0;

	if (!case_cpu_is_sufficient())
		return unit_skip("this CPU has no AVX2 or no MOVBE");
	if (!case_setup() || syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE))
		return 1;
	for (i = 0; i < emulate_nr_forms && bad < MISMATCHES; i++) {
		if (emulate_forms[i].flags & FORM_NOT64)
			continue;
		bad += form_check(&emulate_forms[i], &nr_cases);
		done++;
	}
	pr_info("%u forms of 64-bit code: %u cases, %u exits to user space\n", done, nr_cases, case_machine.nr_io);
	return bad;
}
