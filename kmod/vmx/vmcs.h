/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fields of a VMCS by their encoding (SDM 3, appendix B) and the bits in them (chapters 25 and 28). Segment
 * fields exist once per register, two encodings apart, in the order of VMX_SEG_*.
 */
#ifndef LODGE_VMX_VMCS_H
#define LODGE_VMX_VMCS_H

#include <linux/const.h>
#include <linux/bits.h>

#define VMCS_HOST_RSP			0x6c14

#ifndef __ASSEMBLY__

/* 16 bits: control, guest, host */
#define VMCS_VPID			0x0000
#define VMCS_GUEST_SELECTOR		0x0800
#define VMCS_PML_INDEX			0x0812
#define VMCS_HOST_ES			0x0c00
#define VMCS_HOST_CS			0x0c02
#define VMCS_HOST_SS			0x0c04
#define VMCS_HOST_DS			0x0c06
#define VMCS_HOST_FS			0x0c08
#define VMCS_HOST_GS			0x0c0a
#define VMCS_HOST_TR			0x0c0c

/* 64 bits: control, what an exit tells, guest, host */
#define VMCS_MSR_BITMAP			0x2004
#define VMCS_PML_ADDRESS		0x200e
#define VMCS_TSC_OFFSET			0x2010
#define VMCS_VIRTUAL_APIC		0x2012
#define VMCS_EPT_POINTER		0x201a
#define VMCS_XSS_EXITING		0x202c
#define VMCS_TSC_MULTIPLIER		0x2032
#define VMCS_GPA			0x2400
#define VMCS_LINK_POINTER		0x2800
#define VMCS_GUEST_DEBUGCTL		0x2802
#define VMCS_GUEST_PAT			0x2804
#define VMCS_GUEST_EFER			0x2806
#define VMCS_GUEST_PDPTE(n)		(0x280a + 2 * (n))
#define VMCS_HOST_PAT			0x2c00
#define VMCS_HOST_EFER			0x2c02

/* 32 bits: control, what an exit tells, guest, host */
#define VMCS_PIN_CONTROLS		0x4000
#define VMCS_PROC_CONTROLS		0x4002
#define VMCS_EXCEPTIONS			0x4004
#define VMCS_CR3_TARGETS		0x400a
#define VMCS_EXIT_CONTROLS		0x400c
#define VMCS_EXIT_MSR_STORES		0x400e
#define VMCS_EXIT_MSR_LOADS		0x4010
#define VMCS_ENTRY_CONTROLS		0x4012
#define VMCS_ENTRY_MSR_LOADS		0x4014
#define VMCS_ENTRY_EVENT		0x4016
#define VMCS_ENTRY_EVENT_ERROR		0x4018
#define VMCS_TPR_THRESHOLD		0x401c
#define VMCS_PROC2_CONTROLS		0x401e
#define VMCS_PAUSE_GAP			0x4020
#define VMCS_PAUSE_WINDOW		0x4022
#define VMCS_INSN_ERROR			0x4400
#define VMCS_EXIT_REASON		0x4402
#define VMCS_EXIT_EVENT			0x4404
#define VMCS_EXIT_EVENT_ERROR		0x4406
#define VMCS_DELIVERY_EVENT		0x4408
#define VMCS_DELIVERY_ERROR		0x440a
#define VMCS_INSN_LENGTH		0x440c
#define VMCS_GUEST_LIMIT		0x4800
#define VMCS_GUEST_GDT_LIMIT		0x4810
#define VMCS_GUEST_IDT_LIMIT		0x4812
#define VMCS_GUEST_ATTRIBUTES		0x4814
#define VMCS_GUEST_SHADOW		0x4824		/* "interruptibility state" */
#define VMX_SHADOW_STI			BIT(0)
#define VMX_SHADOW_MOV_SS		BIT(1)
#define VMX_SHADOW_NMI			BIT(3)
#define VMCS_GUEST_ACTIVITY		0x4826
#define VMCS_GUEST_SYSENTER_CS		0x482a
#define VMCS_HOST_SYSENTER_CS		0x4c00

/* natural width: control, what an exit tells, guest, host */
#define VMCS_CR0_MASK			0x6000
#define VMCS_CR4_MASK			0x6002
#define VMCS_CR0_SHADOW			0x6004
#define VMCS_CR4_SHADOW			0x6006
#define VMCS_QUALIFICATION		0x6400
#define VMCS_LINEAR_ADDRESS		0x640a
#define VMCS_GUEST_CR0			0x6800
#define VMCS_GUEST_CR3			0x6802
#define VMCS_GUEST_CR4			0x6804
#define VMCS_GUEST_BASE			0x6806
#define VMCS_GUEST_GDT_BASE		0x6816
#define VMCS_GUEST_IDT_BASE		0x6818
#define VMCS_GUEST_DR7			0x681a
#define VMCS_GUEST_RSP			0x681c
#define VMCS_GUEST_RIP			0x681e
#define VMCS_GUEST_RFLAGS		0x6820
#define VMCS_GUEST_PENDING_DEBUG	0x6822
#define VMX_PENDING_BS			BIT(14)
#define VMCS_GUEST_SYSENTER_ESP		0x6824
#define VMCS_GUEST_SYSENTER_EIP		0x6826
#define VMCS_HOST_CR0			0x6c00
#define VMCS_HOST_CR3			0x6c02
#define VMCS_HOST_CR4			0x6c04
#define VMCS_HOST_FS_BASE		0x6c06
#define VMCS_HOST_GS_BASE		0x6c08
#define VMCS_HOST_TR_BASE		0x6c0a
#define VMCS_HOST_GDT_BASE		0x6c0c
#define VMCS_HOST_IDT_BASE		0x6c0e
#define VMCS_HOST_SYSENTER_ESP		0x6c10
#define VMCS_HOST_SYSENTER_EIP		0x6c12
#define VMCS_HOST_RIP			0x6c16

