// SPDX-License-Identifier: GPL-2.0-only
/*
 * The small guest that the emulator's tests run on: its memory, its port, and the
 * emulator's ops on them. What is tested is in emulate.c. No locks.
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate_check.h"

static struct emulate_machine *to_machine(struct lodge_emulate *em)
{
	return container_of(em, struct emulate_machine, em);
}

static enum lodge_emulate_result machine_page_fault(struct lodge_emulate *em, gva_t linear, u32 access, bool present)
{
	em->fault.vector = 14;
	em->fault.has_error = true;
	em->fault.cr2 = linear;
	em->fault.error = (present ? BIT(0) : 0) | (access & LODGE_ACCESS_WRITE ? BIT(1) : 0) |
			  (access & LODGE_ACCESS_USER ? BIT(2) : 0) | (access & LODGE_ACCESS_EXEC ? BIT(4) : 0);
	return EMULATE_FAULT;
}

static enum lodge_emulate_result machine_translate(struct lodge_emulate *em, gva_t linear, u32 access, gpa_t *gpa)
{
	struct emulate_machine *machine = to_machine(em);
	u64 offset = linear - machine->base;

	machine->nr_translate++;
	if (offset >= MACHINE_MEMORY || machine->absent & BIT(offset >> 12))
		return machine_page_fault(em, linear, access, false);
	if (access & LODGE_ACCESS_WRITE && machine->readonly & BIT(offset >> 12))
		return machine_page_fault(em, linear, access, true);
	*gpa = MACHINE_GPA + offset;
	return EMULATE_DONE;
}

/* Where a GPA lies, or NULL: the emulator made it up, or crossed a page. */
static u8 *machine_memory(struct emulate_machine *machine, gpa_t gpa, unsigned int len)
{
	u64 offset = gpa - MACHINE_GPA;

	if (offset >= MACHINE_MEMORY || (offset & 4095) + len > 4096)
		return NULL;
	return machine->memory + offset;
}

static bool machine_is_io(struct emulate_machine *machine, gpa_t gpa)
{
	return machine->io & BIT((gpa - MACHINE_GPA) >> 12);
}

static enum lodge_emulate_result machine_read(struct lodge_emulate *em, gpa_t gpa, u8 *buf, unsigned int len)
{
	u8 *memory = machine_memory(to_machine(em), gpa, len);

	if (WARN_ON_ONCE(!memory || !len || len > 8))
		return EMULATE_UNHANDLED;
	if (machine_is_io(to_machine(em), gpa))
		return EMULATE_IO;
	memcpy(buf, memory, len);
	return EMULATE_DONE;
}

static enum lodge_emulate_result machine_write(struct lodge_emulate *em, gpa_t gpa, const u8 *buf, unsigned int len)
{
	u8 *memory = machine_memory(to_machine(em), gpa, len);

	if (WARN_ON_ONCE(!memory || !len))
		return EMULATE_UNHANDLED;
	if (machine_is_io(to_machine(em), gpa))
		return EMULATE_IO;
	memcpy(memory, buf, len);
	return EMULATE_DONE;
}

static enum lodge_emulate_result machine_exchange(struct lodge_emulate *em, gpa_t gpa, const u8 *old, const u8 *new,
						 unsigned int len)
{
	u8 *memory = machine_memory(to_machine(em), gpa, len);

	if (WARN_ON_ONCE(!memory))
		return EMULATE_UNHANDLED;
	if (machine_is_io(to_machine(em), gpa))
		return EMULATE_IO;
	if (to_machine(em)->contended || memcmp(memory, old, len))
		return EMULATE_RETRY;
	memcpy(memory, new, len);
	return EMULATE_DONE;
}

static enum lodge_emulate_result machine_fetch(struct lodge_emulate *em, gva_t linear, u8 *buf, unsigned int len)
{
	struct emulate_machine *machine = to_machine(em);
	u32 access = LODGE_ACCESS_EXEC | (em->cpl == 3 ? LODGE_ACCESS_USER : 0);
	u64 offset = linear - machine->code_base;

	machine->nr_fetch++;
	if (offset >= MACHINE_CODE || (offset >= 4096 && machine->code_second_absent))
		return machine_page_fault(em, linear, access, false);
	if (WARN_ON_ONCE((linear & 4095) + len > 4096 || !len))
		return EMULATE_UNHANDLED;
	memcpy(buf, machine->code + offset, len);
	return EMULATE_DONE;
}

static void machine_load_segment(struct lodge_emulate *em, enum lodge_segment segment)
{
	em->segments[segment] = to_machine(em)->segments[segment];
}

static void machine_store_segment(struct lodge_emulate *em, enum lodge_segment segment, u16 selector)
{
	struct lodge_emulate_segment *seg = &to_machine(em)->segments[segment];

	seg->selector = selector;
	seg->base = selector << 4;
}

static void port_give(struct emulate_machine *machine, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		machine->port_data[i] = machine->port_next++;
}

static void port_take(struct emulate_machine *machine, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		machine->port_sum += machine->port_data[i] * ++machine->port_written;
}

static enum lodge_emulate_result machine_port_read(struct lodge_emulate *em, u16 port, unsigned int size,
						   unsigned int count)
{
	if (!to_machine(em)->port_in_kernel)
		return EMULATE_IO;
	port_give(to_machine(em), size * count);
	return EMULATE_DONE;
}

static enum lodge_emulate_result machine_port_write(struct lodge_emulate *em, u16 port, unsigned int size,
						    unsigned int count)
{
	if (!to_machine(em)->port_in_kernel)
		return EMULATE_IO;
	port_take(to_machine(em), size * count);
	return EMULATE_DONE;
}

