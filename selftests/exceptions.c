// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions that the guest causes arrive in the guest, with the vector, error
 * code, RIP and CR2 of the architecture (APM 2, chapter 8), in long mode and,
 * where the entry differs, in protected and real mode.
 */
#include "modes.h"

#define BAD_PAGE	0x300000ul	/* its 4 KiB entries are the test's */

static void expect_exc(u64 vector, u64 error)
{
	GUEST_CHECK_EQ(guest_exc()->vector, vector);
	GUEST_CHECK_EQ(guest_exc()->error, error);
}

static void guest_simple(void)
{
	u64 here;

	GUEST_TRY("lea 772f(%%rip), %0\n 772: ud2", "=&r" (here), );
	expect_exc(UD_VECTOR, 0);
	GUEST_CHECK_EQ(guest_exc()->rip, here);

	GUEST_TRY("lea 772f(%%rip), %0\n 772: div %1", "=&r" (here),
		  "r" (0) COMMA "a" (1) COMMA "d" (0));
	expect_exc(DE_VECTOR, 0);
	GUEST_CHECK_EQ(guest_exc()->rip, here);

	GUEST_TRY("mov %0, %%cr0", , "r" (X86_CR0_PG));
	expect_exc(GP_VECTOR, 0);
	GUEST_TRY("mov %0, %%cr4", , "r" (BIT(31)));
	expect_exc(GP_VECTOR, 0);
	GUEST_TRY("mov (%0), %%al", , "r" (BIT(48)), "rax");
	expect_exc(GP_VECTOR, 0);
	/* A selector beyond the GDT's limit: the error code names it. */
	GUEST_TRY("mov %0, %%fs", , "r" (0x1234 & ~7));
	expect_exc(GP_VECTOR, 0x1230);
	guest_done();
}

static void simple(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_simple);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_breakpoint(void)
{
	u64 here;

	guest_this()->exc.vector = NO_EXCEPTION;
	asm volatile("lea 1f(%%rip), %%r11\n mov %%r11, %%gs:8\n"
		     "lea 2f(%%rip), %0\n int3\n 2: nop\n 1: movq $0, %%gs:8"
		     : "=&r" (here) :: "r11", "memory");
	GUEST_CHECK_EQ(guest_exc()->vector, BP_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->rip, here);
	guest_done();
}

static void traps_point_behind(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_breakpoint);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void expect_pf(u64 addr, u64 error)
{
	expect_exc(PF_VECTOR, error);
	GUEST_CHECK_EQ(guest_exc()->cr2, addr);
}

static void guest_page_faults(void)
{
	u64 absent = BAD_PAGE + 0x123, ro = BAD_PAGE + 0x1456;
	u64 nx = BAD_PAGE + 0x2000, rsv = BAD_PAGE + 0x3008;

	GUEST_TRY("mov (%0), %%al", , "r" (absent), "rax");
	expect_pf(absent, 0);
	GUEST_TRY("movb $1, (%0)", , "r" (absent));
	expect_pf(absent, PFERR_W);
	GUEST_TRY("movb $1, (%0)", , "r" (ro));
	expect_pf(ro, PFERR_P | PFERR_W);
	GUEST_TRY("mov (%0), %%al", , "r" (ro), "rax");
	GUEST_CHECK_EQ(guest_exc()->vector, NO_EXCEPTION);
	GUEST_TRY("jmp *%0", , "r" (nx));
	expect_pf(nx, PFERR_P | PFERR_I);
	GUEST_CHECK_EQ(guest_exc()->rip, nx);
	GUEST_TRY("mov (%0), %%al", , "r" (rsv), "rax");
	/* QEMU's emulation leaves the present bit out. */
	guest_exc()->error |= PFERR_P;
	expect_pf(rsv, PFERR_P | PFERR_RSV);
	/* An access across a boundary names its first bad byte. */
	GUEST_TRY("mov (%0), %%rax", , "r" (BAD_PAGE - 3), "rax");
	expect_pf(BAD_PAGE, 0);
	guest_done();
}

static void page_faults(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_page_faults);
	long_map(vm, BAD_PAGE, 0, 0);
	long_map(vm, BAD_PAGE + 0x1000, 0x7000, PTE_P);
	long_map(vm, BAD_PAGE + 0x2000, 0x7000, PTE_P | PTE_W | PTE_NX);
	long_map(vm, BAD_PAGE + 0x3000, 0x7000, PTE_P | PTE_W | BIT(51));
	RUN_DONE(vcpu);
	vm_free(vm);
}

static u64 guest_user_exc[4];

static void guest_on_user_pf(struct guest_frame *frame)
{
	guest_user_exc[0] = frame->vector;
	guest_user_exc[1] = frame->error;
	guest_user_exc[2] = GUEST_READ_CR(2);
	guest_user_exc[3] = frame->cs;
	guest_done();
}

