// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine that `lodge bench` measures with: made with plain system calls, since the tool's own machine ends
 * the tool where a measurement wants to know. One thread, no lock.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tool.h"

#define MEMORY_SIZE	(1u << 20)
#define CODE		0x1000		/* where loops begin */
#define GDT		0x2000
#define IDT		0x3000
#define HANDLER		0x4000
#define STACK		0x9000
#define PEER_CODE	0x6000
#define PEER_STACK	0xa000
#define IRQ_GSI		24
#define IRQ_VECTOR	0x41
#define CPUIDS_MAX	256

uint64_t lodge_bench_ticks(void)
{
	uint64_t ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

/* Another hypervisor gives the CPU feature back some time after its last VM; KVM says EIO until then, since 6.12. */
static int vm_create_patiently(int device)
{
	for (unsigned int tries = 0;; tries++) {
		int vm = ioctl(device, KVM_CREATE_VM, 0);

		if (vm >= 0 || (errno != EBUSY && errno != EIO) || tries == 200)
			return vm;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

extern const uint8_t lodge_bench_handler[], lodge_bench_handler_end[], lodge_bench_peer[], lodge_bench_peer_end[];

/* Flat segments, and one handler for all interrupts: APM 2, 4.8.2 and 4.8.4. */
static void tables_fill(uint8_t *memory)
{
	static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
	const uint64_t gate = HANDLER | 8 << 16 | 0x8eull << 40;

	memcpy(memory + GDT, gdt, sizeof(gdt));
	for (unsigned int i = 0; i < 256; i++)
		memcpy(memory + IDT + 8 * i, &gate, sizeof(gate));
	memcpy(memory + HANDLER, lodge_bench_handler, (size_t)(lodge_bench_handler_end - lodge_bench_handler));
}

/* An eventfd that sends the vCPU a message-signalled interrupt. */
static bool irq_fill(struct bench_machine *machine)
{
	struct {
		struct kvm_irq_routing routing;
		struct kvm_irq_routing_entry entry;
	} table = {
		.routing = { .nr = 1 },
		.entry = {
			.gsi = IRQ_GSI, .type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = IRQ_VECTOR },
		},
	};
	struct kvm_irqfd irqfd = { .fd = (uint32_t)machine->irq, .gsi = IRQ_GSI };

	return !ioctl(machine->vm, KVM_SET_GSI_ROUTING, &table) && !ioctl(machine->vm, KVM_IRQFD, &irqfd);
}

static bool machine_fill(struct bench_machine *machine)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = BENCH_PORT_EVENT, .len = 1, .fd = machine->event, .flags = KVM_IOEVENTFD_FLAG_PIO,
	};
	struct kvm_userspace_memory_region region = {
		.memory_size = MEMORY_SIZE, .userspace_addr = (uintptr_t)machine->memory,
	};
	uint64_t identity_map = 0xfffbc000;

	return !ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) &&
	       !ioctl(machine->vm, KVM_SET_TSS_ADDR, 0xfffbd000) &&
	       !ioctl(machine->vm, KVM_CREATE_IRQCHIP, 0) &&
	       !ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) &&
	       !ioctl(machine->vm, KVM_IOEVENTFD, &ioeventfd) && irq_fill(machine);
}

static bool vcpu_set_cpuid(const struct bench_machine *machine, int vcpu)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUIDS_MAX * sizeof(cpuid->entries[0]));
	bool done;

	if (!cpuid)
		return false;
	cpuid->nent = CPUIDS_MAX;
	done = !ioctl(machine->device, KVM_GET_SUPPORTED_CPUID, cpuid) &&
	       !ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return done;
}

/* Flat 32-bit segments, paging off. */
static bool vcpu_set_mode(int vcpu)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1,
	};
	struct kvm_segment data = code;
	struct kvm_sregs sregs;

	data.selector = 16;
	data.type = 3;
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return false;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = 23 };
	sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = 256 * 8 - 1 };
	sregs.cr0 |= 1;
	sregs.cr4 |= 1u << 18;		/* OSXSAVE */
	return !ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

/* The host's own extended state, as an operating system enables it. */
static bool vcpu_set_xcr0(int vcpu)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1 };
	uint32_t low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	xcrs.xcrs[0].value = ((uint64_t)high << 32 | low) & 7;
	return !ioctl(vcpu, KVM_SET_XCRS, &xcrs);
}

static bool vcpu_fill(struct bench_machine *machine, int vcpu, struct kvm_run **run)
{
	int size = ioctl(machine->device, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < 0)
		return false;
	*run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (*run == MAP_FAILED)
		return false;
	machine->run_size = (size_t)size;
	return vcpu_set_cpuid(machine, vcpu) && vcpu_set_mode(vcpu) && vcpu_set_xcr0(vcpu);
}

bool lodge_bench_machine_add_peer(struct bench_machine *machine)
{
	struct kvm_regs regs = { .rip = PEER_CODE, .rflags = 2, .rsp = PEER_STACK };
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	memcpy((uint8_t *)machine->memory + PEER_CODE, lodge_bench_peer,
	       (size_t)(lodge_bench_peer_end - lodge_bench_peer));
	machine->peer = ioctl(machine->vm, KVM_CREATE_VCPU, 1);
	return machine->peer >= 0 && vcpu_fill(machine, machine->peer, &machine->peer_run) &&
	       !ioctl(machine->peer, KVM_SET_REGS, &regs) && !ioctl(machine->peer, KVM_SET_MP_STATE, &state);
}