static enum lodge_emulate_result machine_io_allowed(struct lodge_emulate *em, u16 port, unsigned int size)
{
	if (!to_machine(em)->io_denied)
		return EMULATE_DONE;
	em->fault.vector = 13;
	em->fault.has_error = true;
	em->fault.error = 0;
	return EMULATE_FAULT;
}

static void machine_fpu_read(struct lodge_emulate *em, unsigned int reg, u8 *buf, unsigned int len)
{
	memcpy(buf, to_machine(em)->vectors[reg], len);
}

static void machine_fpu_write(struct lodge_emulate *em, unsigned int reg, const u8 *buf, unsigned int len)
{
	memcpy(to_machine(em)->vectors[reg], buf, len);
}

static const struct lodge_emulate_ops machine_ops = {
	.translate	= machine_translate,
	.read		= machine_read,
	.write		= machine_write,
	.exchange	= machine_exchange,
	.fetch		= machine_fetch,
	.load_segment	= machine_load_segment,
	.store_segment	= machine_store_segment,
	.port_read	= machine_port_read,
	.port_write	= machine_port_write,
	.io_allowed	= machine_io_allowed,
	.fpu_read	= machine_fpu_read,
	.fpu_write	= machine_fpu_write,
};

void emulate_machine_set_mode(struct emulate_machine *machine, enum lodge_emulate_mode mode, unsigned int width)
{
	struct lodge_emulate *em = &machine->em;
	unsigned int i;

	em->mode = mode;
	em->width = width;
	em->cr0 = mode == LODGE_MODE_REAL ? 0x10 : 0x80000011;
	em->efer = mode == LODGE_MODE_LONG ? 0x500 : 0;
	em->rflags = 2 | (mode == LODGE_MODE_VM86 ? BIT(17) | 3 << 12 : 0);
	em->cpl = mode == LODGE_MODE_VM86 ? 3 : 0;
	em->segments_valid = 0;
	for (i = LODGE_ES; i < LODGE_TR; i++) {
		struct lodge_emulate_segment *seg = &machine->segments[i];

		seg->base = 0;
		seg->selector = 0;
		seg->limit = mode == LODGE_MODE_REAL || mode == LODGE_MODE_VM86 ? 0xffff : 0xffffffff;
		seg->attributes = LODGE_SEG_P | LODGE_SEG_S | LODGE_SEG_WRITABLE | LODGE_SEG_ACCESSED |
				  (i == LODGE_CS ? LODGE_SEG_CODE : 0) | (width == 4 ? LODGE_SEG_DB : 0);
	}
}

void emulate_machine_reset(struct emulate_machine *machine)
{
	struct lodge_emulate *em = &machine->em;

	memset(machine, 0, sizeof(*machine));
	em->ops = &machine_ops;
	em->gprs = machine->gprs;
	em->port_data = machine->port_data;
	em->cr4 = BIT(9) | BIT(18);
	em->xcr0 = 7;
	machine->base = 0x10000;
	machine->code_base = 0x400000;
	emulate_machine_set_mode(machine, LODGE_MODE_LONG, 8);
	em->rip = machine->code_base;
}

void emulate_machine_complete(struct emulate_machine *machine)
{
	struct lodge_emulate_io *io = &machine->em.io;
	u8 *memory;

	machine->nr_io++;
	if (io->kind == LODGE_IO_PORT) {
		if (io->write)
			port_take(machine, io->size * io->count);
		else
			port_give(machine, io->size * io->count);
		return;
	}
	memory = machine_memory(machine, io->addr, io->size);
	if (WARN_ON_ONCE(io->kind != LODGE_IO_MMIO || !memory || io->count != 1))
		return;
	if (io->write)
		memcpy(memory, io->data, io->size);
	else
		memcpy(io->data, memory, io->size);
}

enum lodge_emulate_result emulate_machine_run(struct emulate_machine *machine)
{
	struct lodge_emulate *em = &machine->em;
	u64 start = em->rip;
	enum lodge_emulate_result ret;

	do {
		em->nbytes = 0;
		em->segments_valid = 0;
		ret = lodge_emulate_step(em);
		while (ret == EMULATE_IO) {
			emulate_machine_complete(machine);
			ret = lodge_emulate_resume(em);
		}
	} while (!ret && em->rip == start);
	return ret;
}

unsigned int emulate_machine_code(struct emulate_machine *machine, const u8 *bytes, unsigned int n)
{
	u64 cs = machine->em.mode == LODGE_MODE_LONG ? 0 : machine->segments[LODGE_CS].base;

	memcpy(machine->code + (cs + machine->em.rip - machine->code_base), bytes, n);
	return n;
}

enum lodge_emulate_result emulate_machine_step(struct emulate_machine *machine)
{
	machine->em.nbytes = 0;
	machine->em.segments_valid = 0;
	return lodge_emulate_step(&machine->em);
}

bool emulate_machine_faulted(const struct emulate_machine *machine, enum lodge_emulate_result ret, u8 vector,
			     int error)
{
	const struct lodge_emulate_fault *fault = &machine->em.fault;

	if (ret == EMULATE_FAULT && fault->vector == vector && fault->has_error == (error >= 0) &&
	    (error < 0 || fault->error == (u32)error))
		return true;
	pr_err("result %d, vector %d, error %d %x\n", ret, fault->vector, fault->has_error, fault->error);
	return false;
}
