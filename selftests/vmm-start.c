// SPDX-License-Identifier: GPL-2.0-only
/*
 * How VMMs start: one case for each, that makes its calls in its order with its arguments and insists on what it
 * insists on, up to a guest that speaks through the memory and the entry state that it was given. What the calls do is
 * in tests of their own.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "irq.h"

#define TSS_ADDR	0xfffbd000ul
#define HIGH_MEM	(1ull << 32)
#define HIGH_SIZE	0x200000ul
#define PORT		0x3f8
#define NR_PINS		24

static const u32 boot_msrs[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_STAR, MSR_CSTAR, MSR_KERNEL_GS_BASE,
	MSR_SYSCALL_MASK, MSR_LSTAR, MSR_IA32_TSC, MSR_IA32_MISC_ENABLE, MSR_MTRRdefType,
};

static u64 boot_msr_value(u32 msr)
{
	return msr == MSR_IA32_MISC_ENABLE ? 1 : msr == MSR_MTRRdefType ? BIT(11) | 6 : 0;
}

#define NEED_CAPS(fd, ...)						\
	do {								\
		static const u32 caps_[] = { __VA_ARGS__ };		\
		size_t i_;						\
		for (i_ = 0; i_ < ARRAY_SIZE(caps_); i_++)		\
			if (cap(fd, caps_[i_]) <= 0)			\
				FAIL("no capability %u", caps_[i_]);	\
	} while (0)

static struct vm *start(void)
{
	struct vm *vm;
	int sys = device_open();

	CHECK_EQ(xioctl(sys, KVM_GET_API_VERSION, 0), 12);
	close(sys);
	vm = vm_create_bare();
	CHECK_GE(vm->run_size, 3 * PAGE_SIZE);
	return vm;
}

/* Low memory in one slot, with the video area in it, and some above 4 GiB. */
static void memory_add(struct vm *vm, u32 flags)
{
	vm->mem = pages_map(VM_MEM_SIZE);
	slot_set(vm, 0, flags, 0, VM_MEM_SIZE, vm->mem);
	slot_set(vm, 1, flags, HIGH_MEM, HIGH_SIZE, pages_map(HIGH_SIZE));
}

static void addresses_set(struct vm *vm)
{
	u64 identity = 0xfeffc000;

	CHECK_EQ(xioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR), 0);
}

static void pit_add(struct vm *vm, u32 flags)
{
	struct kvm_pit_config pit = { .flags = flags };

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &pit), 0);
}

/* As clients have it that run the CPUID instruction themselves: more than the device offers, unknown leaves. */
static void cpuid_give(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *table = supported_cpuid(vcpu->vm->sys);
	struct kvm_cpuid_entry2 *e = cpuid_entry(table, 1, 0);

	CHECK_LE(table->nent, 80);
	CHECK(e);
	CHECK(cpuid_entry(table, 0, 0));
	CHECK(cpuid_entry(table, 0x40000000, 0));
	CHECK(cpuid_entry(table, 0x80000002, 0));
	CHECK(cpuid_entry(table, 0x80000008, 0));
	e->ecx |= BIT(24) | BIT(31);	/* TSC deadline, hypervisor */
	e->edx |= BIT(12);		/* MTRRs */
	e->ebx = (e->ebx & 0xffffff) | vcpu->id << 24;
	table->entries[table->nent++] = (struct kvm_cpuid_entry2){ .function = 0x40000010, .eax = 2000000 };
	table->entries[table->nent++] = (struct kvm_cpuid_entry2){ .function = 0x40000100 };
	table->entries[table->nent++] = (struct kvm_cpuid_entry2){ .function = 0x8ffffffe };
	cpuid_set(vcpu, table);
	cpuid_set(vcpu, table);
	free(table);
}

static void msrs_give(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[ARRAY_SIZE(boot_msrs)];
	} msrs = { .head.nmsrs = ARRAY_SIZE(boot_msrs) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(boot_msrs); i++) {
		msrs.entries[i].index = boot_msrs[i];
		msrs.entries[i].data = boot_msr_value(boot_msrs[i]);
	}
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MSRS, &msrs), ARRAY_SIZE(boot_msrs));
}

static void fpu_give(struct vcpu *vcpu)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_FPU, &fpu), 0);
}