/* The order of the segment fields. */
enum vmx_segment { VMX_SEG_ES, VMX_SEG_CS, VMX_SEG_SS, VMX_SEG_DS, VMX_SEG_FS, VMX_SEG_GS, VMX_SEG_LDTR, VMX_SEG_TR,
		   VMX_NR_SEGMENTS };

/* Attributes: SDM 3, table 25-2. */
#define VMX_ATTR_TYPE			GENMASK(3, 0)
#define VMX_ATTR_ACCESSED		BIT(0)
#define VMX_ATTR_S			BIT(4)
#define VMX_ATTR_DPL_SHIFT		5
#define VMX_ATTR_P			BIT(7)
#define VMX_ATTR_AVL			BIT(12)
#define VMX_ATTR_L			BIT(13)
#define VMX_ATTR_DB			BIT(14)
#define VMX_ATTR_G			BIT(15)
#define VMX_ATTR_UNUSABLE		BIT(16)

/* Pin-based controls: SDM 3, 25.6.1. */
#define VMX_PIN_INTERRUPT		BIT(0)
#define VMX_PIN_NMI			BIT(3)
#define VMX_PIN_VIRTUAL_NMIS		BIT(5)

/* Processor-based controls: SDM 3, 25.6.2. */
#define VMX_PROC_INTERRUPT_WINDOW	BIT(2)
#define VMX_PROC_TSC_OFFSET		BIT(3)
#define VMX_PROC_HLT			BIT(7)
#define VMX_PROC_MWAIT			BIT(10)
#define VMX_PROC_RDPMC			BIT(11)
#define VMX_PROC_RDTSC			BIT(12)		/* RDTSCP too */
#define VMX_PROC_CR3_LOAD		BIT(15)
#define VMX_PROC_CR3_STORE		BIT(16)
#define VMX_PROC_CR8_LOAD		BIT(19)
#define VMX_PROC_TPR_SHADOW		BIT(21)
#define VMX_PROC_NMI_WINDOW		BIT(22)
#define VMX_PROC_MOV_DR			BIT(23)
#define VMX_PROC_PORTS			BIT(24)
#define VMX_PROC_MSR_BITMAP		BIT(28)
#define VMX_PROC_MONITOR		BIT(29)
#define VMX_PROC_SECONDARY		BIT(31)

#define VMX_APIC_TPR			0x80	/* in the virtual-APIC page */

/* Secondary processor-based controls. */
#define VMX_PROC2_EPT			BIT(1)
#define VMX_PROC2_RDTSCP		BIT(3)
#define VMX_PROC2_VPID			BIT(5)
#define VMX_PROC2_WBINVD		BIT(6)
#define VMX_PROC2_UNRESTRICTED		BIT(7)
#define VMX_PROC2_PAUSE_LOOP		BIT(10)
#define VMX_PROC2_INVPCID		BIT(12)
#define VMX_PROC2_PML			BIT(17)
#define VMX_PROC2_XSAVES		BIT(20)
#define VMX_PROC2_TSC_SCALING		BIT(25)

/* VM-exit controls: SDM 3, 25.7.1. */
#define VMX_EXIT_SAVE_DEBUG		BIT(2)
#define VMX_EXIT_HOST_64		BIT(9)
#define VMX_EXIT_LOAD_PAT		BIT(19)
#define VMX_EXIT_LOAD_EFER		BIT(21)

/* VM-entry controls: SDM 3, 25.8.1. */
#define VMX_ENTRY_LOAD_DEBUG		BIT(2)
#define VMX_ENTRY_LONG_MODE		BIT(9)
#define VMX_ENTRY_LOAD_PAT		BIT(14)
#define VMX_ENTRY_LOAD_EFER		BIT(15)

