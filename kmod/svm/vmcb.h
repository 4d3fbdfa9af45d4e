/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCB as the hardware reads it: APM 2, appendix B. Bits stand under the field that holds them.
 */
#ifndef LODGE_SVM_VMCB_H
#define LODGE_SVM_VMCB_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

struct svm_segment {
	u16 selector;
	u16 attrib;
#define SVM_SEG_TYPE		GENMASK(3, 0)
#define SVM_SEG_S		BIT(4)
#define SVM_SEG_DPL_SHIFT	5
#define SVM_SEG_P		BIT(7)
#define SVM_SEG_AVL		BIT(8)
#define SVM_SEG_L		BIT(9)
#define SVM_SEG_DB		BIT(10)
#define SVM_SEG_G		BIT(11)
	u32 limit;
	u64 base;
};

struct vmcb_control {
	u16 cr_read;			/* one bit a register */
	u16 cr_write;
	u16 dr_read;
	u16 dr_write;
	u32 exceptions;
	u32 misc1;
#define SVM_INTERCEPT_INTR	BIT(0)
#define SVM_INTERCEPT_NMI	BIT(1)
#define SVM_INTERCEPT_SMI	BIT(2)
#define SVM_INTERCEPT_INIT	BIT(3)
#define SVM_INTERCEPT_VINTR	BIT(4)
#define SVM_INTERCEPT_CR0_SEL	BIT(5)
#define SVM_INTERCEPT_RDTSC	BIT(14)
#define SVM_INTERCEPT_RDPMC	BIT(15)
#define SVM_INTERCEPT_CPUID	BIT(18)
#define SVM_INTERCEPT_IRET	BIT(20)
#define SVM_INTERCEPT_INTN	BIT(21)
#define SVM_INTERCEPT_INVD	BIT(22)
#define SVM_INTERCEPT_PAUSE	BIT(23)
#define SVM_INTERCEPT_HLT	BIT(24)
#define SVM_INTERCEPT_INVLPGA	BIT(26)
#define SVM_INTERCEPT_IOIO	BIT(27)
#define SVM_INTERCEPT_MSR	BIT(28)
#define SVM_INTERCEPT_SHUTDOWN	BIT(31)
	u32 misc2;
#define SVM_INTERCEPT_VMRUN	BIT(0)
#define SVM_INTERCEPT_VMMCALL	BIT(1)
#define SVM_INTERCEPT_VMLOAD	BIT(2)
#define SVM_INTERCEPT_VMSAVE	BIT(3)
#define SVM_INTERCEPT_STGI	BIT(4)
#define SVM_INTERCEPT_CLGI	BIT(5)
#define SVM_INTERCEPT_SKINIT	BIT(6)
#define SVM_INTERCEPT_RDTSCP	BIT(7)
#define SVM_INTERCEPT_ICEBP	BIT(8)
#define SVM_INTERCEPT_WBINVD	BIT(9)
#define SVM_INTERCEPT_MONITOR	BIT(10)
#define SVM_INTERCEPT_MWAIT	BIT(11)
#define SVM_INTERCEPT_XSETBV	BIT(13)
#define SVM_INTERCEPT_RDPRU	BIT(14)
	u32 misc3;
	u8 reserved_018[0x03c - 0x018];
	u16 pause_filter_threshold;
	u16 pause_filter_count;
	u64 iopm_base_pa;
	u64 msrpm_base_pa;
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control;
#define SVM_TLB_KEEP		0
#define SVM_TLB_FLUSH_ALL	1
#define SVM_TLB_FLUSH_ASID	3
	u8 reserved_05d[3];
	u32 int_ctl;
#define SVM_V_TPR		GENMASK(3, 0)
#define SVM_V_IRQ		BIT(8)
#define SVM_V_INTR_PRIO_SHIFT	16
#define SVM_V_IGN_TPR		BIT(20)
#define SVM_V_INTR_MASKING	BIT(24)
	u32 int_vector;
	u32 int_state;
#define SVM_INT_SHADOW		BIT(0)
	u32 reserved_06c;
	u64 exit_code;
	u64 exit_info_1;
	u64 exit_info_2;
	u32 exit_int_info;		/* the same layout as event_inj */
	u32 exit_int_error;
	u64 nested_ctl;
#define SVM_NESTED_PAGING	BIT(0)
	u8 reserved_098[0x0a8 - 0x098];
	u32 event_inj;
#define SVM_EVENT_VECTOR	GENMASK(7, 0)
#define SVM_EVENT_TYPE		GENMASK(10, 8)
#define SVM_EVENT_TYPE_INTR	(0 << 8)
#define SVM_EVENT_TYPE_NMI	(2 << 8)
#define SVM_EVENT_TYPE_EXCEPT	(3 << 8)
#define SVM_EVENT_TYPE_SOFT	(4 << 8)
#define SVM_EVENT_HAS_ERROR	BIT(11)
#define SVM_EVENT_VALID		BIT(31)
	u32 event_inj_error;
	u64 nested_cr3;
	u64 virt_ext;
	u32 clean;
#define SVM_CLEAN_INTERCEPTS	BIT(0)	/* intercepts, TSC offset, pause filter */
#define SVM_CLEAN_PERM_MAPS	BIT(1)
#define SVM_CLEAN_ASID		BIT(2)
#define SVM_CLEAN_INTR		BIT(3)	/* int_ctl, int_vector, int_state */
#define SVM_CLEAN_NPT		BIT(4)	/* nested_cr3, g_pat */
#define SVM_CLEAN_CR		BIT(5)	/* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DR		BIT(6)
#define SVM_CLEAN_DT		BIT(7)	/* GDT, IDT */
#define SVM_CLEAN_SEG		BIT(8)	/* CS, DS, SS, ES, CPL */
#define SVM_CLEAN_CR2		BIT(9)
#define SVM_CLEAN_LBR		BIT(10)
	u32 reserved_0c4;
	u64 next_rip;
	u8 insn_len;
	u8 insn_bytes[15];
	u8 reserved_0e0[0x400 - 0x0e0];
} __packed;

