/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instruction emulation: decode and execute what guests do to MMIO and string
 * ports, and decode the instructions that exit on CPUs which tell no length.
 *
 * Everything but mmio.c is pure: it knows struct lodge_emulate and its ops and
 * nothing of vCPUs, so that the same files run under sanitizers in user space.
 * No lock: a struct lodge_emulate belongs to the thread that holds the vCPU.
 *
 * Life of one instruction: the glue fills the input fields, then calls
 * lodge_emulate_step(). Registers, RFLAGS and RIP change only in commits: at the
 * end of an instruction or, for REP, of an iteration. EMULATE_IO stops it at an
 * access that user space must complete; then lodge_emulate_resume().
 */
#ifndef LODGE_EMULATE_H
#define LODGE_EMULATE_H

#include <linux/bits.h>
#include <linux/types.h>

#include "../types.h"

struct lodge_emulate;

/* DONE and IO mean that what was asked took place (IO: up to user space's part). */
enum lodge_emulate_result {
	EMULATE_DONE,
	EMULATE_IO,		/* user space must complete em->io */
	EMULATE_FAULT,		/* em->fault is to be injected */
	EMULATE_UNHANDLED,	/* not an instruction or an access that is emulated */
	EMULATE_RETRY,		/* lost a race: let the guest execute it again */
};

/* Operating modes as far as decoding and addressing differ. APM 2, 1.2. */
enum lodge_emulate_mode {
	LODGE_MODE_REAL,
	LODGE_MODE_VM86,
	LODGE_MODE_PROTECTED,	/* with compatibility mode */
	LODGE_MODE_LONG,	/* 64-bit code */
};

/* Segment attributes: the descriptor's bits 40-47 and 52-55, as AMD packs them. */
#define LODGE_SEG_TYPE		0x000f
#define LODGE_SEG_ACCESSED	BIT(0)
#define LODGE_SEG_WRITABLE	BIT(1)	/* code: readable */
#define LODGE_SEG_EXPAND_DOWN	BIT(2)	/* code: conforming */
#define LODGE_SEG_CODE		BIT(3)
#define LODGE_SEG_S		BIT(4)
#define LODGE_SEG_DPL_SHIFT	5
#define LODGE_SEG_P		BIT(7)
#define LODGE_SEG_AVL		BIT(8)
#define LODGE_SEG_L		BIT(9)
#define LODGE_SEG_DB		BIT(10)
#define LODGE_SEG_G		BIT(11)

struct lodge_emulate_segment {
	u64 base;
	u32 limit;		/* in bytes, granularity applied */
	u16 attributes;		/* LODGE_SEG_*; an unusable segment has P clear */
	u16 selector;
};

