// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's emulation that tells the host's instructions from its guest's. From VMRUN to the instruction
 * behind it, which every VM exit goes to, the lab machine is in guest mode. Between the two marks of `lodge bench`,
 * NOPs that nothing else has (bench_boot.c), it counts what is executed on either side, and the VMRUNs; for each such
 * stretch it writes a line to the file OUT when the machine ends: "HOST GUEST VMRUNS".
 *
 *	-plugin host-plugin.so,out=FILE
 *
 * One CPU. The emulator keeps the code that it translates for guest mode apart from the rest, so the mode at an
 * instruction's translation is that of its execution.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

EXPORT int qemu_plugin_version = 1;

enum { HOST, GUEST, VMRUNS, COUNTS };

#define PLACES_MAX	16u
#define STRETCHES_MAX	64u

static uint64_t counts[COUNTS], begun[COUNTS];
static uint64_t stretches[STRETCHES_MAX][COUNTS];
static unsigned int nr_stretches;
/* Where the emulator's process has the instructions behind VMRUNs: no guest has its code in the same memory. */
static const uint8_t *behind[PLACES_MAX];
static unsigned int nr_behind;
static int mode = HOST;
static const char *out = "host.txt";
/* What makes the counts worthless, or NULL. */
static const char *wrong;

static void vmrun(unsigned int cpu, void *unused)
{
	(void)cpu;
	(void)unused;
	if (mode == GUEST)
		wrong = "a VMRUN in guest mode: a VM exit was missed";
	counts[VMRUNS]++;
	mode = GUEST;
}

static void vmexit(unsigned int cpu, void *unused)
{
	(void)cpu;
	(void)unused;
	mode = HOST;
}

static void mark_begin(unsigned int cpu, void *unused)
{
	(void)cpu;
	(void)unused;
	memcpy(begun, counts, sizeof(begun));
}

static void mark_end(unsigned int cpu, void *unused)
{
	(void)cpu;
	(void)unused;
	if (nr_stretches == STRETCHES_MAX) {
		wrong = "too many marks";
		return;
	}
	for (unsigned int i = 0; i < COUNTS; i++)
		stretches[nr_stretches][i] = counts[i] - begun[i];
	nr_stretches++;
}

static bool is_behind_vmrun(const uint8_t *place)
{
	for (unsigned int i = 0; i < nr_behind; i++)
		if (behind[i] == place)
			return true;
	return false;
}

static void behind_add(const uint8_t *place)
{
	if (is_behind_vmrun(place))
		return;
	if (nr_behind == PLACES_MAX)
		wrong = "too many VMRUNs in the code";
	else
		behind[nr_behind++] = place;
}

static void insn_translated(struct qemu_plugin_insn *insn, int side)
{
	static const uint8_t vmrun_code[] = { 0x0f, 0x01, 0xd8 };
	static const uint8_t begin_code[] = { 0x0f, 0x1f, 0x80, 0x4c, 0x44, 0x47, 0x3c };
	static const uint8_t end_code[] = { 0x0f, 0x1f, 0x80, 0x4c, 0x44, 0x47, 0x3e };
	const uint8_t *bytes = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	qemu_plugin_udata_cb *callback = NULL;

	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counts[side], 1);
	if (side == GUEST)
		return;
	if (size == sizeof(vmrun_code) && !memcmp(bytes, vmrun_code, size)) {
		behind_add((const uint8_t *)qemu_plugin_insn_haddr(insn) + size);
		callback = vmrun;
	} else if (size == sizeof(begin_code) && !memcmp(bytes, begin_code, size)) {
		callback = mark_begin;
	} else if (size == sizeof(end_code) && !memcmp(bytes, end_code, size)) {
		callback = mark_end;
	}
	if (callback)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void tb_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	bool left = is_behind_vmrun(qemu_plugin_insn_haddr(first));
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (left)
		qemu_plugin_register_vcpu_insn_exec_cb(first, vmexit, QEMU_PLUGIN_CB_NO_REGS, NULL);
	for (size_t i = 0; i < n; i++)
		insn_translated(qemu_plugin_tb_get_insn(tb, i), left ? HOST : mode);
}

static void write_out(qemu_plugin_id_t id, void *unused)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)unused;
	if (!f) {
		perror(out);
		return;
	}
	if (wrong)
		fprintf(f, "%s\n", wrong);
	for (unsigned int i = 0; i < nr_stretches; i++)
		fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", stretches[i][HOST], stretches[i][GUEST],
			stretches[i][VMRUNS]);
	fclose(f);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4))
			return -1;
		out = strdup(argv[i] + 4);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, tb_translated);
	qemu_plugin_register_atexit_cb(id, write_out, NULL);
	return 0;
}