/* LINT0 takes the PIC's interrupts, LINT1 NMIs; the rest goes back as it came. */
static void lapic_give(struct vcpu *vcpu)
{
	struct kvm_lapic_state state;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &state), 0);
	memcpy(&state.regs[APIC_LVT0], &(u32){ APIC_MODE_EXTINT }, 4);
	memcpy(&state.regs[APIC_LVT1], &(u32){ APIC_MODE_NMI }, 4);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
}

/* 64-bit flat code by hand-made tables, as the boot protocol of a Linux ELF image. */
static void long_mode_give(struct vcpu *vcpu, u64 rip)
{
	u64 *pml4 = vm_hva(vcpu->vm, 0x9000), *pdpt = vm_hva(vcpu->vm, 0xa000), *pd = vm_hva(vcpu->vm, 0xb000);
	struct kvm_regs regs = { .rip = rip, .rsp = 0x8ff0, .rsi = 0x7000, .rflags = 2 };
	struct kvm_sregs s = sregs_get(vcpu);
	struct kvm_segment code = { .limit = ~0u, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = ~0u, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	unsigned int i;

	pml4[0] = 0xa000 | PTE_P | PTE_W;
	pdpt[0] = 0xb000 | PTE_P | PTE_W;
	for (i = 0; i < 512; i++)
		pd[i] = (u64)i << 21 | BIT(7) | PTE_P | PTE_W;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = (struct kvm_segment){ .limit = ~0u, .selector = 0x20, .type = 11, .present = 1, .g = 1 };
	s.cr0 |= BIT(0) | BIT(31);
	s.cr4 |= BIT(5);
	s.cr3 = 0x9000;
	s.efer |= BIT(8) | BIT(10);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_REGS, &regs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SREGS, &s), 0);
}

/* MOV DX, PORT; MOV AL, 'x'; OUT DX, AL; HLT; JMP to itself. In 64-bit code MOV EDX. */
static const u8 speak16[] = { 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xf4, 0xeb, 0xfe };
static const u8 speak64[] = { 0xba, 0xf8, 0x03, 0x00, 0x00, 0xb0, 'x', 0xee, 0xf4, 0xeb, 0xfe };

static void expect_word(struct vcpu *vcpu)
{
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, PORT);
	CHECK_EQ(vcpu->run->io.direction, KVM_EXIT_IO_OUT);
	CHECK_EQ(((u8 *)vcpu->run)[vcpu->run->io.data_offset], 'x');
}

static struct kvm_irq_routing_entry routes[64];

static u32 routes_of_pc(void)
{
	u32 i, n = 0;

	for (i = 0; i < 16; i++)
		if (i != 2)
			routes[n++] = route_chip(i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i & 7);
	for (i = 0; i < NR_PINS; i++)
		if (i != 2)
			routes[n++] = route_chip(i, KVM_IRQCHIP_IOAPIC, i ? i : 2);
	return n;
}

/* Split mode's reservation: a table of messages that go nowhere. */
static void routes_reserve(struct vm *vm)
{
	u32 i;

	for (i = 0; i < NR_PINS; i++)
		routes[i] = route_msi(i, 0, 0);
	CHECK_EQ(routing_set(vm, routes, NR_PINS), 0);
}

static int irqfd_add(struct vm *vm, u32 gsi, int resample)
{
	struct kvm_irqfd irqfd = { .fd = eventfd(0, EFD_NONBLOCK), .gsi = gsi, .resamplefd = resample,
				   .flags = resample ? KVM_IRQFD_FLAG_RESAMPLE : 0 };

	CHECK_EQ(xioctl(vm->fd, KVM_IRQFD, &irqfd), 0);
	return irqfd.fd;
}

static void ioeventfd_add(struct vm *vm, u64 addr, u32 len, u32 flags, u64 match)
{
	struct kvm_ioeventfd io = { .fd = eventfd(0, 0), .addr = addr, .len = len, .flags = flags, .datamatch = match };

	CHECK_EQ(xioctl(vm->fd, KVM_IOEVENTFD, &io), 0);
}

static void pause_guest(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
}

