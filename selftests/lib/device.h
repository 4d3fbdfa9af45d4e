/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device made of memory for tests of MMIO: it answers every exit in its
 * range from an array and keeps a log of the accesses.
 */
#ifndef LODGE_SELFTEST_DEVICE_H
#define LODGE_SELFTEST_DEVICE_H

#include "vm.h"

#define DEVICE_BASE	VM_MMIO_BASE
#define DEVICE_SIZE	(4 * PAGE_SIZE)
#define DEVICE_LOG	4096

struct device_access {
	u64 gpa;
	u32 len;
	bool write;
};

struct device {
	u8 data[DEVICE_SIZE];
	struct device_access log[DEVICE_LOG];
	unsigned int nr;
};

/** device_run - run, answering MMIO, until the guest speaks; UCALL_* */
u64 device_run(struct vcpu *vcpu, struct device *dev, const char *file, int line);
#define DEVICE_SYNC(vcpu, dev, val)					\
	do {								\
		CHECK_EQ(device_run(vcpu, dev, __FILE__, __LINE__), UCALL_SYNC); \
		CHECK_EQ((vcpu)->cpu->uc.args[0], val);			\
	} while (0)
#define DEVICE_DONE(vcpu, dev) \
	CHECK_EQ(device_run(vcpu, dev, __FILE__, __LINE__), UCALL_DONE)

/** device_expect - the log holds exactly these accesses; then empty it */
void device_expect(struct device *dev, const struct device_access *want,
		   unsigned int nr, const char *file, int line);
#define DEVICE_EXPECT(dev, ...)						\
	do {								\
		static const struct device_access want_[] = { __VA_ARGS__ }; \
		device_expect(dev, want_, ARRAY_SIZE(want_), __FILE__, __LINE__); \
	} while (0)
#define DEV_R(offset, len)	{ DEVICE_BASE + (offset), len, false }
#define DEV_W(offset, len)	{ DEVICE_BASE + (offset), len, true }

#endif
