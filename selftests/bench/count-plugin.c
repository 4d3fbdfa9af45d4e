// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's emulation that counts, from each VMRUN of the lab machine to the next, what its kernel executed:
 * instructions, and those that cost a CPU far more than one: WRMSR, writes to control registers, locked operations,
 * TLB flushes, interrupts sent to CPUs; and how many cache lines it touched. When the machine ends it writes a line for
 * each kind of stretch that came at least MIN times, in the order of their first, to the file OUT:
 * "TIMES INSTRUCTIONS WRMSR CR LOCKED FLUSHES IPIS LINES".
 *
 *	-plugin count-plugin.so,out=FILE,min=TIMES
 *
 * One CPU.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

EXPORT int qemu_plugin_version = 1;

/* Where 64-bit Linux maps the local APIC, and the register whose write sends an interrupt: SDM 3, 11.6.1. */
#define APIC_COMMAND	(0xffffffffff5fc000ull + 0x300)

enum { INSTRUCTIONS, WRMSR, CONTROL, LOCKED, FLUSHES, IPIS, KINDS };

/* One kind of stretch between two VMRUNs. */
struct stretch {
	uint64_t counts[KINDS];
	uint64_t times, lines;
};

#define STRETCHES_MAX	8192u
#define LINES_MAX	4096u

static struct stretch stretches[STRETCHES_MAX];
static unsigned int nr_stretches;
static uint64_t now[KINDS];
static uint64_t lines[LINES_MAX];
static unsigned int nr_lines;
static bool began;
static const char *out = "counts.txt";
static uint64_t min_times = 1000;

/* Beyond LINES_MAX, or STRETCHES_MAX, none is told from others: no steady state is as long, or as varied. */
static void line_touched(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t addr, void *unused)
{
	uint64_t line = addr >> 6;
	unsigned int i;

	(void)cpu;
	(void)unused;
	if (!began)
		return;
	if (addr == APIC_COMMAND && qemu_plugin_mem_is_store(info))
		now[IPIS]++;
	for (i = nr_lines; i-- > 0;)
		if (lines[i] == line)
			return;
	if (nr_lines < LINES_MAX)
		lines[nr_lines++] = line;
	else
		began = false;
}

static void vmrun(unsigned int cpu, void *unused)
{
	unsigned int i;

	(void)cpu;
	(void)unused;
	if (began) {
		for (i = 0; i < nr_stretches; i++)
			if (!memcmp(stretches[i].counts, now, sizeof(now)))
				break;
		if (i < STRETCHES_MAX) {
			if (i == nr_stretches) {
				memcpy(stretches[i].counts, now, sizeof(now));
				nr_stretches++;
			}
			stretches[i].times++;
			stretches[i].lines += nr_lines;
		}
	}
	began = true;
	nr_lines = 0;
	memset(now, 0, sizeof(now));
}

static bool is_legacy_prefix(uint8_t byte)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || (byte >= 0x64 && byte <= 0x67) ||
	       byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}

/* Two-byte opcodes, APM 3, appendix A.1; 0f 01 is told apart by the byte behind it. */
static int kind_of_two_bytes(const uint8_t *p, size_t size)
{
	uint8_t modrm = size > 1 ? p[1] : 0;

	switch (p[0]) {
	case 0x30:
		return WRMSR;
	case 0x22:
	case 0x06:
		return CONTROL;
	case 0x38:
		return modrm == 0x82 ? FLUSHES : INSTRUCTIONS;
	case 0x01:
		if (modrm == 0xd1 || (modrm >> 3 & 7) == 6)
			return CONTROL;		/* XSETBV, LMSW */
		if (modrm == 0xc6)
			return WRMSR;		/* WRMSRNS */
		return modrm == 0xdf || ((modrm >> 3 & 7) == 7 && modrm < 0xc0) ? FLUSHES : INSTRUCTIONS;
	default:
		return INSTRUCTIONS;
	}
}

static int kind_of(const uint8_t *p, size_t size)
{
	for (; size && is_legacy_prefix(*p); p++, size--)
		if (*p == 0xf0)
			return LOCKED;
	if (size && (*p & 0xf0) == 0x40)
		p++, size--;
	if (size < 2)
		return INSTRUCTIONS;
	/* An exchange with memory is locked, prefix or not. */
	if ((*p == 0x86 || *p == 0x87) && p[1] < 0xc0)
		return LOCKED;
	return *p == 0x0f ? kind_of_two_bytes(p + 1, size - 1) : INSTRUCTIONS;
}

static void tb_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const uint8_t vmrun_code[] = { 0x0f, 0x01, 0xd8 };
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		int kind = kind_of(bytes, size);

		/* The kernel's addresses only. */
		if (!(qemu_plugin_insn_vaddr(insn) >> 63))
			continue;
		if (size == sizeof(vmrun_code) && !memcmp(bytes, vmrun_code, size))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, vmrun, QEMU_PLUGIN_CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &now[INSTRUCTIONS], 1);
		if (kind != INSTRUCTIONS)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &now[kind], 1);
		qemu_plugin_register_vcpu_mem_cb(insn, line_touched, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

static void write_out(qemu_plugin_id_t id, void *unused)
{
	FILE *f = fopen(out, "w");
	unsigned int i, kind;

	(void)id;
	(void)unused;
	if (!f) {
		perror(out);
		return;
	}
	for (i = 0; i < nr_stretches; i++) {
		if (stretches[i].times < min_times)
			continue;
		fprintf(f, "%" PRIu64, stretches[i].times);
		for (kind = 0; kind < KINDS; kind++)
			fprintf(f, " %" PRIu64, stretches[i].counts[kind]);
		fprintf(f, " %" PRIu64 "\n", stretches[i].lines / stretches[i].times);
	}
	fclose(f);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		else if (!strncmp(argv[i], "min=", 4))
			min_times = strtoull(argv[i] + 4, NULL, 0);
		else
			return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, tb_translated);
	qemu_plugin_register_atexit_cb(id, write_out, NULL);
	return 0;
}