/* What an instruction does. The order inside the first two groups is the encoding's. */
enum lodge_insn_op {
	LODGE_OP_NONE,
	/* ALU, by the reg field of group 1 */
	LODGE_OP_ADD, LODGE_OP_OR, LODGE_OP_ADC, LODGE_OP_SBB,
	LODGE_OP_AND, LODGE_OP_SUB, LODGE_OP_XOR, LODGE_OP_CMP,
	/* shifts, by the reg field of group 2 */
	LODGE_OP_ROL, LODGE_OP_ROR, LODGE_OP_RCL, LODGE_OP_RCR,
	LODGE_OP_SHL, LODGE_OP_SHR, LODGE_OP_SAL, LODGE_OP_SAR,
	LODGE_OP_TEST, LODGE_OP_INC, LODGE_OP_DEC, LODGE_OP_NOT, LODGE_OP_NEG,
	LODGE_OP_SHLD, LODGE_OP_SHRD,
	LODGE_OP_BT, LODGE_OP_BTS, LODGE_OP_BTR, LODGE_OP_BTC,
	LODGE_OP_IMUL, LODGE_OP_MUL_WIDE, LODGE_OP_IMUL_WIDE,
	LODGE_OP_XADD, LODGE_OP_CMPXCHG, LODGE_OP_CMPXCHG8B,
	LODGE_OP_SETCC, LODGE_OP_CMOVCC,
	/* moves */
	LODGE_OP_MOV, LODGE_OP_MOVZX, LODGE_OP_MOVSX, LODGE_OP_MOVBE, LODGE_OP_XCHG,
	LODGE_OP_STORE_SREG, LODGE_OP_LOAD_SREG, LODGE_OP_XLAT,
	/* stack and control flow */
	LODGE_OP_PUSH, LODGE_OP_POP, LODGE_OP_CALL, LODGE_OP_JMP, LODGE_OP_RET,
	/* strings */
	LODGE_OP_MOVS, LODGE_OP_STOS, LODGE_OP_LODS, LODGE_OP_SCAS, LODGE_OP_CMPS,
	LODGE_OP_INS, LODGE_OP_OUTS,
	/* vector moves: whole register, aligned, 4 or 8 bytes, low or high half */
	LODGE_OP_VMOV, LODGE_OP_VMOV_ALIGNED, LODGE_OP_VMOV4, LODGE_OP_VMOV8,
	LODGE_OP_VMOV_LOW, LODGE_OP_VMOV_HIGH, LODGE_OP_VMOV_GPR,
	LODGE_OP_CLFLUSH,
	/* decoded for their length and operands, never executed here */
	LODGE_OP_SYSTEM,
	LODGE_OP_CPUID = LODGE_OP_SYSTEM, LODGE_OP_HLT, LODGE_OP_RDMSR, LODGE_OP_WRMSR,
	LODGE_OP_VMMCALL, LODGE_OP_VMCALL, LODGE_OP_INVD, LODGE_OP_WBINVD, LODGE_OP_PAUSE,
	LODGE_OP_RDTSC, LODGE_OP_RDTSCP, LODGE_OP_RDPMC, LODGE_OP_MONITOR, LODGE_OP_MWAIT,
	LODGE_OP_XSETBV, LODGE_OP_INVLPG, LODGE_OP_INVPCID, LODGE_OP_CLTS, LODGE_OP_LMSW,
	LODGE_OP_SMSW, LODGE_OP_READ_CR, LODGE_OP_WRITE_CR, LODGE_OP_READ_DR, LODGE_OP_WRITE_DR,
	LODGE_OP_IN, LODGE_OP_OUT, LODGE_OP_INT1, LODGE_OP_INT3, LODGE_OP_INTN, LODGE_OP_INTO,
	LODGE_OP_IRET, LODGE_OP_RSM,
	LODGE_NR_OPS,
};

enum lodge_operand_kind {
	LODGE_OPERAND_NONE,
	LODGE_OPERAND_GPR,	/* reg 0-15 */
	LODGE_OPERAND_GPR_HIGH,	/* AH, CH, DH, BH: reg 0-3 */
	LODGE_OPERAND_MEMORY,	/* at insn.segment:insn.ea */
	LODGE_OPERAND_IMM,	/* insn.imm */
	LODGE_OPERAND_SREG,
	LODGE_OPERAND_CR,
	LODGE_OPERAND_DR,
	LODGE_OPERAND_VECTOR,
};

struct lodge_operand {
	u8 kind;		/* enum lodge_operand_kind */
	u8 reg;
};

#define LODGE_PREFIX_LOCK	BIT(0)
#define LODGE_PREFIX_REPNE	BIT(1)
#define LODGE_PREFIX_REP	BIT(2)
#define LODGE_PREFIX_OPSIZE	BIT(3)
#define LODGE_PREFIX_ADSIZE	BIT(4)
#define LODGE_PREFIX_VEX	BIT(5)
#define LODGE_PREFIX_VEX_L	BIT(6)

/**
 * struct lodge_insn - a decoded instruction
 * @op: enum lodge_insn_op
 * @length: bytes, prefixes included; 1 to 15
 * @size: operand size in bytes
 * @address_size: 2, 4 or 8
 * @prefixes: LODGE_PREFIX_*
 * @rex: the REX prefix in force, or 0; with VEX its W, R, X, B bits in REX's places
 * @segment: of the memory operand, overrides applied
 * @opcode: the last opcode byte
 * @flags: the table row's flags
 * @modrm: the ModRM byte, if the opcode has one
 * @vvvv: VEX's third register, not inverted
 * @dst, @src: operands; a string instruction has none
 * @ea: offset of the memory operand inside its segment, cut to the address size
 * @imm: immediate, sign-extended as the opcode asks; port or vector number of IN, OUT, INT
 */