static void kvmtool(void)
{
	struct vm *vm = start();
	struct vcpu *vcpu;
	struct kvm_regs regs = { .rip = 0x200, .rsp = 0x8000, .rflags = 2 };
	struct kvm_coalesced_mmio_ring *ring;
	struct kvm_sregs s;

	NEED_CAPS(vm->sys, KVM_CAP_COALESCED_MMIO, KVM_CAP_SET_TSS_ADDR, KVM_CAP_PIT2, KVM_CAP_USER_MEMORY,
		  KVM_CAP_IRQ_ROUTING, KVM_CAP_IRQCHIP, KVM_CAP_HLT, KVM_CAP_IRQ_INJECT_STATUS, KVM_CAP_EXT_CPUID);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	pit_add(vm, 0);
	memory_add(vm, 0);
	vcpu = vcpu_add_bare(vm, 0);
	ring = (void *)((u8 *)vcpu->run + cap(vm->sys, KVM_CAP_COALESCED_MMIO) * PAGE_SIZE);
	CHECK_EQ(ring->first, 0);
	CHECK_EQ(ring->last, 0);
	lapic_give(vcpu);
	NEED_CAPS(vm->sys, KVM_CAP_MAX_VCPUS, KVM_CAP_NR_VCPUS, KVM_CAP_IOEVENTFD, KVM_CAP_SIGNAL_MSI);
	CHECK_EQ(routing_set(vm, routes, routes_of_pc()), 0);
	ioeventfd_add(vm, 0x6210, 2, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH, 0);
	ioeventfd_add(vm, 0xd2000010, 2, KVM_IOEVENTFD_FLAG_DATAMATCH, 0);
	cpuid_give(vcpu);
	s = sregs_get(vcpu);
	s.cs.selector = s.ss.selector = s.ds.selector = s.es.selector = s.fs.selector = s.gs.selector = 0x1000;
	s.cs.base = s.ss.base = s.ds.base = s.es.base = s.fs.base = s.gs.base = 0x10000;
	sregs_set(vcpu, &s);
	regs_set(vcpu, &regs);
	fpu_give(vcpu);
	msrs_give(vcpu);
	memcpy(vm_hva(vm, 0x10200), speak16, sizeof(speak16));
	expect_word(vcpu);
	CHECK_EQ(ring->first, ring->last);
	irq_line(vm, 4, 1);
	irq_line(vm, 4, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_NMI, 0), 0);
	vm_free(vm);
}

static void firecracker(void)
{
	struct vm *vm = start();
	struct vcpu *vcpu;
	struct kvm_run *again;
	u32 gsi;

	NEED_CAPS(vm->sys, KVM_CAP_IRQCHIP, KVM_CAP_IOEVENTFD, KVM_CAP_IRQFD, KVM_CAP_USER_MEMORY,
		  KVM_CAP_SET_TSS_ADDR, KVM_CAP_PIT2, KVM_CAP_PIT_STATE2, KVM_CAP_ADJUST_CLOCK, KVM_CAP_DEBUGREGS,
		  KVM_CAP_MP_STATE, KVM_CAP_VCPU_EVENTS, KVM_CAP_XCRS, KVM_CAP_XSAVE, KVM_CAP_EXT_CPUID,
		  KVM_CAP_NR_MEMSLOTS);
	CHECK_GE(cap(vm->fd, KVM_CAP_XSAVE2), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	pit_add(vm, KVM_PIT_SPEAKER_DUMMY);
	vcpu = vcpu_add_bare(vm, 0);
	memory_add(vm, KVM_MEM_LOG_DIRTY_PAGES);
	/* On the routes that the irqchip came with; then on its PCI devices' own. */
	for (gsi = 5; gsi < NR_PINS; gsi++)
		irqfd_add(vm, gsi, 0);
	ioeventfd_add(vm, 0xd0000050, 4, KVM_IOEVENTFD_FLAG_DATAMATCH, 1);
	CHECK_EQ(cap(vm->fd, KVM_CAP_MSI_DEVID), 0);
	routes[0] = route_msi(24, MSI_ADDRESS(0), 0x30);
	routes[1] = route_msi(4095, MSI_ADDRESS(0), 0x31);
	CHECK_EQ(routing_set(vm, routes, 2), 0);
	irqfd_add(vm, 24, 0);
	ioeventfd_add(vm, 0x4000001000, 0, 0, 0);
	cpuid_give(vcpu);
	msrs_give(vcpu);
	fpu_give(vcpu);
	long_mode_give(vcpu, 0x1000);
	lapic_give(vcpu);
	memcpy(vm_hva(vm, 0x1000), speak64, sizeof(speak64));
	again = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, dup(vcpu->fd), 0);
	CHECK(again != MAP_FAILED);
	again->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	again->immediate_exit = 0;
	expect_word(vcpu);
	munmap(again, vm->run_size);
	vm_free(vm);
}

