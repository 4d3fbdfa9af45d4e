/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before everything else when the kernel tree's own KVM selftests are
 * built: what the sources of Linux 6.1 use but do not define. Those sources stay
 * as they are. No locks; not for any program of lodge.
 */

#ifndef PEERS_SELFTESTS_FORCED_H
#define PEERS_SELFTESTS_FORCED_H

#ifndef __ASSEMBLER__

/* __DECLARE_FLEX_ARRAY, which asm/kvm.h uses without including its header. */
#include <linux/stddef.h>

/* A back-ported test calls its assertion by the name of later kernels. */
#define TEST_ASSERT_EQ(a, b)	ASSERT_EQ(a, b)

#endif

#endif