struct lodge_insn {
	u8 op;
	u8 length;
	u8 size;
	u8 address_size;
	u8 prefixes;
	u8 rex;
	u8 segment;
	u8 opcode;
	u8 modrm;
	u8 vvvv;
	u32 flags;
	struct lodge_operand dst;
	struct lodge_operand src;
	u64 ea;
	u64 imm;
};

struct lodge_emulate_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2;		/* of a #PF */
};

enum lodge_emulate_io_kind { LODGE_IO_NONE, LODGE_IO_MMIO, LODGE_IO_PORT };

/**
 * struct lodge_emulate_io - the access that user space completes
 * @kind: memory or port
 * @write: direction
 * @size: bytes of a unit; memory: bytes of the access, 1 to 8
 * @count: units; memory: 1
 * @addr: GPA or port number
 * @data: memory: the value; ports use em->port_data
 */
struct lodge_emulate_io {
	u8 kind;
	bool write;
	u8 size;
	u16 count;
	u64 addr;
	u8 data[8];
};

#define LODGE_INSN_MAX		15
#define LODGE_PORT_DATA		4096	/* bytes at em->port_data */
#define LODGE_EMULATE_READS	64	/* bytes one instruction may read */
#define LODGE_EMULATE_VECTOR	32	/* bytes of the widest operand */
#define LODGE_EMULATE_PIECES	6	/* a 32-byte operand over a page border */
#define LODGE_EMULATE_BATCH	1024	/* REP iterations in one call */

/**
 * struct lodge_emulate_ops - what the emulator needs of the outside
 * @translate: @linear to @gpa for @access (LODGE_ACCESS_*). DONE, FAULT with em->fault a #PF, RETRY, UNHANDLED.
 * @read: fetch @len (1 to 8) bytes that do not cross a page. DONE from RAM or an in-kernel device,
 *	IO when user space must answer, RETRY, UNHANDLED.
 * @write: the same for writing. @len above 8 is a try for plain RAM: IO then means that nothing was done.
 * @exchange: locked exchange on RAM, @len 1, 2, 4, 8 or 16, inside a page. DONE, RETRY when @old was not
 *	there, IO when it is not plain RAM (nothing was done), UNHANDLED.
 * @fetch: copy instruction bytes that do not cross a page. DONE, FAULT, RETRY, UNHANDLED.
 * @load_segment: fill em->segments[@segment].
 * @store_segment: real and virtual-8086 mode: put @selector, base and the rest following from it.
 * @port_read: @count units of @size bytes to em->port_data. DONE or IO.
 * @port_write: @count units from em->port_data. DONE or IO.
 * @io_allowed: the TSS bitmap's word on @size ports from @port. DONE allowed, FAULT with em->fault set, RETRY.
 * @fpu_read: XMM (@len 16) or YMM (@len 32) register @reg of the guest.
 * @fpu_write: the same for writing; 16 bytes leave the upper half as it is. Neither can fail.
 *
 * An op that returns IO leaves em->io to the emulator.
 */
