/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads, signals and time for tests that act on a running vCPU.
 */
#ifndef LODGE_SELFTEST_THREAD_H
#define LODGE_SELFTEST_THREAD_H

#include <pthread.h>

#include "vm.h"

/** thread_start - a thread, or the case fails */
pthread_t thread_start(void *(*fn)(void *), void *arg);
void thread_join(pthread_t thread);

/** signal_catch - let @sig interrupt system calls and do nothing else */
void signal_catch(int sig);
/** signal_count - signals caught so far by signal_catch()'s handler */
int signal_count(void);
void signal_block(int sig);
void signal_unblock(int sig);

u64 now_ns(void);
void sleep_ms(unsigned int ms);
/** wait_until - poll a condition for at most 10 s, else the case fails */
#define wait_until(cond)						\
	do {								\
		u64 end_ = now_ns() + ktap_scale(10) * 1000000000ull;	\
		while (!(cond)) {					\
			if (now_ns() > end_)				\
				FAIL("never came true: %s", #cond);	\
			sleep_ms(1);					\
		}							\
	} while (0)

/** require_cpus - skip unless that many CPUs are online */
void require_cpus(long nr);
/** pin_cpu - bind the calling thread */
void pin_cpu(int cpu);

#endif
