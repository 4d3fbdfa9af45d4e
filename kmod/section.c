// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions finished inside the section, with interrupts off: their bytes are read without a lock and without
 * faulting pages in, and whatever is not plain goes to the emulator after the section. Only memory that the CPU
 * itself has just fetched from is read, so the guest's accessed bits are set already.
 */
#include "section.h"

#include <linux/mm.h>
#include <linux/string.h>
#include <asm/processor-flags.h>

#include "backend.h"
#include "event.h"
#include "exit.h"
#include "io_bus.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"

/* Not inlined: its locals would put a stack canary in the path of guests without paging, too. */
static noinline bool section_walk(struct lodge_vcpu *vcpu, const struct lodge_code *code, gva_t linear, gpa_t *gpa)
{
	u32 access = LODGE_ACCESS_EXEC | (code->cpl == 3 ? LODGE_ACCESS_USER : 0);
	struct lodge_walk walk;

	if (lodge_mmu_walk_section(vcpu, linear, access, &walk) || walk.fault)
		return false;
	*gpa = walk.gpa;
	return true;
}

/*
 * LODGE_QUICK_BYTES bytes at RIP into vcpu->code_bytes; false when they cross a page or are not to be had without
 * sleeping. Scratch space is the vCPU's.
 */
static bool section_fetch(struct lodge_vcpu *vcpu)
{
	struct lodge_code *code = &vcpu->code;
	gva_t linear;

	lodge_op(get_code)(vcpu, code);
	linear = code->base + vcpu->rip;
	if (code->width != 8)
		linear = (u32)linear;
	if (offset_in_page(linear) > PAGE_SIZE - LODGE_QUICK_BYTES)
		return false;
	vcpu->code_gpa = linear;
	if ((vcpu->cr0 & X86_CR0_PG) && !section_walk(vcpu, code, linear, &vcpu->code_gpa))
		return false;
	return lodge_guest_peek16(vcpu->vm, vcpu->code_gpa, vcpu->code_bytes);
}

static u64 section_next_rip(const struct lodge_vcpu *vcpu, unsigned int length)
{
	u64 rip = vcpu->rip + length;

	return vcpu->code.width == 8 ? rip : (u32)rip;
}

bool lodge_section_find_length(struct lodge_vcpu *vcpu)
{
	unsigned int length;

	if (!section_fetch(vcpu))
		return false;
	length = lodge_emulate_skip_glance(vcpu->code_bytes[0]);
	if (unlikely(!length))
		length = lodge_emulate_skip_length((const u8 *)vcpu->code_bytes, LODGE_QUICK_BYTES,
						   vcpu->code.width);
	if (unlikely(!length))
		return false;
	vcpu->next_rip = section_next_rip(vcpu, length);
	return true;
}

/* The bytes just fetched, decoded into vcpu->move: mostly they are those of the last time. */
static __always_inline bool section_decode_move(struct lodge_vcpu *vcpu)
{
	const u64 *bytes = vcpu->code_bytes;
	u64 *known = vcpu->move_bytes;

	if (likely(bytes[0] == known[0] && bytes[1] == known[1] && vcpu->code.width == vcpu->move.width))
		return true;
	if (!lodge_quick_decode(&vcpu->move, (const u8 *)bytes, vcpu->code.width)) {
		vcpu->move.width = 0;
		return false;
	}
	known[0] = bytes[0];
	known[1] = bytes[1];
	return true;
}

/* The access that faulted is this operand, all of it. */
static bool move_is_the_fault(struct lodge_vcpu *vcpu)
{
	const struct lodge_quick *move = &vcpu->move;
	gva_t linear = lodge_quick_address(move, vcpu->gprs, vcpu->rip);

	if (move->write != !!(vcpu->fault.access & LODGE_ACCESS_WRITE))
		return false;
	if (vcpu->code.width != 8)
		linear += lodge_op(get_segment_base)(vcpu, move->segment);
	return offset_in_page(linear) == offset_in_page(vcpu->fault.gpa) &&
	       offset_in_page(linear) + move->size <= PAGE_SIZE;
}