static void guest_user_reads(void)
{
	asm volatile("mov %0, %%al" :: "m" (*(u8 *)BAD_PAGE) : "al");
	guest_done();
}

static void guest_enter_user(void)
{
	guest_handlers[PF_VECTOR] = guest_on_user_pf;
	asm volatile("push %0\n push %%rsp\n pushq $2\n push %1\n push %2\n iretq"
		     :: "r" ((u64)SEL_USER_DATA), "r" ((u64)SEL_USER_CODE64),
		        "r" (guest_user_reads) : "memory");
}

static void user_mode_page_fault(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 page;

	vcpu_entry(vcpu, guest_enter_user);
	for (page = 0x400000; page < 0x600000; page += PAGE_SIZE)
		*long_pte(vm, page) |= PTE_U;
	long_map(vm, BAD_PAGE, 0x7000, PTE_P | PTE_W);
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_user_exc[0]), PF_VECTOR);
	CHECK_EQ(GVAR(vm, guest_user_exc[1]), PFERR_P | PFERR_U);
	CHECK_EQ(GVAR(vm, guest_user_exc[2]), BAD_PAGE);
	CHECK_EQ(GVAR(vm, guest_user_exc[3]), SEL_USER_CODE64);
	vm_free(vm);
}

/* #NM: the FPU is locked by CR0.TS or CR0.EM (APM 2, 3.1.1). */
static void guest_device_not_available(void)
{
	u64 cr0 = GUEST_READ_CR(0);

	GUEST_WRITE_CR(0, cr0 | X86_CR0_TS);
	GUEST_TRY("fninit", , );
	expect_exc(NM_VECTOR, 0);
	GUEST_TRY("xorps %%xmm0, %%xmm0", , );
	expect_exc(NM_VECTOR, 0);
	asm volatile("clts");
	GUEST_TRY("fninit", , );
	GUEST_CHECK_EQ(guest_exc()->vector, NO_EXCEPTION);
	GUEST_WRITE_CR(0, cr0 | X86_CR0_EM);
	GUEST_TRY("fninit", , );
	expect_exc(NM_VECTOR, 0);
	GUEST_TRY("xorps %%xmm0, %%xmm0", , );
	expect_exc(UD_VECTOR, 0);
	GUEST_WRITE_CR(0, cr0);
	GUEST_TRY("xorps %%xmm0, %%xmm0", , );
	GUEST_CHECK_EQ(guest_exc()->vector, NO_EXCEPTION);
	guest_done();
}

static void device_not_available(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_device_not_available);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* 32-bit and 16-bit code, the frame read by the host. */
GUEST_CODE(ud, 32, "nop\n ud2\n hlt");
GUEST_CODE(de, 32, "xor %eax, %eax\n div %eax\n hlt");
GUEST_CODE(gp, 32, "mov $0xfff8, %eax\n mov %eax, %fs\n hlt");
GUEST_CODE(pf_write, 32, "movl $1, 0x300123\n hlt");
GUEST_CODE(bp, 16, "nop\n int3\n hlt");

static struct guest_exc host_exc(enum guest_mode mode, const char *start,
				 const char *end)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct guest_exc exc;

	memcpy(vm_hva(vm, REAL_CODE), start, (size_t)(end - start));
	vcpu_mode(vcpu, mode, REAL_CODE);
	if (mode == MODE_PAGED32)
		*paged32_pte(vm, BAD_PAGE) = 0;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, mode, &exc));
	vm_free(vm);
	return exc;
}

#define HOST_EXC(mode, name, vec, err, offset)				\
	do {								\
		struct guest_exc e_ = host_exc(mode, name##_start, name##_end); \
		CHECK_EQ(e_.vector, vec);				\
		CHECK_EQ(e_.error, err);				\
		CHECK_EQ(e_.rip, REAL_CODE + (offset));			\
	} while (0)

static void protected_mode(void)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PAGED32 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		HOST_EXC(modes[i], ud, UD_VECTOR, 0, 1);
		HOST_EXC(modes[i], de, DE_VECTOR, 0, 2);
		HOST_EXC(modes[i], gp, GP_VECTOR, 0xfff8, 5);
	}
	HOST_EXC(MODE_PAGED32, pf_write, PF_VECTOR, PFERR_W, 0);
	CHECK_EQ(host_exc(MODE_PAGED32, pf_write_start, pf_write_end).cr2, 0x300123);
}

static void real_mode(void)
{
	HOST_EXC(MODE_REAL16, bp, BP_VECTOR, 0, 2);
	HOST_EXC(MODE_REAL16, ud, UD_VECTOR, 0, 1);
}

static const struct test tests[] = {
	TEST(simple),
	TEST(traps_point_behind),
	TEST(page_faults),
	TEST(user_mode_page_fault),
	TEST(device_not_available),
	TEST(protected_mode),
	TEST(real_mode),
};

KTAP_MAIN(tests)
