// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rest of lodge, as far as the interrupt controllers see it: vCPUs that remember their requests, CPUID's two
 * features, a TSC, a code segment. One thread, no locks.
 */
#include "irqchip-host.h"

#include <linux/bitops.h>
#include <linux/ktime.h>
#include <asm/cpufeature.h>

#include "backend.h"
#include "clock.h"
#include "cpuid.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"

bool unit_guest_x2apic, unit_guest_deadline;
u32 unit_tsc_khz = 1000000;
unsigned int unit_vcpu_resets;

static struct kvm_segment code_segment;

static void unit_get_segment(struct lodge_vcpu *vcpu, enum lodge_segment segment, struct kvm_segment *out)
{
	*out = code_segment;
}

static void unit_set_segment(struct lodge_vcpu *vcpu, enum lodge_segment segment, const struct kvm_segment *in)
{
	code_segment = *in;
}

void (*unit_static_call_lodge_op_get_segment)(struct lodge_vcpu *vcpu, enum lodge_segment segment,
					      struct kvm_segment *out) = unit_get_segment;
void (*unit_static_call_lodge_op_set_segment)(struct lodge_vcpu *vcpu, enum lodge_segment segment,
					      const struct kvm_segment *in) = unit_set_segment;

void lodge_vcpu_request(struct lodge_vcpu *vcpu, enum lodge_request request)
{
	set_bit(request, &vcpu->requests);
}

void lodge_vcpu_nmi(struct lodge_vcpu *vcpu)
{
	atomic_inc(&vcpu->nmi_queued);
	lodge_vcpu_request(vcpu, LODGE_REQ_NMI);
}

void lodge_vcpu_reset(struct lodge_vcpu *vcpu, bool init)
{
	unit_vcpu_resets++;
	lodge_lapic_reset(vcpu, init);
}

bool lodge_guest_has(const struct lodge_vcpu *vcpu, unsigned int x86_feature)
{
	return x86_feature == X86_FEATURE_X2APIC ? unit_guest_x2apic : unit_guest_deadline;
}

u8 lodge_guest_maxphyaddr(const struct lodge_vcpu *vcpu)
{
	return 40;
}

/* No unit's machine has memory. */
bool lodge_gpa_is_ram(struct lodge_vm *vm, gpa_t gpa, bool write)
{
	return false;
}

u64 lodge_tsc_read(struct lodge_vcpu *vcpu)
{
	return (unsigned __int128)ktime_get_ns() * unit_tsc_khz / NSEC_PER_MSEC;
}

u32 lodge_tsc_khz(struct lodge_vcpu *vcpu)
{
	return unit_tsc_khz;
}