struct lodge_emulate_ops {
	enum lodge_emulate_result (*translate)(struct lodge_emulate *em, gva_t linear, u32 access, gpa_t *gpa);
	enum lodge_emulate_result (*read)(struct lodge_emulate *em, gpa_t gpa, u8 *buf, unsigned int len);
	enum lodge_emulate_result (*write)(struct lodge_emulate *em, gpa_t gpa, const u8 *buf, unsigned int len);
	enum lodge_emulate_result (*exchange)(struct lodge_emulate *em, gpa_t gpa, const u8 *old, const u8 *new,
					      unsigned int len);
	enum lodge_emulate_result (*fetch)(struct lodge_emulate *em, gva_t linear, u8 *buf, unsigned int len);
	void (*load_segment)(struct lodge_emulate *em, enum lodge_segment segment);
	void (*store_segment)(struct lodge_emulate *em, enum lodge_segment segment, u16 selector);
	enum lodge_emulate_result (*port_read)(struct lodge_emulate *em, u16 port, unsigned int size,
					       unsigned int count);
	enum lodge_emulate_result (*port_write)(struct lodge_emulate *em, u16 port, unsigned int size,
						unsigned int count);
	enum lodge_emulate_result (*io_allowed)(struct lodge_emulate *em, u16 port, unsigned int size);
	void (*fpu_read)(struct lodge_emulate *em, unsigned int reg, u8 *buf, unsigned int len);
	void (*fpu_write)(struct lodge_emulate *em, unsigned int reg, const u8 *buf, unsigned int len);
};

/* A translation good for the rest of the call: as a TLB entry, no older than the batch. */
struct lodge_emulate_tlb {
	gva_t page;
	gpa_t gpa;
	u32 access;		/* 0: empty */
};

/**
 * struct lodge_emulate - one vCPU's emulator
 *
 * Input, filled by the glue before lodge_emulate_step() or _decode(), and, but for @nbytes and @hint,
 * again before lodge_emulate_resume():
 * @ops: the outside
 * @gprs: LODGE_NR_GPRS registers, read in place, written by commits
 * @rip, @rflags: of the instruction; after a commit the next one's
 * @cr0, @cr4, @efer, @xcr0: control registers
 * @mode: enum lodge_emulate_mode, and @width: 2, 4 or 8, the code segment's default size
 *	(lodge_emulate_set_mode() derives both)
 * @cpl: current privilege level
 * @segments_valid: bits of @segments that hold; 0 to begin with, the rest is asked for when needed
 * @nbytes, @bytes: instruction bytes at RIP that the CPU gave, if any; at most LODGE_INSN_MAX
 * @hint_gpa, @hint_access: what the CPU's nested fault reported: the access had passed the guest's own
 *	tables and led there. @hint_access 0: nothing known.
 * @port_data: LODGE_PORT_DATA bytes for string port I/O. May be shared with user space: never trusted.
 *
 * Output:
 * @insn: the decoded instruction
 * @fault: after EMULATE_FAULT
 * @io: after EMULATE_IO
 * @committed: an instruction or REP iteration took effect
 * @single_step: it did so with RFLAGS.TF set: a #DB with DR6.BS is due
 * @shadow: it was MOV SS: interrupts and traps are held off for one instruction
 * (whatever else is committed ends a shadow that was there before)
 */
struct lodge_emulate {
	const struct lodge_emulate_ops *ops;
	u64 *gprs;
	u64 rip, rflags;
	u64 cr0, cr4, efer, xcr0;
	gpa_t hint_gpa;
	u8 *port_data;
	u8 hint_access;
	u8 mode, width, cpl;
	u8 segments_valid;
	bool committed, single_step, shadow;
	u8 nbytes;
	u8 bytes[LODGE_INSN_MAX + 8];

	struct lodge_insn insn;
	u64 insn_rip;				/* where @insn was decoded */

	/* Reads of this instruction so far, so that resuming reads no device twice. */
	u8 reads_pos, reads_end;
	/* The write that is under way. */
	u8 pieces_pos, pieces_end;
	/* String port input that has come and is not yet stored. */
	u16 port_pos, port_end;
	struct lodge_emulate_io io;
	struct lodge_emulate_fault fault;
	struct lodge_emulate_tlb tlb[2];	/* read and write side */
	u8 reads[LODGE_EMULATE_READS];
	u8 write_data[LODGE_EMULATE_VECTOR];
	struct lodge_emulate_piece {
		gpa_t gpa;
		u8 len;
	} pieces[LODGE_EMULATE_PIECES];
	struct lodge_emulate_segment segments[LODGE_TR];
};

/**
 * lodge_emulate_set_mode() - mode and default size from the control state
 * @em: cr0, efer and rflags are filled
 * @cs_attributes: LODGE_SEG_* of CS
 */
void lodge_emulate_set_mode(struct lodge_emulate *em, u16 cs_attributes);

