// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: creation, reset state, one thread each. A thread owns its kvm_run
 * area; other threads touch nothing of a vCPU but send its thread the kick
 * signal. What an exit means is in exit.c, CPUID in cpuid.c.
 */
#include "vcpu.h"

#include <asm/msr.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "exit.h"
#include "layout.h"
#include "vm.h"

#define KICK_SIGNAL SIGRTMIN

#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MISC_ENABLE_FAST_STRING	1ULL
#define MTRR_DEF_TYPE_ENABLE	(1ULL << 11)
#define MTRR_DEF_TYPE_WB	6ULL

/* SDM 3, 11.5.1: local vector table; delivery mode in bits 8 to 10, mask in bit 16. */
#define APIC_LVT_LINT0		0x350
#define APIC_LVT_LINT1		0x360
#define APIC_LVT_NMI		0x400
#define APIC_LVT_EXTINT		0x700

static __thread struct kvm_run *vcpu_run;

/*
 * Only a flag is set: a signal that comes between the thread's last look at
 * vm->ended and KVM_RUN would be lost without it.
 */
static void vcpu_kick_handle(int signal)
{
	(void)signal;
	if (vcpu_run)
		__atomic_store_n(&vcpu_run->immediate_exit, 1, __ATOMIC_RELAXED);
}

void lodge_vcpu_kick(struct lodge_vcpu *vcpu)
{
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}

static void __attribute__((noreturn)) vcpu_fail(const struct lodge_vcpu *vcpu, const char *what)
{
	lodge_fail(errno == ENOMEM ? STATUS_MEMORY : STATUS_FAILED, "%s fails %s for vCPU %u: %s",
		   vcpu->vm->path, what, vcpu->id, strerror(errno));
}

static void vcpu_msrs_set(struct lodge_vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_SYSENTER_CS },
		{ .index = MSR_SYSENTER_ESP },
		{ .index = MSR_SYSENTER_EIP },
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_DEF_TYPE_ENABLE | MTRR_DEF_TYPE_WB },
	};
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[sizeof(entries) / sizeof(entries[0])];
	} msrs = { .header.nmsrs = sizeof(entries) / sizeof(entries[0]) };
	int done;

	memcpy(msrs.entries, entries, sizeof(entries));
	done = ioctl(vcpu->fd, KVM_SET_MSRS, &msrs);
	if (done < 0)
		vcpu_fail(vcpu, "KVM_SET_MSRS");
	if (done < (int)msrs.header.nmsrs)
		lodge_fail(STATUS_UNSUPPORTED, "%s refuses MSR 0x%x, which `lodge run` sets",
			   vcpu->vm->path, entries[done].index);
}

static void vcpu_lint_set(struct kvm_lapic_state *lapic, unsigned int reg, uint32_t mode)
{
	memcpy(lapic->regs + reg, &mode, sizeof(mode));
}

/* The PIC's output arrives at LINT0, NMI at LINT1, as the MADT says. */
static void vcpu_lapic_set(struct lodge_vcpu *vcpu)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic))
		vcpu_fail(vcpu, "KVM_GET_LAPIC");
	vcpu_lint_set(&lapic, APIC_LVT_LINT0, APIC_LVT_EXTINT);
	vcpu_lint_set(&lapic, APIC_LVT_LINT1, APIC_LVT_NMI);
	if (ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic))
		vcpu_fail(vcpu, "KVM_SET_LAPIC");
}

static void vcpu_create(struct lodge_vm *vm, unsigned int id, size_t run_size)
{
	struct lodge_vcpu *vcpu = &vm->vcpus[id];
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0)
		vcpu_fail(vcpu, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		vcpu_fail(vcpu, "mmap");
	lodge_cpuid_set(vcpu);
	vcpu_msrs_set(vcpu);
	vcpu_lapic_set(vcpu);
	if (ioctl(vcpu->fd, KVM_SET_FPU, &fpu))
		vcpu_fail(vcpu, "KVM_SET_FPU");
}

void lodge_vcpus_create(struct lodge_vm *vm)
{
	int run_size = ioctl(vm->device, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (run_size < (int)sizeof(struct kvm_run))
		lodge_fail(STATUS_FAILED, "%s gives no size for its vCPU area", vm->path);
	vm->vcpus = calloc(vm->cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for %u vCPUs", vm->cpus);
	for (unsigned int i = 0; i < vm->cpus; i++)
		vcpu_create(vm, i, (size_t)run_size);
}

static void *vcpu_main(void *argument)
{
	struct lodge_vcpu *vcpu = argument;
	struct lodge_vm *vm = vcpu->vm;
	int ret;

	vcpu_run = vcpu->run;
	while (!vm->ended) {
		ret = ioctl(vcpu->fd, KVM_RUN, 0);
		/* A vCPU that waits for SIPI answers EAGAIN when it got it. */
		if (ret < 0 && (errno == EINTR || errno == EAGAIN))
			__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
		else if (ret < 0)
			lodge_exit_failed(vcpu, errno);
		else
			lodge_exit_handle(vcpu);
	}
	return NULL;
}

static void vcpu_entry_set(struct lodge_vcpu *vcpu, const struct lodge_entry *entry)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		vcpu_fail(vcpu, "KVM_GET_SREGS");
	sregs.cs = entry->sregs.cs;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = entry->sregs.ds;
	sregs.tr = entry->sregs.tr;
	sregs.gdt = entry->sregs.gdt;
	sregs.idt = entry->sregs.idt;
	sregs.cr0 = entry->sregs.cr0;
	sregs.cr3 = entry->sregs.cr3;
	sregs.cr4 = entry->sregs.cr4;
	sregs.efer = entry->sregs.efer;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		vcpu_fail(vcpu, "KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_SET_REGS, &entry->regs))
		vcpu_fail(vcpu, "KVM_SET_REGS");
}

void lodge_vcpus_start(struct lodge_vm *vm, const struct lodge_entry *entry)
{
	struct sigaction action = { .sa_handler = vcpu_kick_handle };
	int error;

	vcpu_entry_set(&vm->vcpus[0], entry);
	sigaction(KICK_SIGNAL, &action, NULL);

	pthread_mutex_lock(&vm->lock);
	for (unsigned int i = 0; i < vm->cpus; i++) {
		error = pthread_create(&vm->vcpus[i].thread, NULL, vcpu_main, &vm->vcpus[i]);
		if (error)
			lodge_fail(STATUS_FAILED, "the host gives no thread for vCPU %u: %s", i,
				   strerror(error));
	}
	vm->running = true;
	/* A vCPU may have ended the VM before the others could be kicked. */
	if (vm->ended)
		for (unsigned int i = 0; i < vm->cpus; i++)
			lodge_vcpu_kick(&vm->vcpus[i]);
	pthread_mutex_unlock(&vm->lock);
}

void lodge_vcpus_join(struct lodge_vm *vm)
{
	for (unsigned int i = 0; i < vm->cpus; i++)
		pthread_join(vm->vcpus[i].thread, NULL);
}
