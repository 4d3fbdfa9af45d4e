// SPDX-License-Identifier: GPL-2.0-only
/*
 * The glue between the emulator and a vCPU: the emulator's ops on guest memory, in-kernel devices, ports and
 * registers, and what its results mean for the run loop and for user space. Decoding and executing are in the
 * other files of this folder. Runs outside the section, in the vCPU's thread with vcpu->mutex held; may sleep.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../fpu.h"
#include "../io_bus.h"
#include "../irqchip/irqchip.h"
#include "../stats.h"
#include "emulate.h"

/* APM 2, 12.2.4: the 32- or 64-bit TSS, its limit, and where it says the I/O permission bitmap begins. */
#define TSS_TYPE_AVAILABLE	9
#define TSS_TYPE_BUSY		11
#define TSS_IO_MAP_BASE		102

static struct lodge_vcpu *emulate_to_vcpu(struct lodge_emulate *em)
{
	return container_of(em, struct lodge_vcpu, emulate);
}

/* A page of guest memory that the VMM's mapping does not give: nothing to emulate with. */
static enum lodge_emulate_result memory_result(int ret)
{
	if (!ret)
		return EMULATE_DONE;
	return ret == -EINTR ? EMULATE_RETRY : EMULATE_UNHANDLED;
}

static enum lodge_emulate_result mmio_translate(struct lodge_emulate *em, gva_t linear, u32 access, gpa_t *gpa)
{
	struct lodge_walk walk;
	int ret;

	ret = lodge_mmu_walk(emulate_to_vcpu(em), linear, access, &walk);
	if (ret)
		return memory_result(ret);
	if (walk.fault) {
		em->fault.vector = X86_TRAP_PF;
		em->fault.has_error = true;
		em->fault.error = walk.error;
		em->fault.cr2 = linear;
		return EMULATE_FAULT;
	}
	*gpa = walk.gpa;
	return EMULATE_DONE;
}

/* Memory, unless its slot has gone since it was looked for: then it is a device's, as any other hole. */
static enum lodge_emulate_result mmio_read(struct lodge_emulate *em, gpa_t gpa, u8 *buf, unsigned int len)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	int ret;

	if (vcpu->lapic && lodge_lapic_covers(vcpu, gpa) && !lodge_lapic_mmio_read(vcpu, gpa, len, buf))
		return EMULATE_DONE;
	if (lodge_gpa_is_ram(vcpu->vm, gpa, false)) {
		ret = lodge_guest_read(vcpu->vm, gpa, buf, len);
		if (ret != -ENXIO)
			return memory_result(ret);
	}
	return lodge_io_bus_read(vcpu, LODGE_BUS_MMIO, gpa, len, buf) ? EMULATE_IO : EMULATE_DONE;
}

static enum lodge_emulate_result mmio_write(struct lodge_emulate *em, gpa_t gpa, const u8 *buf, unsigned int len)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	bool is_lapic = vcpu->lapic && lodge_lapic_covers(vcpu, gpa);
	int ret;

	if (!is_lapic && lodge_gpa_is_ram(vcpu->vm, gpa, true)) {
		ret = lodge_guest_write(vcpu, gpa, buf, len);
		if (ret != -ENXIO)
			return memory_result(ret);
	}
	if (len > 8)
		return EMULATE_IO;
	if (is_lapic && !lodge_lapic_mmio_write(vcpu, gpa, len, buf))
		return EMULATE_DONE;
	return lodge_io_bus_write(vcpu, LODGE_BUS_MMIO, gpa, len, buf) ? EMULATE_IO : EMULATE_DONE;
}

/* A locked access that is not naturally aligned becomes a read and a write, as to a device. */
static enum lodge_emulate_result mmio_exchange(struct lodge_emulate *em, gpa_t gpa, const u8 *old,
					       const u8 *new, unsigned int len)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	u8 expected[16] __aligned(16), replacement[16] __aligned(16);
	int ret;

	if ((gpa & (len - 1)) || (vcpu->lapic && lodge_lapic_covers(vcpu, gpa)) ||
	    !lodge_gpa_is_ram(vcpu->vm, gpa, true))
		return EMULATE_IO;
	memcpy(expected, old, len);
	memcpy(replacement, new, len);
	ret = lodge_guest_cmpxchg(vcpu, gpa, expected, replacement, len);
	if (ret == -ENXIO)
		return EMULATE_RETRY;
	if (ret < 0)
		return memory_result(ret);
	return ret ? EMULATE_DONE : EMULATE_RETRY;
}