static void cloud_hypervisor(void)
{
	struct kvm_clock_data clock;
	struct vm *vm = start();
	struct vcpu *vcpu;
	long r;

	NEED_CAPS(vm->sys, KVM_CAP_ADJUST_CLOCK, KVM_CAP_EXT_CPUID, KVM_CAP_GET_TSC_KHZ, KVM_CAP_IMMEDIATE_EXIT,
		  KVM_CAP_IOEVENTFD, KVM_CAP_IRQCHIP, KVM_CAP_IRQFD, KVM_CAP_IRQ_ROUTING, KVM_CAP_MP_STATE,
		  KVM_CAP_SET_IDENTITY_MAP_ADDR, KVM_CAP_SET_TSS_ADDR, KVM_CAP_SPLIT_IRQCHIP,
		  KVM_CAP_TSC_DEADLINE_TIMER, KVM_CAP_USER_MEMORY, KVM_CAP_USER_NMI, KVM_CAP_VCPU_EVENTS,
		  KVM_CAP_XSAVE);
	addresses_set(vm);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_SPLIT_IRQCHIP, NR_PINS), 0);
	memory_add(vm, 0);
	NEED_CAPS(vm->fd, KVM_CAP_MAX_VCPUS, KVM_CAP_NR_VCPUS);
	vcpu = vcpu_add_bare(vm, 0);
	CHECK_GE(cap(vm->fd, KVM_CAP_XSAVE2), 0);
	CHECK_GE(xioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), 1);
	cpuid_give(vcpu);
	msrs_give(vcpu);
	long_mode_give(vcpu, 0x1000);
	fpu_give(vcpu);
	lapic_give(vcpu);
	CHECK_EQ(routing_set(vm, NULL, 0), 0);
	irqfd_add(vm, 24, 0);		/* before it has a route */
	routes[0] = route_msi(24, MSI_ADDRESS(0), 0x30);
	CHECK_EQ(routing_set(vm, routes, 1), 0);
	ioeventfd_add(vm, 0xe0001000, 0, 0, 0);
	memcpy(vm_hva(vm, 0x1000), speak64, sizeof(speak64));
	expect_word(vcpu);
	pause_guest(vcpu);
	r = xioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
	CHECK(!r || r == -EINVAL);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &clock), 0);
	clock.flags &= KVM_CLOCK_REALTIME;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &clock), 0);
	slot_set(vm, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, VM_MEM_SIZE, vm->mem);
	slot_set(vm, 0, 0, 0, VM_MEM_SIZE, vm->mem);
	vm_free(vm);
}

static void crosvm_vcpu(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	u64 mtrrs, i;

	CHECK_EQ(cap(vm->fd, KVM_CAP_TSC_DEADLINE_TIMER), 1);
	cpuid_give(vcpu);
	long_mode_give(vcpu, 0x1000);
	fpu_give(vcpu);
	mtrrs = msr_get(vcpu, MSR_MTRRcap) & 0xff;
	CHECK_GE(mtrrs, 8);
	for (i = 0; i < ARRAY_SIZE(boot_msrs); i++)
		msr_set(vcpu, boot_msrs[i], boot_msr_value(boot_msrs[i]));
	for (i = 0; i < 2 * mtrrs; i++)
		msr_set(vcpu, 0x200 + (u32)i, i & 1 ? 0 : 6);
	lapic_give(vcpu);
	memcpy(vm_hva(vm, 0x1000), speak64, sizeof(speak64));
	expect_word(vcpu);
}

static void crosvm_caps(struct vm *vm)
{
	CHECK_EQ(cap(vm->fd, KVM_CAP_KVMCLOCK_CTRL), 1);
	CHECK_EQ(cap(vm->fd, KVM_CAP_READONLY_MEM), 1);
	CHECK_EQ(cap(vm->sys, KVM_CAP_IMMEDIATE_EXIT), 1);
	CHECK_EQ(cap(vm->fd, KVM_CAP_XCRS), 1);
	CHECK_EQ(cap(vm->fd, KVM_CAP_MSI_DEVID), 0);
}

