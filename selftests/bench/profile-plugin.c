// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's emulation that counts how often each instruction of the lab machine was executed, and with
 * which properties: the ground truth of a hot path's length. When the machine ends it writes one line an address,
 * "ADDRESS COUNT BYTES", for all executed at least MIN times, to the file OUT.
 *
 *	-plugin profile-plugin.so,out=FILE,min=COUNT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

EXPORT int qemu_plugin_version = 1;

struct place {
	struct place *next;
	uint64_t addr;
	uint64_t count;
	uint8_t size;
	uint8_t bytes[15];
};

#define NR_HEADS (1u << 18)
static struct place *heads[NR_HEADS];
static const char *out = "profile.txt";
static uint64_t min_count = 1000;

/* Kernel addresses only; code that was replaced at the same address is another place. */
static struct place *place_get(uint64_t addr, const uint8_t *bytes, size_t size)
{
	struct place **head = &heads[(addr * 0x9e3779b97f4a7c15ull) >> 46], *p;

	if (size > sizeof(p->bytes))
		size = sizeof(p->bytes);
	for (p = *head; p; p = p->next)
		if (p->addr == addr && p->size == size && !memcmp(p->bytes, bytes, size))
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->addr = addr;
	p->size = size;
	memcpy(p->bytes, bytes, size);
	p->next = *head;
	*head = p;
	return p;
}

static void tb_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		struct place *p;

		if (!(qemu_plugin_insn_vaddr(insn) >> 63))
			continue;
		p = place_get(qemu_plugin_insn_vaddr(insn), qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &p->count, 1);
	}
}

static void write_out(qemu_plugin_id_t id, void *unused)
{
	FILE *f = fopen(out, "w");
	const struct place *p;
	unsigned int i, b;

	(void)id;
	(void)unused;
	if (!f) {
		perror(out);
		return;
	}
	for (i = 0; i < NR_HEADS; i++)
		for (p = heads[i]; p; p = p->next) {
			if (p->count < min_count)
				continue;
			fprintf(f, "%016" PRIx64 " %" PRIu64 " ", p->addr, p->count);
			for (b = 0; b < p->size; b++)
				fprintf(f, "%02x", p->bytes[b]);
			fputc('\n', f);
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
			min_count = strtoull(argv[i] + 4, NULL, 0);
		else
			return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, tb_translated);
	qemu_plugin_register_atexit_cb(id, write_out, NULL);
	return 0;
}
