// SPDX-License-Identifier: GPL-2.0-only
/*
 * KTAP output, and the isolation of cases: every case is a forked process in
 * a process group of its own, killed as a group when its time is over, so that
 * a hung KVM_RUN or a crashed case costs that case alone.
 * The verdict travels through the exit status, a skip's cause through a shared
 * page. Locking: none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"

#define DEFAULT_SECONDS	30

static char *skip_cause;
#define SKIP_CAUSE_LEN	4096

static volatile sig_atomic_t time_is_over;

unsigned int ktap_scale(unsigned int seconds)
{
	const char *scale = getenv("LODGE_TEST_SCALE");
	unsigned int factor = scale ? (unsigned int)atoi(scale) : 1;

	return seconds * (factor ? factor : 1);
}

const char *errno_name(long err)
{
	static char buf[4][24];
	static int next;
	const char *name;

	if (err < 0)
		err = -err;
	name = err && err < 4096 ? strerrorname_np((int)err) : NULL;
	if (name)
		return name;
	next = (next + 1) % 4;
	snprintf(buf[next], sizeof(buf[next]), "%ld", err);
	return buf[next];
}

void ktap_diag(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printf("# %s\n", line);
	fflush(stdout);
}

void ktap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(skip_cause, SKIP_CAUSE_LEN, fmt, ap);
	va_end(ap);
	fflush(stdout);
	_exit(KTAP_SKIP);
}

void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ktap_diag("%s:%d: %s", file, line, text);
	_exit(KTAP_FAIL);
}

static void on_alarm(int sig)
{
	(void)sig;
	time_is_over = 1;
}

/* Return: the case's wait status, or -1 when it had to be killed. */
static int case_wait(pid_t child)
{
	bool late = false;
	int status;

	for (;;) {
		if (waitpid(child, &status, 0) == child)
			break;
		if (errno != EINTR)
			return -1;
		if (time_is_over) {
			late = true;
			kill(-child, SIGKILL);
		}
	}
	alarm(0);
	/* Helpers that the case left behind go with it. */
	kill(-child, SIGKILL);
	return late ? -1 : status;
}

static void case_child(const struct test *test)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	test->fn();
	fflush(stdout);
	_exit(KTAP_PASS);
}

static int case_run(const struct test *test, unsigned int number)
{
	unsigned int seconds = ktap_scale(test->seconds ? test->seconds : DEFAULT_SECONDS);
	int status, verdict = KTAP_FAIL;
	pid_t child;

	fflush(stdout);
	skip_cause[0] = '\0';
	time_is_over = 0;
	child = fork();
	if (child < 0) {
		ktap_diag("fork: %s", strerror(errno));
		printf("not ok %u %s\n", number, test->name);
		return KTAP_FAIL;
	}
	if (!child)
		case_child(test);
	setpgid(child, child);
	alarm(seconds);
	status = case_wait(child);
	if (status == -1)
		ktap_diag("%s: not done after %u s", test->name, seconds);
	else if (WIFSIGNALED(status))
		ktap_diag("%s: killed by signal %d", test->name, WTERMSIG(status));
	else
		verdict = WEXITSTATUS(status);

	if (verdict == KTAP_PASS)
		printf("ok %u %s\n", number, test->name);
	else if (verdict == KTAP_SKIP)
		printf("ok %u %s # SKIP %s\n", number, test->name, skip_cause);
	else
		printf("not ok %u %s\n", number, test->name);
	fflush(stdout);
	return verdict;
}

static bool case_wanted(const struct test *test, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc < 2;
}

int ktap_run(int argc, char **argv, const struct test *tests, size_t nr)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	unsigned int number = 0, planned = 0, skipped = 0;
	bool failed = false;
	size_t i;

	skip_cause = mmap(NULL, SKIP_CAUSE_LEN, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skip_cause == MAP_FAILED) {
		printf("Bail out! no memory\n");
		return KTAP_FAIL;
	}
	sigaction(SIGALRM, &sa, NULL);
	for (i = 0; i < nr; i++)
		planned += case_wanted(&tests[i], argc, argv);
	printf("KTAP version 1\n1..%u\n", planned);
	for (i = 0; i < nr; i++) {
		int verdict;

		if (!case_wanted(&tests[i], argc, argv))
			continue;
		verdict = case_run(&tests[i], ++number);
		skipped += verdict == KTAP_SKIP;
		failed |= verdict != KTAP_SKIP && verdict != KTAP_PASS;
	}
	if (failed || !planned)
		return KTAP_FAIL;
	return skipped == planned ? KTAP_SKIP : KTAP_PASS;
}
