/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host side of the tests: the device, VMs, memory slots, vCPUs and their run
 * area, over the plain ioctls. A helper that a test calls for its effect fails
 * the case when the ioctl fails; those named *_try return -errno for tests of
 * the errors themselves.
 * Locking: none; a struct vcpu belongs to the thread that runs it.
 */
#ifndef LODGE_SELFTEST_VM_H
#define LODGE_SELFTEST_VM_H

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"

#define VM_MEM_SIZE	(16ul << 20)	/* slot 0, at GPA 0 */
#define VM_MAX_VCPUS	16
#define VM_MMIO_BASE	0xd0000000ul	/* never backed by the library */

/**
 * struct vcpu - a vCPU and its mapping
 * @vm: owner
 * @fd: the vCPU's file descriptor
 * @id: as given to KVM_CREATE_VCPU
 * @run: the mapped run area, all pages of it
 * @cpu: the guest's struct guest_cpu, seen from the host
 * @cpu_gpa: its guest address
 * @stack: guest address just above its stack
 */
struct vcpu {
	struct vm *vm;
	int fd;
	unsigned int id;
	struct kvm_run *run;
	struct guest_cpu *cpu;
	u64 cpu_gpa;
	u64 stack;
};

/**
 * struct vm - a VM and what the library put into it
 * @sys: the device's file descriptor
 * @fd: the VM's file descriptor
 * @run_size: bytes to map per vCPU
 * @mem: host address of slot 0, NULL for a bare VM
 * @next_page: next free page for vm_alloc_pages()
 * @pml4: root of the long-mode page tables
 * @pd32: page directory for 32-bit paging
 * @gdt: shared by all vCPUs
 * @idt64: gates to the C handlers; @idt64_host, @idt32_host: to the host
 */
struct vm {
	int sys;
	int fd;
	size_t run_size;
	u8 *mem;
	u64 next_page;
	u64 pml4, pd32, gdt, idt64, idt64_host, idt32_host;
	struct vcpu *vcpus[VM_MAX_VCPUS];
};

/** xioctl - ioctl that returns -errno instead of -1 */
long xioctl(int fd, unsigned long cmd, ...);

/** device_path - $LODGE_DEVICE, or /dev/lodge */
const char *device_path(void);
/** device_open - open the device or skip the case, naming the cause */
int device_open(void);
/** device_is_lodge - true if the device is served by lodge, whatever its name */
bool device_is_lodge(void);
/** require_lodge - skip the case on another hypervisor */
void require_lodge(void);
/** host_is_tcg - true if the host's CPU is QEMU's emulation, see its defects */
bool host_is_tcg(void);
/** cap - KVM_CHECK_EXTENSION on a system or VM descriptor */
long cap(int fd, long nr);
/** require_cap - skip the case when @nr is not reported; return its value */
long require_cap(int fd, long nr, const char *name);
#define REQUIRE_CAP(fd, name)	require_cap(fd, name, #name)
/** cap_enable - KVM_ENABLE_CAP with one argument on a VM or vCPU; 0 or -errno */
long cap_enable(int fd, u32 nr, u64 arg);

/** stats_get - a counter of KVM_GET_STATS_FD, of a VM's descriptor or a vCPU's */
u64 stats_get(int fd, const char *name);

/** vm_create_bare - a VM without memory */
struct vm *vm_create_bare(void);
/** vm_create - a VM with slot 0 and the program's image in it */
struct vm *vm_create(void);
/** vm_free - close everything and unmap; vCPUs first */
void vm_free(struct vm *vm);

/** slot_try - KVM_SET_USER_MEMORY_REGION; 0 or -errno */
long slot_try(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva);
/** slot_set - the same, failing the case on error */
void slot_set(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva);
/** pages_map - fresh anonymous memory of the test process */
void *pages_map(size_t size);

/** vm_hva - host address of @gpa in slot 0 */
void *vm_hva(struct vm *vm, u64 gpa);
/** vm_alloc_pages - GPA of @nr zeroed pages of slot 0 that nobody uses */
u64 vm_alloc_pages(struct vm *vm, unsigned int nr);
/** GVAR - the guest's copy of a variable of the test */
#define GVAR(vm, var)	(*(volatile __typeof__(var) *)vm_hva(vm, (u64)(uintptr_t)&(var)))

/** vcpu_add_bare - KVM_CREATE_VCPU and the mapping, nothing set */
struct vcpu *vcpu_add_bare(struct vm *vm, unsigned int id);
/** vcpu_add - the same with the supported CPUID table, stack and guest_cpu */
struct vcpu *vcpu_add(struct vm *vm, unsigned int id);
/** vcpu_close - unmap and close one vCPU */
void vcpu_close(struct vcpu *vcpu);

struct kvm_regs regs_get(struct vcpu *vcpu);
void regs_set(struct vcpu *vcpu, const struct kvm_regs *regs);
struct kvm_sregs sregs_get(struct vcpu *vcpu);
void sregs_set(struct vcpu *vcpu, const struct kvm_sregs *sregs);

/** msr_get_try - one MSR; 1 if read, 0 if refused, or -errno */
long msr_get_try(struct vcpu *vcpu, u32 index, u64 *val);
long msr_set_try(struct vcpu *vcpu, u32 index, u64 val);
u64 msr_get(struct vcpu *vcpu, u32 index);
void msr_set(struct vcpu *vcpu, u32 index, u64 val);

#define CPUID_ENTRIES	256

/** supported_cpuid - the whole table of the device; free() it */
struct kvm_cpuid2 *supported_cpuid(int sys);
/** cpuid_entry - the entry of a table, NULL if it has none */
struct kvm_cpuid_entry2 *cpuid_entry(struct kvm_cpuid2 *table, u32 leaf, u32 index);
void cpuid_set(struct vcpu *vcpu, const struct kvm_cpuid2 *table);

/** run_try - KVM_RUN once; 0 or -errno */
long run_try(struct vcpu *vcpu);
/** run_expect - KVM_RUN once and insist on the exit reason */
void run_expect(struct vcpu *vcpu, u32 reason, const char *name,
		const char *file, int line);
#define RUN_EXPECT(vcpu, reason) \
	run_expect(vcpu, reason, #reason, __FILE__, __LINE__)
/** run_finish_io - complete the pending exit without entering the guest */
void run_finish_io(struct vcpu *vcpu);

/** exit_name - "KVM_EXIT_IO" for 2 */
const char *exit_name(u32 reason);
/** exit_diag - print what the last exit was */
void exit_diag(struct vcpu *vcpu);

/**
 * run_ucall - run until the guest speaks
 *
 * A guest check that failed or an exception that nobody expected fails the
 * case here, as does any other exit. Return: UCALL_SYNC or UCALL_DONE; the
 * message is in vcpu->cpu->uc.
 */
u64 run_ucall(struct vcpu *vcpu, const char *file, int line);
#define RUN_SYNC(vcpu, val)						\
	do {								\
		CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC); \
		CHECK_EQ((vcpu)->cpu->uc.args[0], val);			\
	} while (0)
#define RUN_DONE(vcpu) \
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_DONE)
/** ucall_check - judge the exit that just happened; UCALL_* or fails the case */
u64 ucall_check(struct vcpu *vcpu, const char *file, int line);

#endif