static enum lodge_emulate_result mmio_fetch(struct lodge_emulate *em, gva_t linear, u8 *buf, unsigned int len)
{
	enum lodge_emulate_result ret;
	gpa_t gpa;

	ret = mmio_translate(em, linear, LODGE_ACCESS_EXEC | (em->cpl == 3 ? LODGE_ACCESS_USER : 0), &gpa);
	if (ret)
		return ret;
	return memory_result(lodge_guest_read(emulate_to_vcpu(em)->vm, gpa, buf, len));
}

/* The KVM ABI's segment in the emulator's terms. */
static void segment_load(struct lodge_emulate *em, enum lodge_segment segment,
			 struct lodge_emulate_segment *out)
{
	struct kvm_segment in;

	lodge_op(get_segment)(emulate_to_vcpu(em), segment, &in);
	out->base = in.base;
	out->limit = in.limit;
	out->selector = in.selector;
	out->attributes = in.type | (in.s ? LODGE_SEG_S : 0) | in.dpl << LODGE_SEG_DPL_SHIFT |
			  (in.present && !in.unusable ? LODGE_SEG_P : 0) | (in.avl ? LODGE_SEG_AVL : 0) |
			  (in.l ? LODGE_SEG_L : 0) | (in.db ? LODGE_SEG_DB : 0) | (in.g ? LODGE_SEG_G : 0);
}

static void mmio_load_segment(struct lodge_emulate *em, enum lodge_segment segment)
{
	segment_load(em, segment, &em->segments[segment]);
}

static void mmio_store_segment(struct lodge_emulate *em, enum lodge_segment segment, u16 selector)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	struct kvm_segment seg;

	lodge_op(get_segment)(vcpu, segment, &seg);
	seg.selector = selector;
	seg.base = (u32)selector << 4;
	lodge_op(set_segment)(vcpu, segment, &seg);
}

/* The CPU reads the TSS with supervisor rights, whoever asks. */
static enum lodge_emulate_result tss_read(struct lodge_emulate *em, gva_t linear, u8 *buf, unsigned int len)
{
	enum lodge_emulate_result ret = EMULATE_DONE;
	gpa_t gpa;

	while (len-- && !ret) {
		ret = mmio_translate(em, linear++, LODGE_ACCESS_READ, &gpa);
		if (!ret)
			ret = memory_result(lodge_guest_read(emulate_to_vcpu(em)->vm, gpa, buf++, 1));
	}
	return ret;
}

static enum lodge_emulate_result mmio_io_allowed(struct lodge_emulate *em, u16 port, unsigned int size)
{
	unsigned int mask = ((1u << size) - 1) << (port & 7);
	struct lodge_emulate_segment tss;
	enum lodge_emulate_result ret;
	unsigned int type, at;
	u8 map[2];

	segment_load(em, LODGE_TR, &tss);
	type = tss.attributes & LODGE_SEG_TYPE;
	if (!(tss.attributes & LODGE_SEG_P) || (type != TSS_TYPE_AVAILABLE && type != TSS_TYPE_BUSY) ||
	    tss.limit < TSS_IO_MAP_BASE + 1)
		goto denied;
	ret = tss_read(em, tss.base + TSS_IO_MAP_BASE, map, 2);
	if (ret)
		return ret;
	/* Two bytes are read always, so that the last must be followed by one more: APM 2, 12.2.4. */
	at = (map[0] | map[1] << 8) + port / 8;
	if (at + 1 > tss.limit)
		goto denied;
	ret = tss_read(em, tss.base + at, map, 2);
	if (ret)
		return ret;
	if (!((map[0] | map[1] << 8) & mask))
		return EMULATE_DONE;
denied:
	em->fault.vector = X86_TRAP_GP;
	em->fault.has_error = true;
	em->fault.error = 0;
	return EMULATE_FAULT;
}

/* A device that was taken off in the middle leaves what an empty bus reads as. */
static enum lodge_emulate_result mmio_port_read(struct lodge_emulate *em, u16 port, unsigned int size,
						unsigned int count)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	unsigned int i;
	u32 val;

	for (i = 0; i < count; i++) {
		val = ~0u;
		if (lodge_io_bus_read(vcpu, LODGE_BUS_PIO, port, size, &val)) {
			if (!i)
				return EMULATE_IO;
			val = ~0u;
		}
		memcpy(em->port_data + i * size, &val, size);
	}
	return EMULATE_DONE;
}

