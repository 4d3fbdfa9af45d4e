// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intercepted instructions with 0 to 13 redundant prefixes, in 16, 32 and 64
 * bit, at every position around a page boundary, with the second page present
 * and absent. The outcome is the architecture's: RIP behind the instruction and
 * its result, #GP(0) when it is longer than 15 bytes (APM 3, 1.2), the page
 * fault of the second page, or an internal error where there is no memory.
 */
#include "modes.h"

#define BOUNDARY	0x9000ul
#define MAX_PREFIXES	13
#define MAX_LENGTH	15
#define MSR		MSR_MTRRdefType
#define MSR_OLD		0xc06
#define MSR_NEW		0x806

struct insn {
	const char *name;
	u8 bytes[3];
	u8 len;
	/* What the registers must be afterwards; @vcpu has stopped. */
	void (*check)(struct vcpu *vcpu, const struct kvm_regs *regs);
};

enum outcome { DONE, TOO_LONG, NO_SECOND_PAGE, NO_NEXT_INSN };

static void check_nothing(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ(regs->rdx, 0);
}

static void check_cpuid(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ((u32)regs->rbx, 0x4b4d564b);
	CHECK_EQ((u32)regs->rcx, 0x564b4d56);
}

static void check_rdmsr(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ((u32)regs->rax, MSR_OLD);
	CHECK_EQ((u32)regs->rdx, 0);
}

static void check_wrmsr(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ(msr_get(vcpu, MSR), MSR_NEW);
	msr_set(vcpu, MSR, MSR_OLD);
}

/* An unknown hypercall number: -KVM_ENOSYS, 1000. */
static void check_hypercall(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ((u32)regs->rax, (u32)-1000);
}

static const struct insn insns[] = {
	{ "cpuid", { 0x0f, 0xa2 }, 2, check_cpuid },
	{ "hlt", { 0xf4 }, 1, check_nothing },
	{ "rdmsr", { 0x0f, 0x32 }, 2, check_rdmsr },
	{ "wrmsr", { 0x0f, 0x30 }, 2, check_wrmsr },
	{ "vmmcall", { 0x0f, 0x01, 0xd9 }, 3, check_hypercall },
	{ "vmcall", { 0x0f, 0x01, 0xc1 }, 3, check_hypercall },
	{ "invd", { 0x0f, 0x08 }, 2, check_nothing },
	{ "pause", { 0xf3, 0x90 }, 2, check_nothing },
};

/* Each vendor has a hypercall instruction of its own. */
static bool insn_is_foreign(const struct insn *insn)
{
	bool amd = cpuid(0x80000001, 0).ecx & BIT(2);

	return insn->check == check_hypercall && (insn->bytes[2] == 0xd9) != amd;
}

/*
 * Prefixes that change nothing here: segment overrides, operand and address
 * size; in 64-bit mode a REX that is not the last prefix, and so has no effect.
 */
static const u8 legacy_prefixes[] = { 0x2e, 0x66, 0x3e, 0x67, 0x26, 0x64, 0x36, 0x65 };

static size_t insn_build(u8 *buf, const struct insn *insn, unsigned int prefixes,
			 enum guest_mode mode)
{
	unsigned int i;

	for (i = 0; i < prefixes; i++) {
		buf[i] = legacy_prefixes[i % ARRAY_SIZE(legacy_prefixes)];
		if (mode == MODE_LONG64 && i == 2 && prefixes > 4)
			buf[i] = 0x48;
	}
	memcpy(buf + prefixes, insn->bytes, insn->len);
	buf[prefixes + insn->len] = 0xf4;
	return prefixes + insn->len;
}

/*
 * Too long, and the first byte beyond the limit is the absent one: whether the
 * length or the page is at fault is the CPU's choice.
 */
static bool outcome_is_open(size_t len, size_t first, bool absent)
{
	return absent && len > MAX_LENGTH && first == MAX_LENGTH;
}

static enum outcome expected(size_t len, size_t first, bool absent)
{
	/* A fault on the second page comes before the length is known. */
	if (absent && first < len && first < MAX_LENGTH)
		return NO_SECOND_PAGE;
	if (len > MAX_LENGTH)
		return TOO_LONG;
	if (absent && first == len)
		return NO_NEXT_INSN;
	return DONE;
}

static void start(struct vcpu *vcpu, enum guest_mode mode, u64 rip,
		  const struct insn *insn)
{
	struct kvm_regs regs = {
		.rip = rip, .rflags = X86_EFLAGS_FIXED,
		.rsp = mode == MODE_REAL16 ? REAL_STACK : vcpu->stack,
		.rax = 0x40000000, .rcx = MSR,
	};

	if (insn->check == check_wrmsr)
		regs.rax = MSR_NEW;
	if (insn->check == check_hypercall)
		regs.rax = 0x7777;
	regs_set(vcpu, &regs);
}

static void bad(struct vcpu *vcpu, enum guest_mode mode, const struct insn *insn,
		unsigned int prefixes, size_t first, bool absent, const char *what)
{
	exit_diag(vcpu);
	FAIL("%s with %u prefixes in %s, %zu bytes before the %s page: %s",
	     insn->name, prefixes, mode_names[mode], first,
	     absent ? "absent" : "present", what);
}

