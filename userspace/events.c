// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge events`: one line for each change of a VM's state, as it happens. A
 * line is the time, then the columns of `lodge list`.
 */
#include "netlink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool.h"

/**
 * struct events_request - what the command line asked for
 * @form: of the lines
 * @count: end after so many events; 0 is no limit
 * @milliseconds: end after so long; -1 is no limit
 */
struct events_request {
	enum lodge_print_form form;
	unsigned long count;
	int milliseconds;
};

static const struct lodge_column time_column = { "time", 0, false };

static const char events_usage[] =
	"usage: lodge events [OPTION]...\n"
	"Prints a line when a VM is created, runs, halts, crashes or is destroyed.\n"
	"Needs CAP_NET_ADMIN.\n"
	"\n"
	"  -j, --json         a JSON object per line\n"
	"      --count N      end after N events\n"
	"      --timeout S    end after S seconds; status 1 if --count was not reached\n"
	"      --help         print this text\n";

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When the line was heard, UTC, RFC 3339. */
static void time_format(char *text, size_t size)
{
	struct timespec now;
	struct tm parts;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void event_print(struct lodge_print *print, const struct lodge_vm_info *vm)
{
	char text[48];

	time_format(text, sizeof(text));
	lodge_print_row_begin(print);
	lodge_print_text(print, &time_column, text);
	lodge_vm_values_print(print, vm);
	lodge_print_row_end(print);
}

static int milliseconds_left(const struct events_request *request, int64_t start)
{
	int64_t left;

	if (request->milliseconds < 0)
		return -1;
	left = start + request->milliseconds - now_milliseconds();
	return left > 0 ? (int)left : 0;
}

static int events_print(const struct events_request *request)
{
	struct lodge_netlink *netlink = lodge_netlink_open();
	int64_t start = now_milliseconds();
	struct lodge_print print;
	struct lodge_vm_info vm;
	unsigned long heard = 0;
	int status = STATUS_OK;

	lodge_netlink_subscribe(netlink);
	lodge_print_begin(&print, stdout, request->form, NULL, 0);
	while ((!request->count || heard < request->count) && !ferror(stdout)) {
		int left = milliseconds_left(request, start);
		enum lodge_netlink_heard what = lodge_netlink_hear(netlink, &vm, left);

		if (what == HEARD_EVENT) {
			event_print(&print, &vm);
			heard++;
		} else if (what == HEARD_LOSS) {
			lodge_warn("events came faster than they were read: some are missing");
		} else if (!milliseconds_left(request, start)) {
			break;
		}
	}
	if (lodge_print_end(&print)) {
		lodge_warn("the events cannot be written: %s", strerror(errno));
		status = STATUS_FAILED;
	} else if (heard < request->count) {
		lodge_warn("time is up after %lu of %lu events", heard, request->count);
		status = STATUS_FAILED;
	}
	lodge_netlink_close(netlink);
	return status;
}

/* The value of an option that wants a number. */
static unsigned long number_parse(const char *option, const char *text, unsigned long max)
{
	unsigned long value;
	char *end;

	if (!text)
		lodge_fail(STATUS_USAGE, "%s wants a number", option);
	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || !value || value > max)
		lodge_fail(STATUS_USAGE, "%s wants a number from 1 to %lu, not \"%s\"", option,
			   max, text);
	return value;
}

int lodge_verb_events(int argc, char **argv)
{
	struct events_request request = { .form = PRINT_LINES, .milliseconds = -1 };

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json")) {
			request.form = PRINT_JSON_LINES;
		} else if (!strcmp(argv[i], "--count")) {
			request.count = number_parse("--count", argv[++i], LONG_MAX);
		} else if (!strcmp(argv[i], "--timeout")) {
			request.milliseconds =
				(int)number_parse("--timeout", argv[++i], INT_MAX / 1000) * 1000;
		} else if (!strcmp(argv[i], "--help")) {
			fputs(events_usage, stdout);
			return STATUS_OK;
		} else {
			lodge_fail(STATUS_USAGE, "events does not know \"%s\": "
				   "`lodge events --help`", argv[i]);
		}
	}
	return events_print(&request);
}
