/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for the behaviour tests: a test program is a table of cases, each case
 * runs in a process of its own with a time limit, and a failed check ends that
 * case alone. Nothing here knows about virtual machines.
 * Locking: none; the parent only waits while a case runs.
 */
#ifndef LODGE_SELFTEST_KTAP_H
#define LODGE_SELFTEST_KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1ull << (n))

/* Exit statuses of a test program, kselftest's own numbers. */
#define KTAP_PASS	0
#define KTAP_FAIL	1
#define KTAP_SKIP	4

/**
 * struct test - one case of a test program
 * @name: printed in the result line; also selects the case on the command line
 * @fn: returns if everything held; a failed check or a skip does not return
 * @seconds: time limit, 0 for the default
 */
struct test {
	const char *name;
	void (*fn)(void);
	unsigned int seconds;
};

#define TEST(fn)		{ #fn, fn, 0 }
#define TEST_SECONDS(fn, s)	{ #fn, fn, s }

/**
 * ktap_run - run every case, or those named on the command line
 * @argc: from main
 * @argv: from main
 * @tests: the table
 * @nr: its length
 *
 * Return: the exit status for main.
 */
int ktap_run(int argc, char **argv, const struct test *tests, size_t nr);

#define KTAP_MAIN(tests)						\
	int main(int argc, char **argv)					\
	{								\
		return ktap_run(argc, argv, tests, ARRAY_SIZE(tests));	\
	}

/** ktap_diag - print one "# ..." line, visible whatever the result is */
void ktap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** ktap_skip - end the case as skipped; the text is the cause */
void ktap_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/** ktap_fail - end the case as failed, naming the place */
void ktap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/** ktap_scale - seconds stretched by LODGE_TEST_SCALE, for slow machines */
unsigned int ktap_scale(unsigned int seconds);

/** errno_name - "EINVAL" for 22 or -22, "0" for 0, else the number itself */
const char *errno_name(long err);

#define FAIL(...)	ktap_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("not true: %s", #cond);			\
	} while (0)

#define CHECK_OP(a, op, b)						\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
		if (!(a_ op b_))					\
			FAIL("%s is %lld (0x%llx), expected %s %s = %lld (0x%llx)", \
			     #a, a_, a_, #op, #b, b_, b_);		\
	} while (0)

#define CHECK_EQ(a, b)	CHECK_OP(a, ==, b)
#define CHECK_NE(a, b)	CHECK_OP(a, !=, b)
#define CHECK_GE(a, b)	CHECK_OP(a, >=, b)
#define CHECK_LE(a, b)	CHECK_OP(a, <=, b)

/* @expr yields 0 or more for success, -errno for failure (see xioctl). */
#define CHECK_ERR(expr, err)						\
	do {								\
		long r_ = (long)(expr);					\
		if (r_ != -(err))					\
			FAIL("%s gave %s (%ld), expected %s", #expr,	\
			     errno_name(r_), r_, errno_name(err));	\
	} while (0)

#define CHECK_OK(expr)							\
	({								\
		long r_ = (long)(expr);					\
		if (r_ < 0)						\
			FAIL("%s failed: %s", #expr, errno_name(r_));	\
		r_;							\
	})

#define CHECK_MEM(a, b, len)						\
	do {								\
		if (memcmp(a, b, len))					\
			FAIL("%s and %s differ", #a, #b);		\
	} while (0)

#endif
