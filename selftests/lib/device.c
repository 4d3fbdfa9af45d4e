// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device made of memory for tests of MMIO.
 * Locking: none; the vCPU's thread owns the device.
 */
#include "device.h"

static void device_access(struct vcpu *vcpu, struct device *dev,
			  const char *file, int line)
{
	struct kvm_run *run = vcpu->run;
	u64 offset = run->mmio.phys_addr - DEVICE_BASE;
	u32 len = run->mmio.len;

	if (offset >= DEVICE_SIZE || len < 1 || len > 8 || offset + len > DEVICE_SIZE) {
		exit_diag(vcpu);
		ktap_fail(file, line, "MMIO outside of the device");
	}
	if (dev->nr < DEVICE_LOG)
		dev->log[dev->nr++] = (struct device_access){
			run->mmio.phys_addr, len, run->mmio.is_write };
	if (run->mmio.is_write)
		memcpy(dev->data + offset, run->mmio.data, len);
	else
		memcpy(run->mmio.data, dev->data + offset, len);
}

u64 device_run(struct vcpu *vcpu, struct device *dev, const char *file, int line)
{
	for (;;) {
		long r = run_try(vcpu);

		if (r) {
			exit_diag(vcpu);
			ktap_fail(file, line, "KVM_RUN gave %s", errno_name(r));
		}
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			return ucall_check(vcpu, file, line);
		device_access(vcpu, dev, file, line);
	}
}

void device_expect(struct device *dev, const struct device_access *want,
		   unsigned int nr, const char *file, int line)
{
	unsigned int i;

	for (i = 0; i < dev->nr || i < nr; i++) {
		const struct device_access *g = &dev->log[i], *w = &want[i];

		if (i < dev->nr && i < nr && g->gpa == w->gpa && g->len == w->len &&
		    g->write == w->write)
			continue;
		for (i = 0; i < dev->nr; i++)
			ktap_diag("seen: %s +0x%llx len %u", dev->log[i].write ? "write" : "read",
				  (unsigned long long)(dev->log[i].gpa - DEVICE_BASE),
				  dev->log[i].len);
		for (i = 0; i < nr; i++)
			ktap_diag("expected: %s +0x%llx len %u", want[i].write ? "write" : "read",
				  (unsigned long long)(want[i].gpa - DEVICE_BASE), want[i].len);
		ktap_fail(file, line, "the device saw other accesses");
	}
	dev->nr = 0;
}
