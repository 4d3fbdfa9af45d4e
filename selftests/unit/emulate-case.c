// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the comparisons of the emulator with the CPU share: memory at fixed
 * addresses, random numbers, the parts of a case that do not depend on the
 * mode, and the comparison itself.
 */
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate-case.h"

struct emulate_machine case_machine;
u8 *const case_data = (u8 *)DATA_BASE;
u8 *const case_code = (u8 *)CODE_BASE;

static struct native_case this_case;
static u64 random_state = 88172645463325252ull;

u64 random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

u64 random_below(u64 n)
{
	return (random_next() >> 11) % n;
}

bool one_in(unsigned int n)
{
	return !random_below(n);
}

void case_put(struct native_case *c, u64 val, unsigned int n)
{
	memcpy(c->bytes + c->n, &val, n);
	c->n += n;
}

void case_describe(const struct native_case *c)
{
	char text[3 * sizeof(c->bytes) + 1] = "";
	unsigned int i;

	for (i = 0; i < c->n; i++)
		sprintf(text + 3 * i, "%02x ", c->bytes[i]);
	pr_err("%s: %s(io pages %04x)\n", c->form->name, text, case_machine.io);
}

void case_note(const struct native_case *c)
{
	this_case = *c;
}

static void case_fault(int sig)
{
	printf("# signal %d while running natively\n", sig);
	case_describe(&this_case);
	fflush(stdout);
	_exit(1);
}

/* What the table needs: AVX2 for the widest, MOVBE. */
bool case_cpu_is_sufficient(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_MOVBE) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
		return false;
	__cpuid_count(7, 0, a, b, c, d);
	return b & bit_AVX2;
}

static bool case_map(u64 addr, size_t len, int prot)
{
	return mmap((void *)addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)addr;
}

bool case_setup(void)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP };
	static u8 signal_stack[65536];
	struct sigaction action = { .sa_handler = case_fault, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	unsigned int i;

	if (getenv("UNIT_SEED"))
		random_state ^= strtoull(getenv("UNIT_SEED"), NULL, 0) * 0x9e3779b97f4a7c15ull;
	if (!case_map(DATA_BASE, MACHINE_MEMORY, PROT_READ | PROT_WRITE) ||
	    !case_map(CODE_BASE, 2 * MACHINE_CODE, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		pr_err("no memory at fixed addresses\n");
		return false;
	}
	sigaltstack(&stack, NULL);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	emulate_machine_reset(&case_machine);
	return true;
}

void case_choose_registers(struct native_case *c)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		c->in.gprs[i] = random_next();
	for (i = 0; i < sizeof(c->in.vectors); i += 8)
		((u64 *)c->in.vectors)[i / 8] = random_next();
	c->in.rflags = 0x202 | (random_next() & (STATUS | FLAG_DF));
}

/* Where the operand shall be: anywhere, or over a page border. */
void case_choose_target(struct native_case *c)
{
	u64 offset = 0x2000 + random_below(0xa000);

	if (one_in(4))
		offset = (offset & ~0xfffull) + 0x1000 - random_below(40);
	if (c->form->flags & FORM_ALIGNED)
		offset &= ~31ull;
	c->target = DATA_BASE + offset;
}

void case_put_immediate(struct native_case *c)
{
	const struct emulate_form *form = c->form;

	if (form->imm == 2)
		case_put(c, random_below(64) * 8, 2);
	else if (form->imm)
		case_put(c, random_next(), form->imm == 4 && c->size == 2 ? 2 : form->imm);
}

void case_fill_memory(void)
{
	unsigned int i;

	for (i = 0; i < MACHINE_MEMORY; i += 8)
		*(u64 *)(case_data + i) = random_next();
}

void case_set_undefined(struct native_case *c)
{
	const struct emulate_form *form = c->form;
	unsigned int count, bits = 8 * c->size;
	u8 opcode = form->bytes[form->nbytes - 1];

	c->undefined = form->undefined;
	if (!(form->flags & (FORM_SHIFT | FORM_ROTATE | FORM_SHIFT2)))
		return;
	if (form->imm)
		count = c->bytes[c->n - 1];
	else
		count = (opcode & 0xfe) == 0xd0 ? 1 : c->in.gprs[LODGE_RCX] & 0xff;
	count &= c->size == 8 ? 63 : 31;
	if (!count)
		return;
	if (count > 1)
		c->undefined |= 0x800;
	if (form->flags & FORM_ROTATE)
		return;
	c->undefined |= 0x10;
	if (count >= bits && form->digit != 7)
		c->undefined |= 1;
	if (form->flags & FORM_SHIFT2 && count > bits)
		c->skip = true;
}

static unsigned int vectors_differ(const struct native_case *c)
{
	return memcmp(case_machine.vectors, c->out.vectors, sizeof(case_machine.vectors)) != 0;
}

static unsigned int gprs_differ(const struct native_case *c, u64 mask)
{
	unsigned int i, n = 0;

	for (i = 0; i < (mask == ~0ull ? 16 : 8); i++)
		n += (case_machine.gprs[i] & mask) != (c->out.gprs[i] & mask);
	return n;
}

static void case_print_differences(const struct native_case *c, u64 mask)
{
	unsigned int i;

	for (i = 0; i < (mask == ~0ull ? 16 : 8); i++)
		if ((case_machine.gprs[i] & mask) != (c->out.gprs[i] & mask))
			pr_err("  gpr %u: %llx for %llx, was %llx\n", i, case_machine.gprs[i], c->out.gprs[i],
			       c->in.gprs[i]);
	for (i = 0; i < 16; i++)
		if (memcmp(case_machine.vectors[i], c->out.vectors[i], 32))
			pr_err("  vector %u differs\n", i);
	for (i = 0; i < MACHINE_MEMORY; i++)
		if (case_machine.memory[i] != case_data[i])
			pr_err("  memory %llx: %02x for %02x\n", DATA_BASE + i, case_machine.memory[i], case_data[i]);
}

unsigned int case_compare(const struct native_case *c, enum lodge_emulate_result ret, u64 rip, u64 mask)
{
	u32 flags = (c->out.rflags ^ case_machine.em.rflags) & (STATUS | FLAG_DF) & ~c->undefined;

	if (ret) {
		case_describe(c);
		pr_err("  result %d, vector %d\n", ret, case_machine.em.fault.vector);
		return 1;
	}
	if (case_machine.em.rip == rip && case_machine.em.insn.length == c->n && !flags &&
	    !gprs_differ(c, mask) && !vectors_differ(c) && !memcmp(case_machine.memory, case_data, MACHINE_MEMORY))
		return 0;
	case_describe(c);
	pr_err("  rip %llx for %llx, length %d for %d, flags %llx for %llx (differ in %x)\n", case_machine.em.rip,
	       rip, case_machine.em.insn.length, c->n, case_machine.em.rflags, c->out.rflags, flags);
	case_print_differences(c, mask);
	return 1;
}
