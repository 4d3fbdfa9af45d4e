// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that read and write one MMIO operand, with and without LOCK:
 * arithmetic, exchange, compare-and-exchange, bit operations; and those that
 * only read one. The result, the flags and the accesses are checked.
 */
#include "device.h"
#include "modes.h"

#define DEV	DEVICE_BASE

static struct vm *vm_with_device(struct vcpu **vcpu, struct device **dev,
				 void (*fn)(void))
{
	struct vm *vm = vm_create();

	*dev = pages_map(sizeof(**dev));
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

/* Same instruction on the device and on RAM; result and flags must agree. */
#define FLAGS_MASK	0x8d5ull	/* CF PF AF ZF SF OF */

#define BOTH(insn, width, start, mask)					\
	do {								\
		u64 ram_ = (start), f1_, f2_;				\
		u##width *p_ = (u##width *)DEV;				\
									\
		*(volatile u##width *)p_ = (u##width)(start);		\
		asm volatile("stc\n " insn "\n pushfq\n pop %0"		\
			     : "=&r" (f1_) : "r" (p_), "c" (3ul),	\
			       "a" (0x1122334455667788ul) : "memory", "cc"); \
		asm volatile("stc\n " insn "\n pushfq\n pop %0"		\
			     : "=&r" (f2_) : "r" (&ram_), "c" (3ul),	\
			       "a" (0x1122334455667788ul) : "memory", "cc"); \
		GUEST_CHECK_EQ(*(volatile u##width *)p_, (u##width)ram_); \
		GUEST_CHECK_EQ(f1_ & (mask), f2_ & (mask));		\
	} while (0)

#define ALU(op, m)							\
	do {								\
		BOTH(op "b %%cl, (%1)", 8, 0x7f, m);			\
		BOTH(op "w %%cx, (%1)", 16, 0xfffe, m);			\
		BOTH(op "l %%ecx, (%1)", 32, 0x80000001, m);		\
		BOTH(op "q %%rcx, (%1)", 64, 0xffffffffffffffff, m);	\
		BOTH(op "b $0x81, (%1)", 8, 0x80, m);			\
		BOTH(op "l $0x12345678, (%1)", 32, 0x11111111, m);	\
		BOTH(op "q $-5, (%1)", 64, 3, m);			\
	} while (0)

#define ALU_LOCK(op, m)	BOTH("lock " op "l %%ecx, (%1)", 32, 5, m)

/* AF is undefined after logic (APM 3). */
#define LOGIC_MASK	(FLAGS_MASK & ~BIT(4))

static void guest_alu(void)
{
	ALU("add", FLAGS_MASK);
	ALU("adc", FLAGS_MASK);
	ALU("sub", FLAGS_MASK);
	ALU("sbb", FLAGS_MASK);
	ALU("and", LOGIC_MASK);
	ALU("or", LOGIC_MASK);
	ALU("xor", LOGIC_MASK);
	ALU_LOCK("add", FLAGS_MASK);
	ALU_LOCK("sub", FLAGS_MASK);
	ALU_LOCK("and", LOGIC_MASK);
	ALU_LOCK("or", LOGIC_MASK);
	ALU_LOCK("xor", LOGIC_MASK);
	guest_done();
}

static void alu_to_memory(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_alu);

	DEVICE_DONE(vcpu, dev);
	CHECK_GE(dev->nr, 4 * 7 * 7);
	vm_free(vm);
}

static void guest_unary(void)
{
	BOTH("incb (%1)", 8, 0xff, FLAGS_MASK);
	BOTH("incl (%1)", 32, 0x7fffffff, FLAGS_MASK);
	BOTH("incq (%1)", 64, ~0ull, FLAGS_MASK);
	BOTH("decw (%1)", 16, 0x8000, FLAGS_MASK);
	BOTH("decl (%1)", 32, 1, FLAGS_MASK);
	BOTH("negl (%1)", 32, 0x80000000, FLAGS_MASK);
	BOTH("negq (%1)", 64, 0, FLAGS_MASK);
	BOTH("notl (%1)", 32, 0x12345678, FLAGS_MASK);
	BOTH("lock incl (%1)", 32, 7, FLAGS_MASK);
	BOTH("lock decq (%1)", 64, 7, FLAGS_MASK);
	guest_done();
}

static void unary(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_unary);

	DEVICE_DONE(vcpu, dev);
	vm_free(vm);
}

static void guest_bits(void)
{
	/* Only CF is defined. */
	BOTH("btsl $5, (%1)", 32, 0, BIT(0));
	BOTH("btrl $5, (%1)", 32, ~0u, BIT(0));
	BOTH("btcl $31, (%1)", 32, 0, BIT(0));
	BOTH("btl $4, (%1)", 32, 0x10, BIT(0));
	BOTH("btsl %%ecx, (%1)", 32, 0, BIT(0));
	BOTH("lock btsq $40, (%1)", 64, 0, BIT(0));
	BOTH("lock btrq %%rcx, (%1)", 64, ~0ull, BIT(0));
	guest_done();
}

static void bit_operations(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_bits);

	DEVICE_DONE(vcpu, dev);
	vm_free(vm);
}

/* A register bit offset reaches beyond the operand, in both directions. */
static void guest_far_bits(void)
{
	asm volatile("btsl %0, (%1)" :: "r" (100), "r" (DEV + 0x100) : "memory", "cc");
	asm volatile("btsl %0, (%1)" :: "r" (-1), "r" (DEV + 0x100) : "memory", "cc");
	guest_done();
}

static void far_bits(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_far_bits);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_R(0x10c, 4), DEV_W(0x10c, 4), DEV_R(0xfc, 4), DEV_W(0xfc, 4));
	CHECK_EQ(dev->data[0x10c], 0x10);
	CHECK_EQ(dev->data[0xff], 0x80);
	vm_free(vm);
}

