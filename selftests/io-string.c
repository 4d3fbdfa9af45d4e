// SPDX-License-Identifier: GPL-2.0-only
/*
 * String port instructions: every byte of REP INS and REP OUTS passes once and
 * in order, whatever batches the exits come in, forwards and backwards, across
 * pages, in every mode; registers afterwards are the architecture's.
 */
#include "modes.h"

#define PORT	0x3f0
#define BUF	0x200000ul	/* in slot 0, free */

/*
 * Serve string exits with a running number per element, or collect elements,
 * until another exit comes. Return: the number of elements; *batches counts
 * the exits.
 */
static u32 serve(struct vcpu *vcpu, u8 direction, u8 size, u8 *collected,
		 unsigned int *batches)
{
	struct kvm_run *run = vcpu->run;
	u32 done = 0, i;

	*batches = 0;
	for (;;) {
		u8 *data = (u8 *)run + run->io.data_offset;

		CHECK_EQ(run_try(vcpu), 0);
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT)
			return done;
		data = (u8 *)run + run->io.data_offset;
		CHECK_EQ(run->io.direction, direction);
		CHECK_EQ(run->io.size, size);
		CHECK_GE(run->io.count, 1);
		CHECK_LE(run->io.count * size, PAGE_SIZE);
		for (i = 0; i < run->io.count; i++, done++) {
			u32 val = 0x01010101 * (done + 1);

			if (direction == KVM_EXIT_IO_IN)
				memcpy(data + i * size, &val, size);
			else
				memcpy(collected + done * size, data + i * size, size);
		}
		(*batches)++;
	}
}

static u64 guest_len, guest_start;
static int guest_backwards;

#define GUEST_STRING(insn)						\
	do {								\
		u64 p_ = guest_start, n_ = guest_len;			\
									\
		if (guest_backwards)					\
			asm volatile("std");				\
		asm volatile(insn "\n cld" : "+D" (p_), "+c" (n_)	\
			     : "S" (guest_start), "d" (PORT) : "memory"); \
		guest_sync4(p_, n_, 0, 0);				\
		guest_done();						\
	} while (0)

#define GUEST_STRING_OUT(insn)						\
	do {								\
		u64 p_ = guest_start, n_ = guest_len;			\
									\
		if (guest_backwards)					\
			asm volatile("std");				\
		asm volatile(insn "\n cld" : "+S" (p_), "+c" (n_)	\
			     : "d" (PORT) : "memory");			\
		guest_sync4(p_, n_, 0, 0);				\
		guest_done();						\
	} while (0)

static void guest_insb(void)
{
	GUEST_STRING("rep insb");
}

static void guest_insw(void)
{
	GUEST_STRING("rep insw");
}

static void guest_insl(void)
{
	GUEST_STRING("rep insl");
}

static void guest_outsb(void)
{
	GUEST_STRING_OUT("rep outsb");
}

static void guest_outsw(void)
{
	GUEST_STRING_OUT("rep outsw");
}

static void guest_outsl(void)
{
	GUEST_STRING_OUT("rep outsl");
}

struct shape {
	u64 start;	/* of the lowest element */
	u32 len;
	bool backwards;
};

static const struct shape shapes[] = {
	{ BUF, 1, false }, { BUF + 8, 3, false }, { BUF, 1000, false },
	{ BUF + PAGE_SIZE - 40, 200, false }, { BUF, 3 * 1024, false },
	{ BUF + PAGE_SIZE - 40, 200, true }, { BUF, 7, true },
};

static struct vcpu *string_vcpu(struct vm *vm, void (*fn)(void),
				const struct shape *s, u8 size)
{
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, fn);
	GVAR(vm, guest_len) = s->len;
	GVAR(vm, guest_backwards) = s->backwards;
	GVAR(vm, guest_start) = s->backwards ? s->start + (s->len - 1) * size : s->start;
	return vcpu;
}

static void check_end(struct vcpu *vcpu, const struct shape *s, u8 size)
{
	u64 end = s->backwards ? s->start - size : s->start + (u64)s->len * size;

	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], end);
	CHECK_EQ(vcpu->cpu->uc.args[1], 0);
}

static void ins_shape(void (*fn)(void), const struct shape *s, u8 size)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = string_vcpu(vm, fn, s, size);
	unsigned int batches, i;
	u8 *mem = vm_hva(vm, s->start);

	mem[-1] = 0xee;
	mem[s->len * size] = 0xdd;
	CHECK_EQ(serve(vcpu, KVM_EXIT_IO_IN, size, NULL, &batches), s->len);
	check_end(vcpu, s, size);
	for (i = 0; i < s->len; i++) {
		u32 n = s->backwards ? s->len - i : i + 1, val = 0x01010101 * n;

		if (memcmp(mem + i * size, &val, size))
			FAIL("element %u of %u, size %u, is wrong", i, s->len, size);
	}
	CHECK_EQ(mem[-1], 0xee);
	CHECK_EQ(mem[s->len * size], 0xdd);
	vm_free(vm);
}