bool lodge_bench_machine_create(struct bench_machine *machine, const char *path)
{
	int error;

	*machine = (struct bench_machine){
		.path = path, .device = -1, .vm = -1, .vcpu = -1, .peer = -1, .event = -1, .irq = -1,
		.run = MAP_FAILED, .peer_run = MAP_FAILED, .memory = MAP_FAILED,
	};
	machine->device = open(path, O_RDWR | O_CLOEXEC);
	if (machine->device < 0)
		return false;
	machine->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	machine->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	machine->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (machine->memory != MAP_FAILED)
		tables_fill(machine->memory);
	machine->vm = vm_create_patiently(machine->device);
	if (machine->event >= 0 && machine->irq >= 0 && machine->memory != MAP_FAILED && machine->vm >= 0 &&
	    machine_fill(machine)) {
		machine->vcpu = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
		if (machine->vcpu >= 0 && vcpu_fill(machine, machine->vcpu, &machine->run))
			return true;
	}
	error = errno;
	lodge_bench_machine_destroy(machine);
	errno = error;
	return false;
}

void lodge_bench_machine_close_vcpu(struct bench_machine *machine)
{
	munmap(machine->run, machine->run_size);
	close(machine->vcpu);
	machine->run = MAP_FAILED;
	machine->vcpu = -1;
}

void lodge_bench_machine_destroy(struct bench_machine *machine)
{
	const int fds[] = {
		machine->vcpu, machine->peer, machine->vm, machine->event, machine->irq, machine->device,
	};

	if (machine->run != MAP_FAILED)
		munmap(machine->run, machine->run_size);
	if (machine->peer_run != MAP_FAILED)
		munmap(machine->peer_run, machine->run_size);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (machine->memory != MAP_FAILED)
		munmap(machine->memory, MEMORY_SIZE);
}

void lodge_bench_machine_load(struct bench_machine *machine, const struct bench_row *row)
{
	memcpy((uint8_t *)machine->memory + CODE, row->code, (size_t)(row->end - row->code));
}

/* A system call without the library's wrapper, which is none of the host's work: 0 or -errno. APM 2, 6.1. */
static inline long call_directly(long number, int fd, long second, long third)
{
	register long command asm("rsi") = second;
	register long argument asm("rdx") = third;
	long ret = number;

	asm volatile("syscall" : "+a" (ret) : "D" ((long)fd), "r" (command), "r" (argument) : "rcx", "r11", "memory");
	return ret;
}

/* What is done at each of the guest's exits to user space. */
enum between { BETWEEN_NOTHING, BETWEEN_RAISE, BETWEEN_PEER };

static void peer_run(const struct bench_machine *machine)
{
	long ret = call_directly(SYS_ioctl, machine->peer, KVM_RUN, 0);

	if (ret || machine->peer_run->exit_reason != KVM_EXIT_IO)
		lodge_fail(STATUS_FAILED, "the other vCPU stopped, exit reason %u", machine->peer_run->exit_reason);
}

static inline __attribute__((always_inline)) uint64_t machine_run(struct bench_machine *machine, unsigned int count,
								   enum between between)
{
	static const uint64_t one = 1;
	struct kvm_regs regs = {
		.rip = CODE, .rflags = 2, .rsp = STACK, .rsi = count, .rdi = BENCH_REGION, .rbx = machine->step,
	};
	const struct kvm_run *run = machine->run;
	int vcpu = machine->vcpu;
	uint64_t start;

	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		lodge_fail(STATUS_FAILED, "the measuring guest's registers: %s", strerror(errno));
	start = lodge_bench_ticks();
	do {
		long ret = call_directly(SYS_ioctl, vcpu, KVM_RUN, 0);

		if (ret && ret != -EINTR)
			lodge_fail(STATUS_FAILED, "the measuring guest: %s", strerror((int)-ret));
		if (between == BETWEEN_PEER)
			peer_run(machine);
		if (between == BETWEEN_RAISE &&
		    call_directly(SYS_write, machine->irq, (long)&one, sizeof(one)) != sizeof(one))
			lodge_fail(STATUS_FAILED, "the measuring guest's interrupt cannot be raised");
	} while (run->exit_reason == KVM_EXIT_MMIO || run->exit_reason == KVM_EXIT_INTR ||
		 (run->exit_reason == KVM_EXIT_IO && run->io.port != BENCH_PORT_END));
	start = lodge_bench_ticks() - start;
	if (run->exit_reason != KVM_EXIT_IO)
		lodge_fail(STATUS_FAILED, "the measuring guest stopped, exit reason %u", run->exit_reason);
	return start;
}

uint64_t lodge_bench_machine_run(struct bench_machine *machine, unsigned int count)
{
	return machine_run(machine, count, BETWEEN_NOTHING);
}

uint64_t lodge_bench_machine_run_irq(struct bench_machine *machine, unsigned int count)
{
	return machine_run(machine, count, BETWEEN_RAISE);
}

uint64_t lodge_bench_machine_run_peer(struct bench_machine *machine, unsigned int count)
{
	return machine_run(machine, count, BETWEEN_PEER);
}
