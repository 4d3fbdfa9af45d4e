/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for the tool's unit tests: one case a line, a plan at the end.
 */
#ifndef LODGE_TESTS_KTAP_H
#define LODGE_TESTS_KTAP_H

#include <stdbool.h>
#include <stdio.h>

static int ktap_cases, ktap_failures;

/** ktap_begin() - print the version line */
static inline void ktap_begin(void)
{
	puts("KTAP version 1");
}

/** ktap_case() - one result */
static inline void ktap_case(bool good, const char *name)
{
	ktap_cases++;
	ktap_failures += !good;
	printf("%s %d %s\n", good ? "ok" : "not ok", ktap_cases, name);
}

/** ktap_end() - print the plan; return the exit status */
static inline int ktap_end(void)
{
	printf("1..%d\n", ktap_cases);
	return ktap_failures != 0;
}

#endif
