/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM's ABI, from the system's headers. */
#ifndef UNIT_KVM_H
#define UNIT_KVM_H

#include <linux/types.h>

#ifndef __aligned_u64
#define __aligned_u64	__u64 __attribute__((aligned(8)))
#endif

#include_next <linux/kvm.h>

#endif
