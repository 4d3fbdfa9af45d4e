// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device reports, beside what KVM reports on the same host: capabilities, the CPUID table, the
 * lists of MSRs, and for every MSR number in use which values are taken. Every difference must be in one of the
 * tables below, with its reason. KVM's module is loaded for the time of a case when it is not there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm.h"

#define KVM_NODE	"/dev/kvm"
#define MAX_CAP		320
#define CAP_LAST_6_1	224	/* what came later is not built */
#define MAX_MSRS	1024

static const char vpmu[] = "no virtual performance monitor";
static const char hyperv[] = "no Hyper-V interface";
static const char nested[] = "no nested virtualization";
static const char mce[] = "no corrected machine-check interrupt: there is no LVT entry for it";
static const char newest[] = "a control of VT-x CPUs newer than any lab machine: KVM has 0 where it lacks, as here";
static const char xen[] = "no Xen interface";
static const char smm[] = "no system management mode";
static const char removed[] = "serves CPUs or interfaces that lodge leaves out";
static const char newer[] = "as Linux 6.1, of which later ones differ";
static const char host_value[] = "the host's own value instead of a constant";

/* Capabilities that may differ. */
static const struct {
	int cap;
	const char *why;
} cap_allowed[] = {
	{ KVM_CAP_MAX_VCPUS, newer },
	{ 70, newer },
	{ KVM_CAP_MAX_VCPU_ID, newer },
	{ KVM_CAP_DEVICE_CTRL, "its one device on x86 is VFIO's, for assigned devices, which are left out" },
	{ KVM_CAP_VAPIC, "TPR reporting is for 32-bit guests on CPUs without TPR shadow" },
	{ KVM_CAP_PIT, "KVM_CREATE_PIT was replaced by KVM_CREATE_PIT2 in 2009" },
	{ KVM_CAP_XEN_HVM, xen },
	{ KVM_CAP_HYPERV, hyperv },
	{ KVM_CAP_HYPERV_VAPIC, hyperv },
	{ KVM_CAP_HYPERV_SPIN, hyperv },
	{ KVM_CAP_HYPERV_TIME, hyperv },
	{ KVM_CAP_HYPERV_SYNIC, hyperv },
	{ KVM_CAP_HYPERV_SYNIC2, hyperv },
	{ KVM_CAP_HYPERV_VP_INDEX, hyperv },
	{ KVM_CAP_HYPERV_EVENTFD, hyperv },
	{ KVM_CAP_HYPERV_TLBFLUSH, hyperv },
	{ KVM_CAP_HYPERV_SEND_IPI, hyperv },
	{ KVM_CAP_HYPERV_CPUID, hyperv },
	{ KVM_CAP_HYPERV_ENLIGHTENED_VMCS, hyperv },
	{ KVM_CAP_HYPERV_ENFORCE_CPUID, hyperv },
	{ KVM_CAP_SYS_HYPERV_CPUID, hyperv },
	{ KVM_CAP_PCI_SEGMENT, "device assignment by ioctl is long gone" },
	{ KVM_CAP_EXIT_HYPERCALL, "its one hypercall shares pages of encrypted guests, which are left out" },
	{ KVM_CAP_EXT_EMUL_CPUID, "no instruction is emulated that the CPU lacks" },
	{ KVM_CAP_X86_SMM, smm },
	{ KVM_CAP_MULTI_ADDRESS_SPACE, smm },
	{ KVM_CAP_NESTED_STATE, nested },
	{ KVM_CAP_PMU_EVENT_FILTER, vpmu },
	{ KVM_CAP_PMU_CAPABILITY, vpmu },
	{ KVM_CAP_HALT_POLL, "a halted vCPU sleeps at once" },
	{ KVM_CAP_SGX_ATTRIBUTE, removed },
	{ KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, removed },
	{ KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, removed },
	{ KVM_CAP_DISABLE_QUIRKS2, newer },
	{ KVM_CAP_X2APIC_API, newer },
	{ KVM_CAP_SYSTEM_EVENT_DATA, hyperv },
	{ KVM_CAP_X86_NOTIFY_VMEXIT, newest },
	{ KVM_CAP_X86_BUS_LOCK_EXIT, newest },
	{ KVM_CAP_VM_DISABLE_NX_HUGE_PAGES, "no such workaround is needed on AMD" },
};

