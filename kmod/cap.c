// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capabilities: one row each, with the value that KVM returns. A row is here only when all that the capability
 * promises works. Values that depend on the host are in the switch below. What a VM can have switched on is
 * lodge_cap_enable(), under vm->lock; but for that: constant data, no locks.
 */
#include "cap.h"

#include <linux/cpumask.h>
#include <asm/cpufeature.h>

#include "fpu.h"
#include "mce.h"
#include "mmu/mmu.h"
#include "regs.h"
#include "steal.h"
#include "tsc_rate.h"

#define CAP_NR_ROUTES		4096	/* GSIs that a routing table may name */
#define CAP_COALESCED_PAGE	2	/* of a vCPU's mapping */
#define CAP_QUIRKS		(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_CD_NW_CLEARED | \
				 KVM_X86_QUIRK_LAPIC_MMIO_HOLE | KVM_X86_QUIRK_OUT_7E_INC_RIP | \
				 KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | KVM_X86_QUIRK_FIX_HYPERCALL_INSN | \
				 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)
#define CAP_EXITS		(KVM_X86_DISABLE_EXITS_MWAIT | KVM_X86_DISABLE_EXITS_HLT | \
				 KVM_X86_DISABLE_EXITS_PAUSE | KVM_X86_DISABLE_EXITS_CSTATE)
#define CAP_X2APIC_API		(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
#define CAP_MSR_EXIT_REASONS	(KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)

static const struct {
	u32 cap;
	int value;
} caps[] = {
	/* memory */
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_USER_MEMORY2, 1 },
	{ KVM_CAP_NR_MEMSLOTS, LODGE_MAX_MEMSLOTS },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },
	{ KVM_CAP_DIRTY_LOG_RING, LODGE_DIRTY_RING_BYTES },
	{ KVM_CAP_DIRTY_LOG_RING_ACQ_REL, LODGE_DIRTY_RING_BYTES },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_COALESCED_MMIO, CAP_COALESCED_PAGE },
	{ KVM_CAP_COALESCED_PIO, 1 },
	/* vCPUs */
	{ KVM_CAP_MAX_VCPUS, LODGE_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, LODGE_MAX_VCPU_ID },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_SET_BOOT_CPU_ID, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_LAST_CPU, 1 },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, LODGE_GUESTDBG_VALID },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	/* their state */
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_EXCEPTION_PAYLOAD, 1 },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
	{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_VALID_FIELDS },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_MCE, LODGE_MAX_MCE_BANKS },
	{ KVM_CAP_MSR_PLATFORM_INFO, 1 },
	{ KVM_CAP_X86_USER_SPACE_MSR, 1 },
	{ KVM_CAP_X86_MSR_FILTER, 1 },
	/* interrupts */
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_IOAPIC_POLARITY_IGNORED, 1 },
	{ KVM_CAP_IRQ_ROUTING, CAP_NR_ROUTES },
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_X2APIC_API, CAP_X2APIC_API },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_REINJECT_CONTROL, 1 },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	/* time */
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_ASYNC_PF, 1 },
	{ KVM_CAP_ASYNC_PF_INT, 1 },
	{ KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	/* the interface itself */
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_SYS_ATTRIBUTES, 1 },
	{ KVM_CAP_BINARY_STATS_FD, 1 },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, CAP_QUIRKS },
	{ KVM_CAP_ENABLE_CAP, 1 },
};

/* A guest may wait in MWAIT where that wakes as it should and keeps its timer going. */
static int cap_disable_exits(void)
{
	int exits = KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE | KVM_X86_DISABLE_EXITS_CSTATE;

	if (boot_cpu_has(X86_FEATURE_MWAIT) && boot_cpu_has(X86_FEATURE_ARAT) && !boot_cpu_has_bug(X86_BUG_MONITOR))
		exits |= KVM_X86_DISABLE_EXITS_MWAIT;
	return exits;
}

int lodge_cap_check(struct lodge_vm *vm, u32 cap)
{
	unsigned int i;

	switch (cap) {
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), LODGE_MAX_VCPUS);
	case KVM_CAP_STEAL_TIME:
		return lodge_steal_time_offered();
	case KVM_CAP_X86_DISABLE_EXITS:
		return cap_disable_exits();
	case KVM_CAP_TSC_CONTROL:
	case KVM_CAP_VM_TSC_CONTROL:
		return lodge_tsc_format.scales;
	case KVM_CAP_XSAVE2:
		return lodge_fpu_xsave_size();
	}
	for (i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].cap == cap)
			return caps[i].value;
	return 0;
}

int lodge_cap_enable(struct lodge_vm *vm, const struct kvm_enable_cap *cap)
{
	lockdep_assert_held(&vm->lock);
	switch (cap->cap) {
	case KVM_CAP_DISABLE_QUIRKS2:
		if (cap->args[0] & ~(u64)CAP_QUIRKS)
			return -EINVAL;
		fallthrough;
	case KVM_CAP_DISABLE_QUIRKS:
		WRITE_ONCE(vm->disabled_quirks, cap->args[0]);
		return 0;
	case KVM_CAP_X86_DISABLE_EXITS:
		if ((cap->args[0] & ~(u64)CAP_EXITS) || vm->nr_vcpus)
			return -EINVAL;
		vm->disabled_exits |= cap->args[0] & cap_disable_exits();
		return 0;
	case KVM_CAP_MSR_PLATFORM_INFO:
		WRITE_ONCE(vm->platform_info_hidden, !cap->args[0]);
		return 0;
	case KVM_CAP_X2APIC_API:
		if (cap->args[0] & ~(u64)CAP_X2APIC_API)
			return -EINVAL;
		/* What is on stays on. */
		if (cap->args[0] & KVM_X2APIC_API_USE_32BIT_IDS)
			WRITE_ONCE(vm->x2apic_ids32, true);
		if (cap->args[0] & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
			WRITE_ONCE(vm->x2apic_broadcasts32, true);
		return 0;
	case KVM_CAP_X86_USER_SPACE_MSR:
		if (cap->args[0] & ~(u64)CAP_MSR_EXIT_REASONS)
			return -EINVAL;
		WRITE_ONCE(vm->user_msr_exits, cap->args[0]);
		return 0;
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		if (cap->args[0] & ~1ULL)
			return -EINVAL;
		WRITE_ONCE(vm->emulation_failure_exits, cap->args[0]);
		return 0;
	case KVM_CAP_EXCEPTION_PAYLOAD:
		WRITE_ONCE(vm->exception_payload, cap->args[0]);
		return 0;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		WRITE_ONCE(vm->triple_fault_event, cap->args[0]);
		return 0;
	default:
		return -EINVAL;
	}
}