/* Return: NULL if the exit is what the architecture says. */
static const char *judge(struct vcpu *vcpu, enum guest_mode mode,
			 const struct insn *insn, enum outcome want, u64 rip, size_t len)
{
	bool paged = mode == MODE_PAGED32 || mode == MODE_LONG64;
	struct guest_exc exc = { .vector = NO_EXCEPTION };
	bool is_hlt = insn->bytes[0] == 0xf4;
	u64 fault_rip = want == NO_NEXT_INSN ? rip + len : rip;
	struct kvm_regs regs = regs_get(vcpu);

	if (want == DONE || (want == NO_NEXT_INSN && is_hlt)) {
		if (vcpu->run->exit_reason != KVM_EXIT_HLT)
			return "no HLT exit";
		if (regs.rip != rip + len + !is_hlt)
			return "wrong RIP";
		insn->check(vcpu, &regs);
		return NULL;
	}
	if (want != TOO_LONG && !paged) {
		if (vcpu->run->exit_reason != KVM_EXIT_INTERNAL_ERROR)
			return "no internal error";
		return regs.rip == fault_rip ? NULL : "wrong RIP";
	}
	if (!exception_read(vcpu, mode, &exc))
		return "no exception";
	if (exc.vector != (want == TOO_LONG ? GP_VECTOR : PF_VECTOR))
		return "wrong vector";
	if (exc.rip != fault_rip)
		return "wrong RIP in the frame";
	if (want == TOO_LONG)
		return exc.error ? "wrong error code" : NULL;
	if (exc.cr2 != BOUNDARY)
		return "wrong CR2";
	/* The fetch bit needs EFER.NX (APM 2, 8.4.2). */
	if (exc.error != (mode == MODE_LONG64 ? PFERR_I : 0))
		return "wrong error code";
	return NULL;
}

static void one(struct vcpu *vcpu, enum guest_mode mode, const struct insn *insn,
		unsigned int prefixes, size_t first, bool absent)
{
	u64 rip = BOUNDARY - first;
	size_t len = insn_build(vm_hva(vcpu->vm, rip), insn, prefixes, mode);
	enum outcome want = expected(len, first, absent);
	const char *wrong;

	if (outcome_is_open(len, first, absent))
		return;
	start(vcpu, mode, rip, insn);
	if (run_try(vcpu))
		bad(vcpu, mode, insn, prefixes, first, absent, "KVM_RUN failed");
	wrong = judge(vcpu, mode, insn, want, rip, len);
	if (wrong)
		bad(vcpu, mode, insn, prefixes, first, absent, wrong);
	if (want == NO_NEXT_INSN && insn->check == check_wrmsr)
		insn->check(vcpu, NULL);
}

/* Take the page at BOUNDARY away, by the tables or by the slots. */
static void page_remove(struct vm *vm, enum guest_mode mode)
{
	u64 above = BOUNDARY + PAGE_SIZE;

	if (mode == MODE_LONG64) {
		*long_pte(vm, BOUNDARY) = 0;
	} else if (mode == MODE_PAGED32) {
		*paged32_pte(vm, BOUNDARY) = 0;
	} else {
		slot_set(vm, 0, 0, 0, 0, NULL);
		slot_set(vm, 0, 0, 0, BOUNDARY, vm->mem);
		slot_set(vm, 1, 0, above, VM_MEM_SIZE - above, vm->mem + above);
	}
}

static void all_of(enum guest_mode mode, bool absent)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i, prefixes, max;
	size_t first;

	vcpu_mode(vcpu, mode, BOUNDARY);
	if (mode == MODE_LONG64)
		vcpu_exceptions_to_host(vcpu);
	if (absent)
		page_remove(vm, mode);
	msr_set(vcpu, MSR, MSR_OLD);
	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		if (insn_is_foreign(&insns[i]))
			continue;
		/* VMCALL with an operand size is not an instruction on every CPU; the second prefix is one. */
		max = insns[i].bytes[2] == 0xc1 ? 1 : MAX_PREFIXES;
		for (prefixes = 0; prefixes <= max; prefixes++)
			for (first = 1; first <= prefixes + insns[i].len; first++)
				one(vcpu, mode, &insns[i], prefixes, first, absent);
	}
	vm_free(vm);
}

static void real16(void)
{
	all_of(MODE_REAL16, false);
}

static void real16_absent(void)
{
	all_of(MODE_REAL16, true);
}

static void prot32(void)
{
	all_of(MODE_PROT32, false);
}

static void prot32_absent(void)
{
	all_of(MODE_PROT32, true);
}

static void paged32(void)
{
	all_of(MODE_PAGED32, false);
}

static void paged32_absent(void)
{
	all_of(MODE_PAGED32, true);
}

static void long64(void)
{
	all_of(MODE_LONG64, false);
}

static void long64_absent(void)
{
	all_of(MODE_LONG64, true);
}

static const struct test tests[] = {
	TEST(real16),
	TEST(real16_absent),
	TEST(prot32),
	TEST(prot32_absent),
	TEST(paged32),
	TEST(paged32_absent),
	TEST(long64),
	TEST(long64_absent),
};

KTAP_MAIN(tests)