static void crosvm(void)
{
	struct vm *vm = start();
	u32 gsi, n;

	crosvm_caps(vm);
	memory_add(vm, 0);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	pit_add(vm, 0);
	addresses_set(vm);
	irqfd_add(vm, 4, 0);
	for (gsi = 5; gsi < 13; gsi++)
		irqfd_add(vm, gsi, eventfd(0, 0));
	ioeventfd_add(vm, 0xe0002000, 0, 0, 0);
	n = routes_of_pc();
	routes[n++] = route_msi(24, MSI_ADDRESS(0), 0x40);
	CHECK_EQ(routing_set(vm, routes, n), 0);
	irqfd_add(vm, 24, 0);
	crosvm_vcpu(vm);
	vm_free(vm);
}

static void crosvm_split(void)
{
	struct vm *vm = start();

	crosvm_caps(vm);
	memory_add(vm, 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_SPLIT_IRQCHIP, NR_PINS), 0);
	routes_reserve(vm);
	addresses_set(vm);
	irqfd_add(vm, 4, 0);
	crosvm_vcpu(vm);
	vm_free(vm);
}

/* What QEMU asks of the VM before it makes a vCPU: what it finds it switches on, and takes no error then. */
static void qemu_vm(struct vm *vm)
{
	struct kvm_msr_list empty = { .nmsrs = 0 };
	u32 i;

	NEED_CAPS(vm->sys, KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS, KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
		  KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE, KVM_CAP_IRQ_ROUTING);
	CHECK_GE(cap(vm->sys, KVM_CAP_NR_MEMSLOTS), 64);
	if (cap(vm->fd, KVM_CAP_EXCEPTION_PAYLOAD))
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXCEPTION_PAYLOAD, 1), 0);
	if (cap(vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1), 0);
	CHECK_ERR(xioctl(vm->sys, KVM_GET_MSR_INDEX_LIST, &empty), E2BIG);
	CHECK_LE(empty.nmsrs, 228);
	addresses_set(vm);
	if (cap(vm->fd, KVM_CAP_X86_USER_SPACE_MSR)) {
		static u8 bits[1] = { 0 };
		struct kvm_msr_filter filter = {
			.ranges[0] = { .flags = KVM_MSR_FILTER_READ, .base = 0x35, .nmsrs = 1, .bitmap = bits },
		};

		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER), 0);
		CHECK_EQ(xioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter), 0);
	}
	/* Its probe: so many events at one port. */
	for (i = 0; i < 7; i++)
		ioeventfd_add(vm, 0, 2, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH, i);
	cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 1);
}

static void qemu_mce(struct vcpu *vcpu)
{
	long banks = cap(vcpu->vm->sys, KVM_CAP_MCE);
	u64 mcg = 0;
	u32 i;

	if (banks) {
		CHECK_GE(banks, 10);
		CHECK_EQ(xioctl(vcpu->vm->sys, KVM_X86_GET_MCE_CAP_SUPPORTED, &mcg), 0);
		mcg = (mcg & (BIT(8) | BIT(24))) | 10;
		CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SETUP_MCE, &mcg), 0);
	}
	msr_set(vcpu, MSR_IA32_MCG_STATUS, 0);
	msr_set(vcpu, MSR_IA32_MCG_CTL, ~0ull);
	for (i = 0; i < 40; i++)
		msr_set(vcpu, MSR_IA32_MC0_CTL + i, i & 3 ? 0 : ~0ull);
}

/* Reset: the state of the vCPU goes in whole, in this order, and comes back when the guest is reset. */
static void qemu_reset(struct vcpu *vcpu, bool lapic)
{
	static struct kvm_xsave xsave;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	struct kvm_mp_state mp;
	struct kvm_sregs2 s2;
	struct kvm_regs regs;
	struct kvm_xcrs xcrs;
	u32 i;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MP_STATE, &mp), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_REGS, &regs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XSAVE, &xsave), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &xcrs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_SREGS2, &s2), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &debug), 0);

	msr_set(vcpu, MSR_IA32_APICBASE, s2.apic_base);
	if (lapic)
		lapic_give(vcpu);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SREGS2, &s2), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_REGS, &regs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, &xsave), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &xcrs), 0);
	msrs_give(vcpu);
	msr_set(vcpu, MSR_IA32_CR_PAT, 0x0007040600070406);
	msr_set(vcpu, MSR_KVM_SYSTEM_TIME_OLD, 0);
	msr_set(vcpu, MSR_KVM_WALL_CLOCK_OLD, 0);
	/* MTRRs: variable, then fixed. */
	for (i = 0x200; i < 0x270; i++)
		if (i < 0x210 || i == 0x250 || i == 0x258 || i == 0x259 || i >= 0x268)
			msr_set(vcpu, i, 0);
	qemu_mce(vcpu);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MP_STATE, &mp), 0);
	if (lapic)
		msr_set(vcpu, MSR_IA32_TSC_DEADLINE, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &debug), 0);
}