static int move_to_user(struct lodge_vcpu *vcpu, u64 next_rip)
{
	const struct lodge_quick *move = &vcpu->move;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = vcpu->fault.gpa;
	memcpy(run->mmio.data, &move->value, sizeof(move->value));
	run->mmio.len = move->size;
	run->mmio.is_write = move->write;
	if (move->write) {
		/* As far as the guest is concerned it has happened. */
		lodge_exit_skip_to(vcpu, next_rip);
	} else {
		vcpu->io.rip = vcpu->rip;
		vcpu->io.next_rip = next_rip;
		vcpu->completion = LODGE_COMPLETE_MOVE;
	}
	return LODGE_EXIT_USER;
}

/* Whether devices in the kernel answered: as for ports, in exit.c. */
static __always_inline bool device_read(struct lodge_vcpu *vcpu)
{
	struct lodge_quick *move = &vcpu->move;
	gpa_t gpa = vcpu->fault.gpa;
	struct lodge_io_device *dev = lodge_mmio_device(vcpu, gpa, move->size);

	if (!dev)
		return false;
	if (likely(dev->ops->read && !dev->ops->read(vcpu, dev, gpa, move->size, &move->value)))
		return true;
	return !lodge_io_bus_read(vcpu, LODGE_BUS_MMIO, gpa, move->size, &move->value);
}

static __always_inline bool device_write(struct lodge_vcpu *vcpu)
{
	struct lodge_quick *move = &vcpu->move;
	gpa_t gpa = vcpu->fault.gpa;
	struct lodge_io_device *dev = lodge_mmio_device(vcpu, gpa, move->size);

	if (!dev)
		return false;
	if (likely(dev->ops->write && !dev->ops->write(vcpu, dev, gpa, move->size, &move->value)))
		return true;
	return !lodge_io_bus_write(vcpu, LODGE_BUS_MMIO, gpa, move->size, &move->value);
}

static int move_store(struct lodge_vcpu *vcpu, u64 next_rip)
{
	struct lodge_quick *move = &vcpu->move;
	gpa_t gpa = vcpu->fault.gpa;

	move->value = move->has_imm ? move->imm : vcpu->gprs[move->reg];
	if (move->size < 8)
		move->value &= (1ULL << (8 * move->size)) - 1;
	if (lodge_lapic_is_page(vcpu, gpa) && lodge_lapic_covers(vcpu, gpa))
		lodge_lapic_mmio_write(vcpu, gpa, move->size, &move->value);
	else if (unlikely(!device_write(vcpu)))
		return move_to_user(vcpu, next_rip);
	lodge_exit_skip_to(vcpu, next_rip);
	return LODGE_EXIT_RESUME;
}

static int move_load(struct lodge_vcpu *vcpu, u64 next_rip)
{
	struct lodge_quick *move = &vcpu->move;
	gpa_t gpa = vcpu->fault.gpa;

	move->value = 0;
	if (lodge_lapic_is_page(vcpu, gpa) && lodge_lapic_covers(vcpu, gpa))
		lodge_lapic_mmio_read(vcpu, gpa, move->size, &move->value);
	else if (unlikely(!device_read(vcpu)))
		return move_to_user(vcpu, next_rip);
	lodge_quick_load(move, vcpu->gprs, move->value);
	lodge_exit_skip_to(vcpu, next_rip);
	return LODGE_EXIT_RESUME;
}

int lodge_section_mmio(struct lodge_vcpu *vcpu)
{
	u64 next_rip;

	/* The delivery of an event may have met it instead of the instruction: the emulator's way sees to that. */
	if (unlikely(!vcpu->fault.gva_valid || lodge_events_in_flight(vcpu)) || !section_fetch(vcpu) ||
	    !section_decode_move(vcpu) || !move_is_the_fault(vcpu))
		return lodge_defer(vcpu, lodge_vcpu_emulate);
	vcpu->fault.gva_valid = false;
	next_rip = section_next_rip(vcpu, vcpu->move.length);
	return vcpu->move.write ? move_store(vcpu, next_rip) : move_load(vcpu, next_rip);
}

int lodge_move_complete(struct lodge_vcpu *vcpu)
{
	struct lodge_quick *move = &vcpu->move;

	/* User space that moved RIP has dropped the instruction. */
	if (vcpu->rip != vcpu->io.rip)
		return LODGE_EXIT_RESUME;
	memcpy(&move->value, vcpu->run->mmio.data, sizeof(move->value));
	if (move->size < 8)
		move->value &= (1ULL << (8 * move->size)) - 1;
	lodge_quick_load(move, vcpu->gprs, move->value);
	lodge_exit_skip_to(vcpu, vcpu->io.next_rip);
	return LODGE_EXIT_RESUME;
}