/* Bits of the CPUID table that may differ. */
static const struct {
	u32 function, index;
	struct cpuid_regs bits;
	const char *why;
} cpuid_allowed[] = {
	{ 0x1, 0, { .ecx = BIT(15) }, vpmu },
	{ 0x1, 0, { .ecx = BIT(5) }, nested },
	{ 0x7, 0, { .ecx = BIT(2) }, "UMIP is not emulated where the CPU lacks it" },
	{ 0x1, 0, { .ecx = BIT(24) | BIT(31) }, newer },
	{ 0x80000021, 0, { .eax = BIT(17) }, newer },
	{ 0x1, 0, { .ebx = 0xff000000 }, "the APIC ID of the CPU that was asked" },
	{ 0x7, 0, { .ebx = BIT(26) | BIT(27) }, "Knights Landing's AVX-512" },
	{ 0x7, 0, { .ecx = BIT(24) }, "bus lock detection needs an MSR that is not there" },
	{ 0x7, 0, { .edx = BIT(26) | BIT(27) | BIT(31) }, "SPEC_CTRL only where the CPU switches it with the guest" },
	{ 0x80000008, 0, { .ebx = BIT(14) | BIT(15) | BIT(17) | BIT(24) | BIT(25) | BIT(28) },
	  "SPEC_CTRL, as in leaf 7" },
	{ 0xb, 0, { .edx = ~0u }, "the x2APIC ID of the CPU that was asked" },
	{ 0x1f, 0, { .edx = ~0u }, "the x2APIC ID of the CPU that was asked" },
	{ 0xa, 0, { ~0u, ~0u, ~0u, ~0u }, vpmu },
	{ 0x80000001, 0, { .ecx = BIT(2) }, nested },
	{ 0x80000001, 0, { .ecx = BIT(23) }, vpmu },
	{ 0x80000005, 0, { ~0u, ~0u, ~0u, ~0u }, "the host's first-level caches, as later than 6.1" },
	{ 0x80000008, 0, { .eax = 0xff0000 }, newer },
	{ 0x8000000a, 0, { ~0u, ~0u, ~0u, ~0u }, nested },
	{ 0x80000022, 0, { ~0u, ~0u, ~0u, ~0u }, vpmu },
};

/* MSR numbers of which list membership, values or verdicts may differ. */
static const struct {
	u32 first, last;
	const char *why;
} msr_allowed[] = {
	{ 0x10, 0x10, "it runs" },
	{ 0x3a, 0x3a, "feature control belongs to nested VMX" },
	{ 0x48, 0x48, "SPEC_CTRL only where the CPU switches it with the guest" },
	{ 0x49, 0x49, newer },
	{ 0x8b, 0x8b, host_value },
	{ 0x8c, 0x8f, removed },	/* SGX */
	{ 0x9e, 0x9e, smm },
	{ 0xc1, 0xc2, vpmu },
	{ 0x186, 0x187, vpmu },
	{ 0xe1, 0xe1, "user-mode waiting is not offered" },
	{ 0xce, 0xce, newer },
	{ 0x10a, 0x10a, nested },	/* KVM tells hypervisors in the guest what they need not do */
	{ 0x122, 0x122, "TSX cannot be switched off" },
	{ 0x1c4, 0x1c5, "no AMX" },
	{ 0x1d9, 0x1d9, "no branch records: KVM lists it from 6.8 on" },
	{ 0x1db, 0x1de, "no branch records" },
	{ 0x280, 0x29f, mce },
	{ 0x309, 0x30b, vpmu },
	{ 0x345, 0x345, vpmu },
	{ 0x38d, 0x390, vpmu },
	{ 0x3f1, 0x3f2, vpmu },
	{ 0x480, 0x491, nested },
	{ 0x4d0, 0x4d0, mce },
	{ 0x560, 0x587, "no processor trace" },
	{ 0x600, 0x600, vpmu },
	{ 0x40000000, 0x400001ff, hyperv },
	{ 0xda0, 0xda0, newer },
	{ 0xc0000104, 0xc0000104, nested },
	{ 0xc0010000, 0xc0010007, vpmu },
	{ 0xc0010114, 0xc0010115, nested },
	{ 0xc0010117, 0xc0010117, nested },
	{ 0xc001011f, 0xc001011f, "virtual SSBD: nothing would switch it" },
	{ 0xc0010200, 0xc001020b, vpmu },
	{ 0xc0011029, 0xc0011029, "listed on both vendors' CPUs" },
};