/**
 * lodge_emulate_decode() - decode the instruction at RIP
 * @em: input filled
 * Return: DONE with em->insn, FAULT, UNHANDLED (em->bytes[em->nbytes] hold what was read of it), RETRY.
 * Context: that of ops->fetch.
 */
enum lodge_emulate_result lodge_emulate_decode(struct lodge_emulate *em);

/**
 * lodge_emulate_execute() - execute em->insn, just decoded
 * Return: as lodge_emulate_step().
 */
enum lodge_emulate_result lodge_emulate_execute(struct lodge_emulate *em);

/**
 * lodge_emulate_step() - decode and execute one instruction, or a batch of one REP instruction's iterations
 * @em: input filled
 * Return: DONE: em->rip moved on, or stands on a REP instruction that has iterations left. IO, FAULT,
 *	UNHANDLED, RETRY: see enum lodge_emulate_result; iterations before are committed.
 * Context: that of the ops.
 */
enum lodge_emulate_result lodge_emulate_step(struct lodge_emulate *em);

/**
 * lodge_emulate_resume() - go on after user space completed em->io
 * @em: input filled anew; for reads em->io.data or em->port_data hold the answer
 * If user space moved RIP meanwhile, a read is dropped with its instruction.
 * Return: as lodge_emulate_step().
 */
enum lodge_emulate_result lodge_emulate_resume(struct lodge_emulate *em);

/**
 * lodge_emulate_source() - value of the source operand of a decoded instruction
 * @em: after lodge_emulate_decode()
 * @val: the value, zero-extended from insn.size
 * For LMSW and its like.
 * Return: DONE, FAULT, RETRY; UNHANDLED also when user space would have to answer.
 */
enum lodge_emulate_result lodge_emulate_source(struct lodge_emulate *em, u64 *val);

/**
 * lodge_emulate_store() - put a value in the destination operand of a decoded instruction, and pass it
 * @em: after lodge_emulate_decode()
 * @val: the value; a register of 4 bytes is zero-extended
 * For SMSW and MOV from CR and DR. On DONE and IO RIP has moved on.
 */
enum lodge_emulate_result lodge_emulate_store(struct lodge_emulate *em, u64 val);

/**
 * lodge_emulate_address() - linear address of the memory operand (INVLPG), without any check
 */
gva_t lodge_emulate_address(struct lodge_emulate *em);

/**
 * lodge_emulate_skip() - pass the decoded instruction: RIP, RF, single step, as after executing it
 */
void lodge_emulate_skip(struct lodge_emulate *em);

/**
 * lodge_emulate_skip_length() - length of a system instruction
 * @bytes: instruction bytes
 * @n: how many there are
 * @width: 2, 4 or 8, the code segment's default size
 * Return: the length; 0 when the bytes do not hold one of the known instructions whole.
 */
unsigned int lodge_emulate_skip_length(const u8 *bytes, unsigned int n, unsigned int width);

/**
 * lodge_emulate_skip_glance() - lodge_emulate_skip_length() of what exits most, in any code
 * @bytes: the first eight, little-endian
 * Return: the length of CPUID, RDMSR, WRMSR, VMMCALL and VMCALL without prefixes; of all else 0: look closer.
 */
static inline unsigned int lodge_emulate_skip_glance(u64 bytes)
{
	u16 two = bytes;

	if (two == 0xa20f || two == 0x320f || two == 0x300f)
		return 2;
	return (bytes & 0xffffff) == 0xd9010f || (bytes & 0xffffff) == 0xc1010f ? 3 : 0;
}

/* mmio.c: the glue to the vCPU */

/**
 * lodge_vcpu_emulate() - emulate the instruction at the vCPU's RIP
 * @vcpu: an exit asked for it; vcpu->fault describes a nested fault if that was the cause
 * Return: LODGE_EXIT_RESUME, LODGE_EXIT_USER with the run area filled, or -errno.
 * Context: may sleep; runs in the VMM's mm.
 */
int lodge_vcpu_emulate(struct lodge_vcpu *vcpu);

#endif