static void guest_exchange(void)
{
	volatile u32 *p = (u32 *)DEV;
	u64 a, old;
	u8 equal;

	*p = 0x11111111;
	a = 0xffffffff22222222;
	asm volatile("xchg %k0, (%1)" : "+r" (a) : "r" (p) : "memory");
	GUEST_CHECK_EQ(a, 0x11111111);
	GUEST_CHECK_EQ(*p, 0x22222222);

	a = 5;
	asm volatile("lock xaddl %k0, (%1)" : "+r" (a) : "r" (p) : "memory", "cc");
	GUEST_CHECK_EQ(a, 0x22222222);
	GUEST_CHECK_EQ(*p, 0x22222227);

	old = 0x22222227;
	asm volatile("lock cmpxchgl %3, (%2)\n sete %1"
		     : "+a" (old), "=q" (equal) : "r" (p), "r" (0x99) : "memory", "cc");
	GUEST_CHECK_EQ(equal, 1);
	GUEST_CHECK_EQ(*p, 0x99);
	old = 0x1;
	asm volatile("lock cmpxchgl %3, (%2)\n sete %1"
		     : "+a" (old), "=q" (equal) : "r" (p), "r" (0x77) : "memory", "cc");
	GUEST_CHECK_EQ(equal, 0);
	GUEST_CHECK_EQ(old, 0x99);
	GUEST_CHECK_EQ(*p, 0x99);
	guest_done();
}

static void exchange(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_exchange);

	DEVICE_DONE(vcpu, dev);
	vm_free(vm);
}

static void guest_reads(void)
{
	volatile u32 *p = (u32 *)DEV;
	u64 a = 0x10, f;
	u8 c;

	*p = 0xfffffff0;
	asm volatile("addl (%1), %k0" : "+r" (a) : "r" (p) : "cc");
	GUEST_CHECK_EQ(a, 0);
	asm volatile("cmpl $0xfffffff0, (%1)\n sete %0" : "=q" (c) : "r" (p) : "cc");
	GUEST_CHECK_EQ(c, 1);
	asm volatile("cmpl %2, (%1)\n setb %0" : "=q" (c) : "r" (p), "r" (0xfffffff1) : "cc");
	GUEST_CHECK_EQ(c, 1);
	asm volatile("testl $0x10, (%1)\n setne %0" : "=q" (c) : "r" (p) : "cc");
	GUEST_CHECK_EQ(c, 1);
	asm volatile("testb $0x0f, (%1)\n sete %0" : "=q" (c) : "r" (p) : "cc");
	GUEST_CHECK_EQ(c, 1);
	a = ~0ull;
	asm volatile("andq (%1), %0" : "+r" (a) : "r" (p) : "cc");
	GUEST_CHECK_EQ((u32)a, 0xfffffff0);
	asm volatile("push (%1)\n pop %0" : "=r" (f) : "r" (p) : "memory");
	GUEST_CHECK_EQ((u32)f, 0xfffffff0);
	guest_done();
}

static void register_from_memory(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_reads);

	DEVICE_DONE(vcpu, dev);
	vm_free(vm);
}

/* One read and one write, not two reads and not two writes. */
static void guest_once(void)
{
	asm volatile("lock addl $1, (%0)" :: "r" (DEV + 0x40) : "memory", "cc");
	asm volatile("orb $4, (%0)" :: "r" (DEV + 0x50) : "memory", "cc");
	guest_done();
}

static void accesses(void)
{
	struct device *dev;
	struct vcpu *vcpu;
	struct vm *vm = vm_with_device(&vcpu, &dev, guest_once);

	DEVICE_DONE(vcpu, dev);
	DEVICE_EXPECT(dev, DEV_R(0x40, 4), DEV_W(0x40, 4), DEV_R(0x50, 1), DEV_W(0x50, 1));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(alu_to_memory),
	TEST(unary),
	TEST(bit_operations),
	TEST(far_bits),
	TEST(exchange),
	TEST(register_from_memory),
	TEST(accesses),
};

KTAP_MAIN(tests)