struct vmcb_save {
	struct svm_segment es, cs, ss, ds, fs, gs;
	struct svm_segment gdtr, ldtr, idtr, tr;
	u8 reserved_0a0[0x0cb - 0x0a0];
	u8 cpl;
	u32 reserved_0cc;
	u64 efer;
	u8 reserved_0d8[0x148 - 0x0d8];
	u64 cr4;
	u64 cr3;
	u64 cr0;
	u64 dr7;
	u64 dr6;
	u64 rflags;
	u64 rip;
	u8 reserved_180[0x1d8 - 0x180];
	u64 rsp;
	u8 reserved_1e0[0x1f8 - 0x1e0];
	u64 rax;
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 sfmask;
	u64 kernel_gs_base;
	u64 sysenter_cs;
	u64 sysenter_esp;
	u64 sysenter_eip;
	u64 cr2;
	u8 reserved_248[0x268 - 0x248];
	u64 g_pat;
	u64 dbgctl;
	u64 br_from, br_to, last_excp_from, last_excp_to;
	u8 reserved_298[0x2e0 - 0x298];
	u64 spec_ctrl;
	u8 reserved_2e8[0xc00 - 0x2e8];
} __packed;

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
} __packed;

static_assert(sizeof(struct svm_segment) == 16);
static_assert(sizeof(struct vmcb) == 4096);
static_assert(offsetof(struct vmcb, control.asid) == 0x058);
static_assert(offsetof(struct vmcb, control.exit_code) == 0x070);
static_assert(offsetof(struct vmcb, control.event_inj) == 0x0a8);
static_assert(offsetof(struct vmcb, control.next_rip) == 0x0c8);
static_assert(offsetof(struct vmcb, save) == 0x400);
static_assert(offsetof(struct vmcb, save.cpl) == 0x4cb);
static_assert(offsetof(struct vmcb, save.cr4) == 0x548);
static_assert(offsetof(struct vmcb, save.rip) == 0x578);
static_assert(offsetof(struct vmcb, save.rsp) == 0x5d8);
static_assert(offsetof(struct vmcb, save.rax) == 0x5f8);
static_assert(offsetof(struct vmcb, save.cr2) == 0x640);
static_assert(offsetof(struct vmcb, save.g_pat) == 0x668);
static_assert(offsetof(struct vmcb, save.spec_ctrl) == 0x6e0);

