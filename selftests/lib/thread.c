// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads, signals and time for tests that act on a running vCPU.
 * Locking: the signal counter is atomic; the rest has no state.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

static int signals_seen;

pthread_t thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

void thread_join(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void on_signal(int sig)
{
	__atomic_add_fetch(&signals_seen, 1, __ATOMIC_SEQ_CST);
}

void signal_catch(int sig)
{
	struct sigaction sa = { .sa_handler = on_signal };

	CHECK_EQ(sigaction(sig, &sa, NULL), 0);
}

int signal_count(void)
{
	return __atomic_load_n(&signals_seen, __ATOMIC_SEQ_CST);
}

static void signal_change(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

void signal_block(int sig)
{
	signal_change(SIG_BLOCK, sig);
}

void signal_unblock(int sig)
{
	signal_change(SIG_UNBLOCK, sig);
}

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

void require_cpus(long nr)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < nr)
		ktap_skip("needs %ld CPUs", nr);
}

void pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}
