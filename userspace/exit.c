// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits: ports and MMIO go to the buses, everything else ends the VM with a
 * reason and one register dump. Runs on the vCPU's own thread, takes no lock
 * but through lodge_vm_end().
 */
#include "exit.h"
#include "layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "layout.h"
#include "vcpu.h"
#include "vm.h"

static void segment_print(const char *name, const struct kvm_segment *segment)
{
	fprintf(stderr, "  %s %04x base %016" PRIx64 " limit %08x type %x dpl %u%s%s%s\n", name,
		segment->selector, (uint64_t)segment->base, segment->limit, segment->type,
		segment->dpl, segment->present ? " present" : "", segment->l ? " 64-bit" : "",
		segment->db ? " 32-bit" : "");
}

void lodge_vcpu_dump(const struct lodge_vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs)) {
		fprintf(stderr, "  vCPU %u: its registers cannot be read\n", vcpu->id);
		return;
	}
	fprintf(stderr,
		"  vCPU %u\n"
		"  rax %016llx rbx %016llx rcx %016llx rdx %016llx\n"
		"  rsi %016llx rdi %016llx rbp %016llx rsp %016llx\n"
		"  r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n"
		"  r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n"
		"  rip %016llx rflags %08llx\n"
		"  cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %04llx\n",
		vcpu->id, regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp,
		regs.rsp, regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14,
		regs.r15, regs.rip, regs.rflags, sregs.cr0, sregs.cr2, sregs.cr3, sregs.cr4,
		sregs.efer);
	segment_print("cs", &sregs.cs);
	segment_print("ss", &sregs.ss);
	segment_print("ds", &sregs.ds);
	segment_print("es", &sregs.es);
	segment_print("fs", &sregs.fs);
	segment_print("gs", &sregs.gs);
	segment_print("tr", &sregs.tr);
	fprintf(stderr, "  gdt %016llx limit %04x  idt %016llx limit %04x\n", sregs.gdt.base,
		sregs.gdt.limit, sregs.idt.base, sregs.idt.limit);
}

/* Reason and dump, once for the VM however many vCPUs fall over. */
static void __attribute__((format(printf, 3, 4)))
exit_crash(struct lodge_vcpu *vcpu, enum lodge_status status, const char *format, ...)
{
	char reason[sizeof(vcpu->vm->reason)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (!lodge_vm_end(vcpu->vm, status, "%s", reason))
		return;
	lodge_warn("%s", reason);
	lodge_vcpu_dump(vcpu);
}

/* Nobody home: reads see the undriven bus. */
static void exit_access_float(struct lodge_access *access)
{
	if (!access->write)
		memset(access->data, 0xff, access->length);
}

static void exit_port(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		struct lodge_access access = {
			.data = data,
			.length = run->io.size,
			.write = run->io.direction == KVM_EXIT_IO_OUT,
		};

		if (!lodge_bus_access(&vcpu->vm->ports, run->io.port, &access))
			exit_access_float(&access);
	}
}

#define CHIPSET_END	0x100000000ull

static void exit_mmio(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct lodge_access access = {
		.data = run->mmio.data,
		.length = run->mmio.len,
		.write = run->mmio.is_write,
	};

	if (lodge_bus_access(&vcpu->vm->mmio, run->mmio.phys_addr, &access))
		return;
	exit_access_float(&access);
	/* Kernels look for chipset registers near the interrupt controllers: nobody answers, as on any bus. */
	if (run->mmio.phys_addr >= LAYOUT_IOAPIC && run->mmio.phys_addr < CHIPSET_END)
		return;
	exit_crash(vcpu, STATUS_UNBACKED, "the guest %s %u bytes at GPA 0x%llx, where nothing is",
		   access.write ? "wrote" : "read", access.length, run->mmio.phys_addr);
}

static void exit_internal_error(struct lodge_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	const uint8_t *bytes = run->emulation_failure.insn_bytes;
	unsigned int count;
	char text[3 * sizeof(run->emulation_failure.insn_bytes) + 1] = "";

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION) {
		exit_crash(vcpu, STATUS_CRASH, "the VM failed inside the module, suberror %u",
			   run->internal.suberror);
		return;
	}
	if (run->emulation_failure.ndata < 1 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
		exit_crash(vcpu, STATUS_EMULATION,
			   "the guest executed an instruction that cannot be emulated");
		return;
	}
	count = run->emulation_failure.insn_size;
	if (count > sizeof(run->emulation_failure.insn_bytes))
		count = sizeof(run->emulation_failure.insn_bytes);
	for (unsigned int i = 0; i < count; i++)
		sprintf(text + 3 * i, " %02x", bytes[i]);
	exit_crash(vcpu, STATUS_EMULATION,
		   "the guest executed an instruction that cannot be emulated:%s", text);
}

static void exit_system_event(struct lodge_vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		lodge_vm_end(vcpu->vm, STATUS_OK, NULL);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		lodge_vm_end(vcpu->vm, STATUS_REBOOT, NULL);
		break;
	default:
		exit_crash(vcpu, STATUS_CRASH, "the guest reported a crash (system event %u)",
			   vcpu->run->system_event.type);
	}
}

void lodge_exit_handle(struct lodge_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		exit_port(vcpu);
		break;
	case KVM_EXIT_MMIO:
		exit_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		exit_crash(vcpu, STATUS_TRIPLE_FAULT, "the guest triple-faulted");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		exit_internal_error(vcpu);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit_crash(vcpu, STATUS_ENTRY, "the CPU refused to enter the guest, reason 0x%llx",
			   run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_system_event(vcpu);
		break;
	case KVM_EXIT_HLT:
		exit_crash(vcpu, STATUS_CRASH, "the guest halted without a way to wake up");
		break;
	default:
		exit_crash(vcpu, STATUS_CRASH, "the guest stopped with exit reason %u",
			   run->exit_reason);
	}
}

void lodge_exit_failed(struct lodge_vcpu *vcpu, int error)
{
	exit_crash(vcpu, STATUS_CRASH, "the guest cannot go on: %s", strerror(error));
}