/* From the reset vector, by ROM as a slot that is deleted and made anew read-only, as for shadowed firmware. */
static void qemu_run(struct vm *vm, struct vcpu *vcpu, bool lapic)
{
	static const u8 jump[] = { 0xea, 0x00, 0x02, 0x00, 0x00 };	/* JMP 0:0x200 */
	struct kvm_clock_data clock = {};
	u8 *rom = pages_map(0x10000);
	long r;

	memcpy(rom + 0xfff0, jump, sizeof(jump));
	slot_set(vm, 2, 0, 0xffff0000, 0x10000, rom);
	slot_set(vm, 2, 0, 0xffff0000, 0, rom);
	slot_set(vm, 2, KVM_MEM_READONLY, 0xffff0000, 0x10000, rom);
	memcpy(vm_hva(vm, 0x200), speak16, sizeof(speak16));
	qemu_reset(vcpu, lapic);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &clock), 0);
	clock.flags = 0;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &clock), 0);
	r = xioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
	CHECK(!r || r == -EINVAL);
	vcpu->run->apic_base = ~0ull;
	vcpu->run->cr8 = lapic ? ~0ull : 0;
	expect_word(vcpu);
	CHECK_EQ(vcpu->run->apic_base, APIC_DEFAULT_BASE | BIT(11) | BIT(8));
	CHECK_EQ(vcpu->run->cr8, 0);
	CHECK_EQ(vcpu->run->if_flag, 0);
	pause_guest(vcpu);
	qemu_reset(vcpu, lapic);
}

static void qemu_full(void)
{
	struct kvm_pit_state2 pit;
	struct kvm_irqchip chip;
	struct vm *vm = start();
	struct vcpu *vcpu;
	u32 i;

	qemu_vm(vm);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	vcpu = vcpu_add_bare(vm, 0);
	cpuid_give(vcpu);
	memory_add(vm, 0);
	CHECK_EQ(routing_set(vm, routes, routes_of_pc()), 0);
	pit_add(vm, 0);
	for (i = 0; i < 3; i++) {
		chip.chip_id = i;
		CHECK_EQ(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), 0);
		CHECK_EQ(xioctl(vm->fd, KVM_SET_IRQCHIP, &chip), 0);
	}
	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &pit), 0);
	pit.flags |= KVM_PIT_FLAGS_HPET_LEGACY;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_PIT2, &pit), 0);
	qemu_run(vm, vcpu, true);
	irq_line_status(vm, 3, 1);
	irq_line_status(vm, 3, 0);
	vm_free(vm);
}

static void qemu_split(void)
{
	struct vm *vm = start();
	struct vcpu *vcpu;

	qemu_vm(vm);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_SPLIT_IRQCHIP, NR_PINS), 0);
	routes_reserve(vm);
	vcpu = vcpu_add_bare(vm, 0);
	cpuid_give(vcpu);
	memory_add(vm, 0);
	qemu_run(vm, vcpu, true);
	/* A pin without a message. */
	irq_line(vm, 5, 1);
	irq_line(vm, 5, 0);
	vm_free(vm);
}

static void qemu_off(void)
{
	struct vm *vm = start();
	struct vcpu *vcpu;

	qemu_vm(vm);
	vcpu = vcpu_add_bare(vm, 0);
	cpuid_give(vcpu);
	memory_add(vm, 0);
	qemu_run(vm, vcpu, false);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(kvmtool),
	TEST(firecracker),
	TEST(cloud_hypervisor),
	TEST(crosvm),
	TEST(crosvm_split),
	TEST(qemu_full),
	TEST(qemu_split),
	TEST(qemu_off),
};

KTAP_MAIN(tests)