static enum lodge_emulate_result mmio_port_write(struct lodge_emulate *em, u16 port, unsigned int size,
						 unsigned int count)
{
	struct lodge_vcpu *vcpu = emulate_to_vcpu(em);
	unsigned int i;
	u32 val;

	for (i = 0; i < count; i++) {
		val = 0;
		memcpy(&val, em->port_data + i * size, size);
		if (lodge_io_bus_write(vcpu, LODGE_BUS_PIO, port, size, &val) && !i)
			return EMULATE_IO;
	}
	return EMULATE_DONE;
}

static void mmio_fpu_read(struct lodge_emulate *em, unsigned int reg, u8 *buf, unsigned int len)
{
	lodge_fpu_read_vector(emulate_to_vcpu(em), reg, buf, len);
}

static void mmio_fpu_write(struct lodge_emulate *em, unsigned int reg, const u8 *buf, unsigned int len)
{
	lodge_fpu_write_vector(emulate_to_vcpu(em), reg, buf, len);
}

static const struct lodge_emulate_ops mmio_ops = {
	.translate	= mmio_translate,
	.read		= mmio_read,
	.write		= mmio_write,
	.exchange	= mmio_exchange,
	.fetch		= mmio_fetch,
	.load_segment	= mmio_load_segment,
	.store_segment	= mmio_store_segment,
	.port_read	= mmio_port_read,
	.port_write	= mmio_port_write,
	.io_allowed	= mmio_io_allowed,
	.fpu_read	= mmio_fpu_read,
	.fpu_write	= mmio_fpu_write,
};

/* The input that every call needs. */
static void emulate_load(struct lodge_vcpu *vcpu)
{
	struct lodge_emulate *em = &vcpu->emulate;

	em->ops = &mmio_ops;
	em->gprs = vcpu->gprs;
	em->rip = vcpu->rip;
	em->rflags = vcpu->rflags;
	em->cr0 = vcpu->cr0;
	em->cr4 = vcpu->cr4;
	em->efer = vcpu->efer;
	em->xcr0 = vcpu->xcr0;
	em->cpl = lodge_op(get_cpl)(vcpu);
	segment_load(em, LODGE_CS, &em->segments[LODGE_CS]);
	em->segments_valid = BIT(LODGE_CS);
	lodge_emulate_set_mode(em, em->segments[LODGE_CS].attributes);
}

/* Bytes of the instruction that the CPU gave, if any. */
static void emulate_load_bytes(struct lodge_vcpu *vcpu)
{
	struct lodge_emulate *em = &vcpu->emulate;
	unsigned int n;
	const u8 *bytes;

	n = lodge_op(get_insn_bytes)(vcpu, &bytes);
	em->nbytes = min_t(unsigned int, n, LODGE_INSN_MAX);
	if (n)
		memcpy(em->bytes, bytes, em->nbytes);
}

void lodge_vcpu_emulate_done(struct lodge_vcpu *vcpu)
{
	struct lodge_emulate *em = &vcpu->emulate;

	if (!em->committed)
		return;
	em->committed = false;
	vcpu->rip = em->rip;
	vcpu->rflags = em->rflags;
	lodge_op(set_interrupt_shadow)(vcpu, em->shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0);
	if (unlikely(em->single_step))
		lodge_queue_debug(vcpu, DR_STEP);
	else if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vcpu->debug_step_done = true;
}

u64 lodge_next_rip(struct lodge_vcpu *vcpu, unsigned int length)
{
	u64 rip = vcpu->rip + length;

	return vcpu->emulate.mode == LODGE_MODE_LONG ? rip : (u32)rip;
}

/* Flags, then the instruction's bytes, for the error's reader: KVM_EXIT_INTERNAL_ERROR of the KVM ABI. */
int lodge_vcpu_emulate_failed(struct lodge_vcpu *vcpu)
{
	const struct lodge_emulate *em = &vcpu->emulate;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(&run->emulation_failure, 0, sizeof(run->emulation_failure));
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 1;
	if (em->nbytes) {
		run->emulation_failure.ndata = 3;
		run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = em->nbytes;
		memcpy(run->emulation_failure.insn_bytes, em->bytes, em->nbytes);
	}
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "instruction not emulated");
	return LODGE_EXIT_USER;
}

/*
 * Kernel code that cannot be emulated ends the VM's run; a guest's process must not be able to, unless user space wants
 * to see that too. One that did not ask and goes on nevertheless brings the guest #UD, not the same failure again.
 */
static int emulate_unhandled(struct lodge_vcpu *vcpu)
{
	const struct lodge_insn *insn = &vcpu->emulate.insn;
	bool exits = READ_ONCE(vcpu->vm->emulation_failure_exits);

	if (vcpu->emulate.cpl && !exits) {
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
		return LODGE_EXIT_RESUME;
	}
	/* Such an instruction touches no memory: another vCPU has put it there since the exit. */
	if (insn->op >= LODGE_OP_SYSTEM && insn->dst.kind != LODGE_OPERAND_MEMORY &&
	    insn->src.kind != LODGE_OPERAND_MEMORY)
		return LODGE_EXIT_RESUME;
	if (!exits)
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	return lodge_vcpu_emulate_failed(vcpu);
}