/* Bytes of struct kvm_sregs at power-up. */
static const struct {
	unsigned int offset;
	const char *why;
} sregs_allowed[] = {
	{ 12, "CS is accessed, as on VT-x" },
	{ 132, "SS is accessed, as on VT-x" },
	{ 156, "TR is a 32-bit TSS, as on VT-x" },
};

static const char *own_device;
static bool loaded;
static unsigned int differences;

__attribute__((format(printf, 1, 2))) static void differs(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ktap_diag("%s", text);
	differences++;
}

static void compare_done(void)
{
	if (differences)
		FAIL("%u differences from KVM without a reason", differences);
}

/* The device to ask is the library's to open: change what it reads. */
static void ask_kvm(void)
{
	own_device = device_path();
	require_lodge();
	if (access(KVM_NODE, F_OK)) {
		if (system("modprobe -q kvm-amd 2>/dev/null || modprobe -q kvm-intel 2>/dev/null") ||
		    access(KVM_NODE, F_OK))
			ktap_skip("KVM cannot be loaded beside, so that there is nothing to compare with");
		loaded = true;
	}
	setenv("LODGE_DEVICE", KVM_NODE, 1);
	if (device_is_lodge())
		ktap_skip(KVM_NODE " is lodge's own");
}

/* Later kernels' KVM keeps the CPU's feature from load: it must go before lodge can make a VM. */
static void ask_lodge(void)
{
	if (loaded && system("modprobe -q -r kvm-amd kvm-intel 2>/dev/null; modprobe -q -r kvm 2>/dev/null"))
		ktap_diag("KVM could not be unloaded");
	setenv("LODGE_DEVICE", own_device, 1);
}

static void caps_read(long *values)
{
	int sys = device_open();
	int i;

	for (i = 0; i < MAX_CAP; i++)
		values[i] = cap(sys, i);
	close(sys);
}

static const char *cap_why(int nr)
{
	size_t i;

	if (nr > CAP_LAST_6_1)
		return newer;
	for (i = 0; i < ARRAY_SIZE(cap_allowed); i++)
		if (cap_allowed[i].cap == nr)
			return cap_allowed[i].why;
	return NULL;
}

/* What is offered on every kernel, and by KVM from Linux 6.8 on: KVM_CAP_USER_MEMORY2. */
static bool cap_is_ahead(int nr)
{
	return nr == 231;
}

static void capabilities(void)
{
	static long theirs[MAX_CAP], ours[MAX_CAP];
	int i;

	ask_kvm();
	caps_read(theirs);
	ask_lodge();
	caps_read(ours);
	for (i = 0; i < MAX_CAP; i++) {
		const char *why = cap_why(i);

		if (ours[i] == theirs[i])
			continue;
		if (!why)
			differs("capability %d: %ld, KVM %ld", i, ours[i], theirs[i]);
		else if (ours[i] && !theirs[i] && !cap_is_ahead(i))
			differs("capability %d: %ld, KVM does not have it", i, ours[i]);
	}
	compare_done();
}