/* Exit codes: APM 2, appendix C. */
enum svm_exit {
	SVM_EXIT_READ_CR0	= 0x000,
	SVM_EXIT_WRITE_CR0	= 0x010,
	SVM_EXIT_WRITE_CR15	= 0x01f,
	SVM_EXIT_READ_DR0	= 0x020,
	SVM_EXIT_WRITE_DR15	= 0x03f,
	SVM_EXIT_EXCP_BASE	= 0x040,
	SVM_EXIT_EXCP_LAST	= 0x05f,
	SVM_EXIT_INTR		= 0x060,
	SVM_EXIT_NMI		= 0x061,
	SVM_EXIT_SMI		= 0x062,
	SVM_EXIT_INIT		= 0x063,
	SVM_EXIT_VINTR		= 0x064,
	SVM_EXIT_CR0_SEL_WRITE	= 0x065,
	SVM_EXIT_RDTSC		= 0x06e,
	SVM_EXIT_RDPMC		= 0x06f,
	SVM_EXIT_CPUID		= 0x072,
	SVM_EXIT_IRET		= 0x074,
	SVM_EXIT_INVD		= 0x076,
	SVM_EXIT_PAUSE		= 0x077,
	SVM_EXIT_HLT		= 0x078,
	SVM_EXIT_INVLPGA	= 0x07a,
	SVM_EXIT_IOIO		= 0x07b,
	SVM_EXIT_MSR		= 0x07c,
	SVM_EXIT_SHUTDOWN	= 0x07f,
	SVM_EXIT_VMRUN		= 0x080,
	SVM_EXIT_VMMCALL	= 0x081,
	SVM_EXIT_VMLOAD		= 0x082,
	SVM_EXIT_VMSAVE		= 0x083,
	SVM_EXIT_STGI		= 0x084,
	SVM_EXIT_CLGI		= 0x085,
	SVM_EXIT_SKINIT		= 0x086,
	SVM_EXIT_RDTSCP		= 0x087,
	SVM_EXIT_WBINVD		= 0x089,
	SVM_EXIT_MONITOR	= 0x08a,
	SVM_EXIT_MWAIT		= 0x08b,
	SVM_EXIT_XSETBV		= 0x08d,
	SVM_EXIT_RDPRU		= 0x08e,
	SVM_EXIT_NPF		= 0x400,
};
#define SVM_EXIT_INVALID	(~0ULL)

/* EXITINFO1 of IOIO: APM 2, 15.10.2 */
#define SVM_IOIO_IN		BIT(0)
#define SVM_IOIO_STR		BIT(2)
#define SVM_IOIO_REP		BIT(3)
#define SVM_IOIO_SIZE_SHIFT	4
#define SVM_IOIO_SIZE_MASK	7
#define SVM_IOIO_PORT_SHIFT	16

/* EXITINFO1 of a nested page fault: APM 2, 15.25.6 */
#define SVM_NPF_PRESENT		BIT_ULL(0)
#define SVM_NPF_WRITE		BIT_ULL(1)
#define SVM_NPF_RESERVED	BIT_ULL(3)
#define SVM_NPF_FETCH		BIT_ULL(4)
#define SVM_NPF_FINAL		BIT_ULL(32)	/* on the final GPA, not on a table of the guest's */

#endif