static void outs_shape(void (*fn)(void), const struct shape *s, u8 size)
{
	static u8 collected[4 * 4096];
	struct vm *vm = vm_create();
	struct vcpu *vcpu = string_vcpu(vm, fn, s, size);
	unsigned int batches, i;
	u8 *mem = vm_hva(vm, s->start);

	for (i = 0; i < s->len * size; i++)
		mem[i] = (u8)(i * 7 + (i >> 8));
	CHECK_EQ(serve(vcpu, KVM_EXIT_IO_OUT, size, collected, &batches), s->len);
	check_end(vcpu, s, size);
	for (i = 0; i < s->len; i++) {
		u32 at = s->backwards ? s->len - 1 - i : i;

		if (memcmp(collected + i * size, mem + at * size, size))
			FAIL("element %u of %u, size %u, is wrong", i, s->len, size);
	}
	vm_free(vm);
}

static void ins(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		ins_shape(guest_insb, &shapes[i], 1);
		ins_shape(guest_insw, &shapes[i], 2);
		ins_shape(guest_insl, &shapes[i], 4);
	}
}

static void outs(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		outs_shape(guest_outsb, &shapes[i], 1);
		outs_shape(guest_outsw, &shapes[i], 2);
		outs_shape(guest_outsl, &shapes[i], 4);
	}
}

/* Clients of KVM rely on REP INS coming in batches. */
static void ins_is_batched(void)
{
	static const struct shape s = { BUF, 512, false };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = string_vcpu(vm, guest_insb, &s, 1);
	unsigned int batches;

	CHECK_EQ(serve(vcpu, KVM_EXIT_IO_IN, 1, NULL, &batches), s.len);
	CHECK_LE(batches, 64);
	vm_free(vm);
}

static void zero_count(void)
{
	static const struct shape s = { BUF, 0, false };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = string_vcpu(vm, guest_insb, &s, 1);
	unsigned int batches;

	CHECK_EQ(serve(vcpu, KVM_EXIT_IO_IN, 1, NULL, &batches), 0);
	check_end(vcpu, &s, 1);
	vm_free(vm);
}

/* Indices wrap at 64 KiB with 16-bit addressing. */
GUEST_CODE(string16, 16,
	"mov $0x3f0, %dx\n"
	"mov $4, %cx\n"
	"mov $0xfffe, %di\n"
	"rep insb\n"
	"mov $4, %cx\n"
	"mov $0xfffe, %si\n"
	"rep outsb\n"
	"hlt\n");

/* Serve INS until another kind of exit. Return: the number of elements. */
static u32 real_ins(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u32 done = 0, i;

	for (;;) {
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		if (run->io.direction != KVM_EXIT_IO_IN)
			return done;
		for (i = 0; i < run->io.count; i++)
			((u8 *)run + run->io.data_offset)[i] = (u8)(0x51 + done++);
	}
}

static void collect_out(struct vcpu *vcpu, u8 *collected, u32 *got)
{
	struct kvm_run *run = vcpu->run;
	u32 i;

	for (i = 0; i < run->io.count && *got < 16; i++)
		collected[(*got)++] = ((u8 *)run + run->io.data_offset)[i];
}

static void real_mode_wraps(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 collected[16];
	u32 got = 0;
	const u8 *mem = vm_hva(vm, 0);
	struct kvm_regs regs;

	code_load(vm, REAL_CODE, string16);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	CHECK_EQ(real_ins(vcpu), 4);
	CHECK_EQ(vcpu->run->io.direction, KVM_EXIT_IO_OUT);
	collect_out(vcpu, collected, &got);
	while (got < 4) {
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		collect_out(vcpu, collected, &got);
	}
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(mem[0xfffe], 0x51);
	CHECK_EQ(mem[0xffff], 0x52);
	CHECK_EQ(mem[0], 0x53);
	CHECK_EQ(mem[1], 0x54);
	CHECK_MEM(collected, "\x51\x52\x53\x54", 4);
	regs = regs_get(vcpu);
	CHECK_EQ((u16)regs.rdi, 2);
	CHECK_EQ((u16)regs.rsi, 2);
	CHECK_EQ((u16)regs.rcx, 0);
	vm_free(vm);
}

/* A destination that faults: elements before it count, RIP stays. */
static void guest_ins_faults(void)
{
	u64 p = BUF + PAGE_SIZE - 3, n = 8;

	GUEST_TRY("rep insb", "+D" (p) COMMA "+c" (n), "d" (PORT));
	GUEST_CHECK_EQ(guest_exc()->vector, PF_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->cr2, BUF + PAGE_SIZE);
	GUEST_CHECK_EQ(guest_exc()->error, PFERR_W);
	guest_sync4(p, n, 0, 0);
	guest_done();
}

static void ins_into_an_absent_page(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int batches;

	vcpu_entry(vcpu, guest_ins_faults);
	long_map(vm, BUF + PAGE_SIZE, 0, 0);
	serve(vcpu, KVM_EXIT_IO_IN, 1, NULL, &batches);
	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], BUF + PAGE_SIZE);
	CHECK_EQ(vcpu->cpu->uc.args[1], 5);
	CHECK_EQ(*(u8 *)vm_hva(vm, BUF + PAGE_SIZE - 1), 3);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(ins),
	TEST(outs),
	TEST(ins_is_batched),
	TEST(zero_count),
	TEST(real_mode_wraps),
	TEST(ins_into_an_absent_page),
};

KTAP_MAIN(tests)