static struct kvm_cpuid2 *cpuid_read(void)
{
	int sys = device_open();
	struct kvm_cpuid2 *table = supported_cpuid(sys);

	close(sys);
	return table;
}

static struct cpuid_regs cpuid_allowed_bits(u32 function, u32 index)
{
	struct cpuid_regs bits = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cpuid_allowed); i++) {
		if (cpuid_allowed[i].function != function || cpuid_allowed[i].index != index)
			continue;
		bits.eax |= cpuid_allowed[i].bits.eax;
		bits.ebx |= cpuid_allowed[i].bits.ebx;
		bits.ecx |= cpuid_allowed[i].bits.ecx;
		bits.edx |= cpuid_allowed[i].bits.edx;
	}
	return bits;
}

static void cpuid_entry_compare(const struct kvm_cpuid_entry2 *our, const struct kvm_cpuid_entry2 *their)
{
	struct cpuid_regs ok = cpuid_allowed_bits(our->function, our->index);

	if (our->flags != their->flags)
		differs("CPUID %x.%x: flags %x, KVM %x", our->function, our->index, our->flags, their->flags);
	if (((our->eax ^ their->eax) & ~ok.eax) || ((our->ebx ^ their->ebx) & ~ok.ebx) ||
	    ((our->ecx ^ their->ecx) & ~ok.ecx) || ((our->edx ^ their->edx) & ~ok.edx))
		differs("CPUID %x.%x: %08x %08x %08x %08x, KVM %08x %08x %08x %08x", our->function, our->index,
			our->eax, our->ebx, our->ecx, our->edx,
			their->eax, their->ebx, their->ecx, their->edx);
}

static void cpuid_supported(void)
{
	struct kvm_cpuid2 *theirs, *ours;
	struct kvm_cpuid_entry2 *other;
	u32 i;

	ask_kvm();
	theirs = cpuid_read();
	ask_lodge();
	ours = cpuid_read();
	CHECK_LE(ours->nent, 80);	/* what old VMMs have room for */
	for (i = 0; i < ours->nent; i++) {
		other = cpuid_entry(theirs, ours->entries[i].function, ours->entries[i].index);
		if (other)
			cpuid_entry_compare(&ours->entries[i], other);
		else
			differs("CPUID %x.%x: KVM has it not", ours->entries[i].function, ours->entries[i].index);
	}
	for (i = 0; i < theirs->nent; i++)
		if (!cpuid_entry(ours, theirs->entries[i].function, theirs->entries[i].index))
			differs("CPUID %x.%x: only KVM has it", theirs->entries[i].function,
				theirs->entries[i].index);
	compare_done();
}

static bool msr_may_differ(u32 msr)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(msr_allowed); i++)
		if (msr >= msr_allowed[i].first && msr <= msr_allowed[i].last)
			return true;
	return false;
}

static struct kvm_msr_list *msr_list_read(unsigned long cmd)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MAX_MSRS * sizeof(u32));
	int sys = device_open();

	list->nmsrs = MAX_MSRS;
	CHECK_OK(xioctl(sys, cmd, list));
	close(sys);
	return list;
}

static bool msr_list_has(const struct kvm_msr_list *list, u32 msr)
{
	u32 i;

	for (i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == msr)
			return true;
	return false;
}

static void msr_lists_compare(unsigned long cmd, const char *name)
{
	struct kvm_msr_list *theirs, *ours;
	u32 i;

	ask_kvm();
	theirs = msr_list_read(cmd);
	ask_lodge();
	ours = msr_list_read(cmd);
	CHECK_LE(ours->nmsrs, 228);	/* 256, less what cloud-hypervisor adds */
	for (i = 0; i < ours->nmsrs; i++)
		if (!msr_list_has(theirs, ours->indices[i]) && !msr_may_differ(ours->indices[i]))
			differs("%s: KVM does not list %x", name, ours->indices[i]);
	for (i = 0; i < theirs->nmsrs; i++)
		if (!msr_list_has(ours, theirs->indices[i]) && !msr_may_differ(theirs->indices[i]))
			differs("%s: only KVM lists %x", name, theirs->indices[i]);
	compare_done();
}

