// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random instructions in random states, with a user space that tampers with
 * registers between exits. Under the sanitizers nothing may be read or written
 * out of bounds; beyond that, what is promised whatever the input is checked.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate-case.h"
#include "selftest/emulate_check.h"

#define ROUNDS		400000
#define EXITS		40
#define MISMATCHES	10

static struct emulate_machine before;	/* the machine as it was */
static unsigned int nr_results[EMULATE_RETRY + 1];

/* A plausible address, or any. */
static u64 fuzz_address(void)
{
	if (one_in(8))
		return random_next();
	if (one_in(8))
		return one_in(2) ? 0x7fffffffffff - random_below(40) : random_below(40) - 20;
	return case_machine.base + random_below(MACHINE_MEMORY + 64) - 32;
}

static void fuzz_bytes(u8 *bytes, unsigned int n)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x64, 0x65, 0x2e, 0x48, 0x4f };
	unsigned int i = 0;

	while (i < n && one_in(3))
		bytes[i++] = prefixes[random_below(sizeof(prefixes))];
	if (!one_in(4) && i < n) {
		const struct emulate_form *form = &emulate_forms[random_below(emulate_nr_forms)];
		unsigned int j;

		for (j = 0; j < form->nbytes && i < n; j++)
			bytes[i++] = form->bytes[j];
		if (one_in(2) && i < n)		/* no displacement, or a small one */
			bytes[i++] = random_next() & 0x7b;
	}
	while (i < n)
		bytes[i++] = random_next();
}

static void fuzz_segments(void)
{
	unsigned int i;

	for (i = LODGE_ES; i < LODGE_TR; i++) {
		struct lodge_emulate_segment *seg = &case_machine.segments[i];

		if (one_in(3))
			seg->attributes = random_next();
		if (one_in(3))
			seg->limit = one_in(2) ? random_next() : random_below(0x20000);
		if (i >= LODGE_FS && one_in(2))
			seg->base = one_in(2) ? random_next() : random_below(0x1000);
	}
}

static void fuzz_state(void)
{
	static const u8 widths[] = { 2, 4, 8 };
	struct lodge_emulate *em = &case_machine.em;
	unsigned int i, width = widths[random_below(3)];

	emulate_machine_set_mode(&case_machine, width == 8 ? LODGE_MODE_LONG : random_below(3), width);
	if (one_in(5))
		fuzz_segments();
	for (i = 0; i < 16; i++)
		case_machine.gprs[i] = one_in(4) ? random_below(100) : fuzz_address();
	em->rflags ^= random_next() & 0x50dd5;
	em->cr0 ^= one_in(4) ? random_next() & 0x4000c : 0;
	em->cr4 = one_in(4) ? random_next() : BIT(9) | BIT(18);
	em->xcr0 = one_in(4) ? random_next() : 7;
	em->cpl = one_in(2) ? 0 : 3;
	case_machine.absent = !one_in(4) ? 0 : random_next() & random_next();
	case_machine.readonly = !one_in(4) ? 0 : random_next() & random_next();
	case_machine.io = one_in(2) ? random_next() : one_in(2) ? 0 : ~0u;
	case_machine.port_in_kernel = one_in(2);
	case_machine.io_denied = one_in(4);
	case_machine.contended = one_in(3);
	case_machine.code_second_absent = one_in(2);
	em->hint_gpa = MACHINE_GPA + random_below(MACHINE_MEMORY - 8);
	em->hint_access = one_in(8) ? 1 + random_below(3) : 0;
	em->rip = case_machine.code_base + (one_in(3) ? 4096 - random_below(16) : random_below(2 * 4096 - 16));
}

static bool io_is_sane(const struct lodge_emulate_io *io)
{
	u64 offset = io->addr - MACHINE_GPA;

	if (io->kind == LODGE_IO_PORT)
		return (io->size == 1 || io->size == 2 || io->size == 4) && io->count && io->addr <= 0xffff &&
		       io->size * io->count <= LODGE_PORT_DATA;
	return io->kind == LODGE_IO_MMIO && io->size && io->size <= 8 && io->count == 1 && offset < MACHINE_MEMORY &&
	       (offset & 4095) + io->size <= 4096;
}

/* What holds after every call. */
static unsigned int fuzz_check(enum lodge_emulate_result ret)
{
	const struct lodge_emulate *em = &case_machine.em;
	unsigned int failed = 0;

	EXPECT(failed, em->nbytes <= LODGE_INSN_MAX && em->insn.length <= LODGE_INSN_MAX);
	EXPECT(failed, ret <= EMULATE_RETRY);
	EXPECT(failed, ret != EMULATE_IO || io_is_sane(&em->io));
	EXPECT(failed, ret == EMULATE_IO || em->io.kind == LODGE_IO_NONE);
	EXPECT(failed, ret != EMULATE_DONE || em->insn.op < LODGE_OP_SYSTEM);
	EXPECT(failed, em->reads_end <= LODGE_EMULATE_READS && em->pieces_end <= LODGE_EMULATE_PIECES);
	return failed;
}