/* An event, in VMCS_ENTRY_EVENT, VMCS_EXIT_EVENT and VMCS_DELIVERY_EVENT: SDM 3, 25.8.3. */
#define VMX_EVENT_VECTOR		GENMASK(7, 0)
#define VMX_EVENT_TYPE			GENMASK(10, 8)
#define VMX_EVENT_INTERRUPT		(0 << 8)
#define VMX_EVENT_NMI			(2 << 8)
#define VMX_EVENT_EXCEPTION		(3 << 8)
#define VMX_EVENT_INT1			(5 << 8)
#define VMX_EVENT_HAS_ERROR		BIT(11)
#define VMX_EVENT_NMI_UNBLOCKED		BIT(12)		/* by IRET, before it faulted */
#define VMX_EVENT_VALID			BIT(31)

/* Exit reasons: SDM 3, appendix C. */
#define VMX_REASON_ENTRY_FAILED		BIT(31)
#define VMX_REASON_ENTRY_REFUSED	BIT(30)	/* lodge's own: the instruction failed, its error number is below */
enum vmx_reason {
	VMX_REASON_EXCEPTION		= 0,
	VMX_REASON_INTERRUPT		= 1,
	VMX_REASON_TRIPLE_FAULT		= 2,
	VMX_REASON_INIT			= 3,
	VMX_REASON_INTERRUPT_WINDOW	= 7,
	VMX_REASON_NMI_WINDOW		= 8,
	VMX_REASON_TASK_SWITCH		= 9,
	VMX_REASON_CPUID		= 10,
	VMX_REASON_GETSEC		= 11,
	VMX_REASON_HLT			= 12,
	VMX_REASON_INVD			= 13,
	VMX_REASON_RDPMC		= 15,
	VMX_REASON_RDTSC		= 16,
	VMX_REASON_VMCALL		= 18,
	VMX_REASON_VMCLEAR		= 19,
	VMX_REASON_VMXON		= 27,
	VMX_REASON_CR			= 28,
	VMX_REASON_DR			= 29,
	VMX_REASON_PORT			= 30,
	VMX_REASON_RDMSR		= 31,
	VMX_REASON_WRMSR		= 32,
	VMX_REASON_MWAIT		= 36,
	VMX_REASON_MONITOR		= 39,
	VMX_REASON_PAUSE		= 40,
	VMX_REASON_ENTRY_MACHINE_CHECK	= 41,
	VMX_REASON_TPR			= 43,
	VMX_REASON_EPT_VIOLATION	= 48,
	VMX_REASON_EPT_MISCONFIG	= 49,
	VMX_REASON_INVEPT		= 50,
	VMX_REASON_RDTSCP		= 51,
	VMX_REASON_INVVPID		= 53,
	VMX_REASON_WBINVD		= 54,
	VMX_REASON_XSETBV		= 55,
	VMX_REASON_VMFUNC		= 59,
	VMX_REASON_PML_FULL		= 62,
};

/* Qualification of a port access: SDM 3, table 28-5. */
#define VMX_PORT_SIZE			GENMASK(2, 0)	/* less one */
#define VMX_PORT_IN			BIT(3)
#define VMX_PORT_STRING			BIT(4)
#define VMX_PORT_NUMBER_SHIFT		16

/* Qualification of an EPT violation: SDM 3, table 28-7. */
#define VMX_EPT_WRITE			BIT(1)
#define VMX_EPT_FETCH			BIT(2)
#define VMX_EPT_LINEAR_VALID		BIT(7)
#define VMX_EPT_FINAL			BIT(8)		/* the access itself, not the walk to it */
#define VMX_EPT_NMI_UNBLOCKED		BIT(12)		/* of a full log too */

/* Qualification of a debug exception: SDM 3, table 28-1. */
#define VMX_DEBUG_TRAPS			GENMASK(3, 0)
#define VMX_DEBUG_BD			BIT(13)
#define VMX_DEBUG_BS			BIT(14)

/* The EPT pointer: SDM 3, table 25-9. */
#define VMX_EPTP_WRITE_BACK		6
#define VMX_EPTP_LEVELS_SHIFT		3
#define VMX_EPTP_ACCESSED_DIRTY		BIT(6)

/* IA32_VMX_EPT_VPID_CAP: SDM 3, appendix A.10. */
#define VMX_CAP_EPT_4_LEVELS		BIT_ULL(6)
#define VMX_CAP_EPT_WRITE_BACK		BIT_ULL(14)
#define VMX_CAP_EPT_2M			BIT_ULL(16)
#define VMX_CAP_EPT_1G			BIT_ULL(17)
#define VMX_CAP_INVEPT			BIT_ULL(20)
#define VMX_CAP_EPT_ACCESSED_DIRTY	BIT_ULL(21)
#define VMX_CAP_INVEPT_CONTEXT		BIT_ULL(25)
#define VMX_CAP_INVEPT_ALL		BIT_ULL(26)
#define VMX_CAP_INVVPID			BIT_ULL(32)
#define VMX_CAP_INVVPID_ALL		BIT_ULL(42)

/* Operands of INVEPT and INVVPID: SDM 3, chapter 31. */
#define VMX_INVEPT_CONTEXT		1
#define VMX_INVEPT_ALL			2
#define VMX_INVVPID_ALL			2

#endif /* __ASSEMBLY__ */
#endif