static void msr_index_list(void)
{
	msr_lists_compare(KVM_GET_MSR_INDEX_LIST, "MSR list");
}

static void msr_feature_list(void)
{
	msr_lists_compare(KVM_GET_MSR_FEATURE_INDEX_LIST, "feature MSR list");
}

/* Ranges of MSR numbers that a VMM might ask for. */
static const struct {
	u32 first, last;
} msr_ranges[] = {
	{ 0, 0x7ff }, { 0xd90, 0xdff }, { 0x4b564d00, 0x4b564d0f },
	{ 0xc0000080, 0xc0000110 }, { 0xc0010000, 0xc001021f }, { 0xc0011000, 0xc001103f },
};

/* What one MSR does on a fresh vCPU when user space reads and writes it. */
struct msr_answer {
	u64 value;
	bool readable;
	u8 taken;	/* bit n: the n-th of the values below */
};

static const u64 msr_values[] = { 0, 1, ~0ull, 0x0606060606060606 };

static struct msr_answer msr_ask(struct vcpu *vcpu, u32 msr)
{
	struct msr_answer answer = {};
	unsigned int i;

	answer.readable = msr_get_try(vcpu, msr, &answer.value) == 1;
	if (!answer.readable)
		answer.value = 0;
	for (i = 0; i < ARRAY_SIZE(msr_values); i++)
		if (msr_set_try(vcpu, msr, msr_values[i]) == 1)
			answer.taken |= BIT(i);
	if (answer.readable)
		msr_set_try(vcpu, msr, answer.value);
	return answer;
}

static struct msr_answer *msrs_ask(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct msr_answer *answers;
	size_t i, n = 0;
	u32 msr;

	for (i = 0; i < ARRAY_SIZE(msr_ranges); i++)
		n += msr_ranges[i].last - msr_ranges[i].first + 1;
	answers = calloc(n, sizeof(*answers));
	cpuid_set(vcpu, supported_cpuid(vm->sys));
	n = 0;
	for (i = 0; i < ARRAY_SIZE(msr_ranges); i++)
		for (msr = msr_ranges[i].first; msr <= msr_ranges[i].last; msr++)
			answers[n++] = msr_ask(vcpu, msr);
	vm_free(vm);
	return answers;
}

static void msr_values_and_verdicts(void)
{
	struct msr_answer *theirs, *ours;
	size_t i, n = 0;
	u32 msr;

	ask_kvm();
	theirs = msrs_ask();
	ask_lodge();
	ours = msrs_ask();
	for (i = 0; i < ARRAY_SIZE(msr_ranges); i++) {
		for (msr = msr_ranges[i].first; msr <= msr_ranges[i].last; msr++, n++) {
			const struct msr_answer *our = &ours[n], *their = &theirs[n];

			if (msr_may_differ(msr) || (our->value == their->value && our->taken == their->taken &&
						    our->readable == their->readable))
				continue;
			differs("MSR %x: reads %d %llx takes %x, KVM reads %d %llx takes %x", msr,
				our->readable, (unsigned long long)our->value, our->taken,
				their->readable, (unsigned long long)their->value, their->taken);
		}
	}
	compare_done();
}

