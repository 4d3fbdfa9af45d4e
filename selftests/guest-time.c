// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time in the guest is guest time: field 43 of /proc/PID/stat grows while a
 * guest computes, and is part of user time.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "modes.h"
#include "thread.h"

static void guest_spins(void)
{
	guest_sync(1);
	for (;;)
		barrier();
}

/* Field @nr of /proc/self/stat, counted from 1; the second may hold blanks. */
static u64 stat_field(unsigned int nr)
{
	FILE *f = fopen("/proc/self/stat", "r");
	char text[1024], *p;
	unsigned int i;
	size_t n;
	u64 val;

	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	CHECK(p);
	for (i = 2; i < nr; i++) {
		p = strchr(p + 1, ' ');
		CHECK(p);
	}
	CHECK_EQ(sscanf(p, "%lu", &val), 1);
	return val;
}

static void grows(void)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { .it_value = { 1, 0 } };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 guest, user;
	timer_t timer;

	signal_catch(SIGUSR1);
	vcpu_entry(vcpu, guest_spins);
	RUN_SYNC(vcpu, 1);
	guest = stat_field(43);
	user = stat_field(14);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &sev, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &its, NULL), 0);
	CHECK_ERR(run_try(vcpu), EINTR);
	guest = stat_field(43) - guest;
	user = stat_field(14) - user;
	ktap_diag("guest time %llu ticks, user time %llu ticks in one second",
		  (unsigned long long)guest, (unsigned long long)user);
	/* A hundred ticks, most of them in the guest. User time comes scaled to what the thread really ran. */
	CHECK_GE(guest, 30);
	CHECK_GE(user + guest / 8 + 2, guest);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(grows),
};

KTAP_MAIN(tests)