static void emulate_queue_fault(struct lodge_vcpu *vcpu)
{
	const struct lodge_emulate_fault *fault = &vcpu->emulate.fault;

	if (fault->vector == X86_TRAP_PF)
		lodge_queue_page_fault(vcpu, fault->error, fault->cr2);
	else
		lodge_queue_exception(vcpu, fault->vector, fault->has_error, fault->error);
}

static int emulate_to_user(struct lodge_vcpu *vcpu)
{
	const struct lodge_emulate_io *io = &vcpu->emulate.io;
	struct kvm_run *run = vcpu->run;

	if (io->kind == LODGE_IO_PORT) {
		run->exit_reason = KVM_EXIT_IO;
		run->io.direction = io->write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
		run->io.size = io->size;
		run->io.port = io->addr;
		run->io.count = io->count;
		run->io.data_offset = PAGE_SIZE;
	} else {
		run->exit_reason = KVM_EXIT_MMIO;
		run->mmio.phys_addr = io->addr;
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		if (io->write)
			memcpy(run->mmio.data, io->data, io->size);
		run->mmio.len = io->size;
		run->mmio.is_write = io->write;
	}
	vcpu->completion = LODGE_COMPLETE_EMULATE;
	return LODGE_EXIT_USER;
}

int lodge_vcpu_emulate_result(struct lodge_vcpu *vcpu, enum lodge_emulate_result result)
{
	lodge_vcpu_emulate_done(vcpu);
	switch (result) {
	case EMULATE_IO:
		return emulate_to_user(vcpu);
	case EMULATE_FAULT:
		emulate_queue_fault(vcpu);
		return LODGE_EXIT_RESUME;
	case EMULATE_UNHANDLED:
		return emulate_unhandled(vcpu);
	default:
		return LODGE_EXIT_RESUME;
	}
}

enum lodge_emulate_result lodge_vcpu_decode(struct lodge_vcpu *vcpu)
{
	enum lodge_emulate_result result;

	emulate_load(vcpu);
	vcpu->emulate.nbytes = 0;
	vcpu->emulate.hint_access = 0;
	result = lodge_emulate_decode(&vcpu->emulate);
	if (result == EMULATE_FAULT)
		emulate_queue_fault(vcpu);
	return result;
}

/* The access belongs to the delivery of an event, not to the instruction at RIP. APM 2, 15.7.2. */
static int delivery_failed(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	run->internal.ndata = 2;
	run->internal.data[0] = lodge_op(exit_reason)(vcpu);
	run->internal.data[1] = vcpu->fault.gpa;
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "event delivery met memory that is not RAM");
	return LODGE_EXIT_USER;
}

int lodge_vcpu_emulate(struct lodge_vcpu *vcpu)
{
	struct lodge_emulate *em = &vcpu->emulate;
	enum lodge_emulate_result result;

	if (unlikely(vcpu->events.exception_injected || vcpu->events.interrupt_injected ||
		     vcpu->events.nmi_injected))
		return delivery_failed(vcpu);
	emulate_load(vcpu);
	emulate_load_bytes(vcpu);
	em->hint_access = 0;
	if (vcpu->fault.gva_valid) {
		em->hint_gpa = vcpu->fault.gpa;
		em->hint_access = vcpu->fault.access & (LODGE_ACCESS_READ | LODGE_ACCESS_WRITE);
		vcpu->fault.gva_valid = false;
	}
	result = lodge_emulate_decode(em);
	if (!result) {
		if (em->insn.op == LODGE_OP_INS || em->insn.op == LODGE_OP_OUTS) {
			em->port_data = lodge_vcpu_pio_data(vcpu);
			if (!em->port_data)
				return -ENOMEM;
		}
		result = lodge_emulate_execute(em);
	}
	return lodge_vcpu_emulate_result(vcpu, result);
}

int lodge_vcpu_emulate_complete(struct lodge_vcpu *vcpu)
{
	struct lodge_emulate_io *io = &vcpu->emulate.io;

	if (io->kind == LODGE_IO_MMIO && !io->write)
		memcpy(io->data, vcpu->run->mmio.data, io->size);
	emulate_load(vcpu);
	return lodge_vcpu_emulate_result(vcpu, lodge_emulate_resume(&vcpu->emulate));
}