static void feature_msrs(void)
{
	static const u32 msrs[] = { 0x10a, 0x345, 0xc0011029 };
	u64 values[2][ARRAY_SIZE(msrs)];
	unsigned int side, i, n = ARRAY_SIZE(msrs);

	/* The last is for AMD's CPUs; of ARCH_CAPABILITIES KVM tells hypervisors in the guest more. */
	if (!(cpuid(0x80000001, 0).ecx & BIT(2)))
		n--;
	for (side = 0; side < 2; side++) {
		int sys;

		if (side)
			ask_lodge();
		else
			ask_kvm();
		sys = device_open();
		for (i = 0; i < n; i++) {
			struct {
				struct kvm_msrs head;
				struct kvm_msr_entry entry;
			} args = { .head.nmsrs = 1, .entry.index = msrs[i] };

			CHECK_EQ(xioctl(sys, KVM_GET_MSRS, &args), 1);
			values[side][i] = args.entry.data;
		}
		close(sys);
	}
	for (i = 0; i < n; i++)
		if ((values[0][i] ^ values[1][i]) & ~(msrs[i] == 0x10a ? 0x48ull : 0))
			differs("feature MSR %x: %llx, KVM %llx", msrs[i], (unsigned long long)values[1][i],
				(unsigned long long)values[0][i]);
	compare_done();
}

static void vcpu_state_read(struct kvm_fpu *fpu, struct kvm_xsave *xsave, struct kvm_xcrs *xcrs,
			    struct kvm_sregs *sregs)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	cpuid_set(vcpu, supported_cpuid(vm->sys));
	CHECK_OK(xioctl(vcpu->fd, KVM_GET_FPU, fpu));
	CHECK_OK(xioctl(vcpu->fd, KVM_GET_XSAVE, xsave));
	CHECK_OK(xioctl(vcpu->fd, KVM_GET_XCRS, xcrs));
	CHECK_OK(xioctl(vcpu->fd, KVM_GET_SREGS, sregs));
	vm_free(vm);
}

static bool sregs_may_differ(unsigned int offset)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sregs_allowed); i++)
		if (sregs_allowed[i].offset == offset)
			return true;
	return false;
}

#define XSAVE_MXCSR_MASK	7	/* dword: the CPU's, or 0 before the first XSAVE */
#define XSAVE_FEATURES		128	/* dword of XSTATE_BV: components in their initial state may be left out */

static void power_up_state(void)
{
	static struct kvm_xsave xsave[2];
	static struct kvm_fpu fpu[2];
	static struct kvm_xcrs xcrs[2];
	static struct kvm_sregs sregs[2];
	unsigned int i;

	ask_kvm();
	vcpu_state_read(&fpu[0], &xsave[0], &xcrs[0], &sregs[0]);
	ask_lodge();
	vcpu_state_read(&fpu[1], &xsave[1], &xcrs[1], &sregs[1]);
	CHECK_MEM(&fpu[0], &fpu[1], sizeof(fpu[0]));
	CHECK_MEM(&xcrs[0], &xcrs[1], sizeof(xcrs[0]));
	for (i = 0; i < sizeof(sregs[0]) / 4; i++)
		if (((u32 *)&sregs[0])[i] != ((u32 *)&sregs[1])[i] && !sregs_may_differ(4 * i))
			differs("byte %u of struct kvm_sregs: %x, KVM %x", 4 * i, ((u32 *)&sregs[1])[i],
				((u32 *)&sregs[0])[i]);
	for (i = 0; i < ARRAY_SIZE(xsave[0].region); i++)
		if (xsave[0].region[i] != xsave[1].region[i] && i != XSAVE_MXCSR_MASK && i != XSAVE_FEATURES)
			differs("XSAVE dword %u: %x, KVM %x", i, xsave[1].region[i], xsave[0].region[i]);
	compare_done();
}

static const struct test tests[] = {
	TEST(capabilities),
	TEST(cpuid_supported),
	TEST(msr_index_list),
	TEST(msr_feature_list),
	TEST(feature_msrs),
	TEST_SECONDS(msr_values_and_verdicts, 60),
	TEST(power_up_state),
};

KTAP_MAIN(tests)