/* An instruction that did not commit has changed nothing, but for the low pages of a long write. */
static unsigned int fuzz_check_unchanged(void)
{
	const struct lodge_emulate *em = &case_machine.em;
	unsigned int failed = 0;

	if (em->committed)
		return 0;
	EXPECT(failed, em->rip == before.em.rip && em->rflags == before.em.rflags);
	EXPECT(failed, !memcmp(case_machine.gprs, before.gprs, sizeof(before.gprs)));
	EXPECT(failed, !memcmp(case_machine.vectors, before.vectors, sizeof(before.vectors)));
	EXPECT(failed, !memcmp(case_machine.memory, before.memory, MACHINE_MEMORY));
	return failed;
}

static void fuzz_tamper(void)
{
	if (one_in(6))
		case_machine.gprs[random_below(16)] = one_in(2) ? random_below(5000) : fuzz_address();
	if (one_in(20))
		case_machine.em.rip += random_below(64);
	if (one_in(20))
		case_machine.em.rflags ^= random_next() & 0x50dd5;
	if (one_in(20))
		case_machine.io = random_next();
	if (one_in(20))
		fuzz_segments();
}

static unsigned int fuzz_round(void)
{
	struct lodge_emulate *em = &case_machine.em;
	unsigned int failed, exits;
	enum lodge_emulate_result ret;
	u8 bytes[16];

	fuzz_state();
	fuzz_bytes(bytes, sizeof(bytes));
	emulate_machine_code(&case_machine, bytes, sizeof(bytes));
	memcpy(&before, &case_machine, offsetof(struct emulate_machine, code));
	ret = emulate_machine_step(&case_machine);
	nr_results[ret]++;
	failed = fuzz_check(ret) + fuzz_check_unchanged();
	for (exits = 0; ret == EMULATE_IO && exits < EXITS && !failed; exits++) {
		emulate_machine_complete(&case_machine);
		fuzz_tamper();
		em->segments_valid = 0;
		ret = lodge_emulate_resume(em);
		failed = fuzz_check(ret);
	}
	return failed;
}

/* The short way to a length never contradicts the decoder. */
static unsigned int fuzz_skip_length(void)
{
	static const u8 widths[] = { 2, 4, 8 };
	struct lodge_emulate *em = &case_machine.em;
	unsigned int width = widths[random_below(3)], n, given, glance, failed = 0;
	enum lodge_emulate_result ret;
	u8 *bytes = case_machine.code;
	u64 first;

	emulate_machine_set_mode(&case_machine, width == 8 ? LODGE_MODE_LONG : LODGE_MODE_PROTECTED, width);
	case_machine.code_second_absent = false;
	em->rip = case_machine.code_base;
	fuzz_bytes(bytes, 16);
	if (one_in(2)) {
		n = random_below(13);
		memcpy(bytes + n, one_in(2) ? "\x0f\x01\xd9" : one_in(2) ? "\x0f\xa2\xf4" : "\xf4\xf4\xf4", 3);
	}
	em->nbytes = 0;
	given = random_below(17);
	n = lodge_emulate_skip_length(bytes, given, width);
	memcpy(&first, bytes, sizeof(first));
	glance = lodge_emulate_skip_glance(first);
	EXPECT(failed, !glance || glance == lodge_emulate_skip_length(bytes, 16, width));
	ret = lodge_emulate_decode(em);
	EXPECT(failed, n <= given && n <= LODGE_INSN_MAX);
	EXPECT(failed, !n || (!ret && em->insn.length == n && em->insn.op >= LODGE_OP_SYSTEM));
	return failed;
}

int lodge_selftest_emulate_fuzz(void)
{
	unsigned int i, failed = 0;

	if (!case_setup())
		return 1;
	case_machine.base = 0x8000;
	case_machine.code_base = 0x4000;
	for (i = 0; i < ROUNDS && failed < MISMATCHES; i++) {
		unsigned int bad = fuzz_round() + fuzz_skip_length();

		if (bad) {
			const struct lodge_emulate *em = &case_machine.em;

			pr_err("round %u: mode %d width %d op %d bytes %02x %02x %02x %02x %02x %02x\n", i, em->mode,
			       em->width, em->insn.op, em->bytes[0], em->bytes[1], em->bytes[2], em->bytes[3],
			       em->bytes[4], em->bytes[5]);
			failed += bad;
		}
	}
	pr_info("%u rounds: done %u, exit %u, fault %u, unhandled %u, retry %u; %u exits\n", i, nr_results[0],
		nr_results[1], nr_results[2], nr_results[3], nr_results[4], case_machine.nr_io);
	/* Every outcome must have been seen often, or this was no test. */
	for (i = 0; i <= EMULATE_RETRY; i++)
		EXPECT(failed, nr_results[i] > (i == EMULATE_RETRY ? 100 : 5000));
	return failed;
}
