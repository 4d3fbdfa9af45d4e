// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs each unit test in a process of its own, so that a crash or a hang of one
 * leaves the others standing, and reports in KTAP. The units come from units.h,
 * which the Makefile writes. An argument names the only unit to run.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define UNIT_SECONDS	50
#define CAUSE_SIZE	128

struct unit {
	const char *name;
	int (*run)(void);
};

#define UNIT(name)	int lodge_selftest_##name(void);
#include "units.h"
#undef UNIT

static const struct unit units[] = {
#define UNIT(name)	{ #name, lodge_selftest_##name },
#include "units.h"
#undef UNIT
};

#define NR_UNITS	((int)(sizeof(units) / sizeof(units[0])))

static char *skip_cause;	/* shared with the unit's process; "" if it ran */

int unit_skip(const char *cause)
{
	snprintf(skip_cause, CAUSE_SIZE, "%s", cause);
	return 0;
}

static int unit_run(const struct unit *unit)
{
	int status;
	pid_t pid;

	fflush(stdout);
	skip_cause[0] = '\0';
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		alarm(UNIT_SECONDS);
		status = unit->run();
		fflush(stdout);
		/* the leak checker runs at exit */
		exit(status ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		printf("# %s: killed by signal %d%s\n", unit->name, WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (time limit)" : "");
	return status;
}

static void unit_report(const struct unit *unit, int n, int status)
{
	if (!status && skip_cause[0])
		printf("ok %d %s # SKIP %s\n", n, unit->name, skip_cause);
	else
		printf("%s %d %s\n", status ? "not ok" : "ok", n, unit->name);
}

int main(int argc, char **argv)
{
	int i, n = 0, planned = 0, failed = 0, status;

	skip_cause = mmap(NULL, CAUSE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_cause == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	for (i = 0; i < NR_UNITS; i++)
		planned += argc < 2 || !strcmp(argv[1], units[i].name);
	if (!planned) {
		fprintf(stderr, "no such unit: %s\n", argc < 2 ? "none compiled in" : argv[1]);
		return 2;
	}
	printf("KTAP version 1\n1..%d\n", planned);
	for (i = 0; i < NR_UNITS; i++) {
		if (argc > 1 && strcmp(argv[1], units[i].name))
			continue;
		status = unit_run(&units[i]);
		unit_report(&units[i], ++n, status);
		failed += status != 0;
	}
	return failed ? 1 : 0;
}
