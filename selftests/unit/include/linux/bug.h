/* SPDX-License-Identifier: GPL-2.0-only */
/* A warning in a unit test is a failure: the process ends. */
#ifndef UNIT_BUG_H
#define UNIT_BUG_H

#include <stdio.h>
#include <stdlib.h>

#include <linux/build_bug.h>
#include <linux/compiler.h>

#define WARN_ON_ONCE(cond) ({						\
	bool _bad = !!(cond);						\
	if (unlikely(_bad)) {						\
		printf("# %s:%d: warning: %s\n", __FILE__, __LINE__, #cond);	\
		fflush(stdout);						\
		abort();						\
	}								\
	_bad;								\
})
#define WARN_ON(cond)	WARN_ON_ONCE(cond)

#endif
