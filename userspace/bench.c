// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge bench`: what the host's part of an exit costs, on lodge and on KVM in turns, with one guest and in one
 * boot. Where the time stamp counter counts instructions, as in the lab's deterministic machine, the unit is
 * instructions and the limits are judged; elsewhere it is ticks of the counter. One thread, no lock.
 */
#include <cpuid.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench.h"
#include "device.h"
#include "host.h"
#include "print.h"
#include "tool.h"

#define ROUNDS		2
#define CHECK_LOOPS	100000u
#define ROWS_MAX	64

enum { COLUMN_ROW, COLUMN_UNIT, COLUMN_KERNEL, COLUMN_KVM, COLUMN_LODGE, COLUMN_FLOOR, COLUMN_LIMIT, COLUMNS };

static const struct lodge_column columns[COLUMNS] = {
	[COLUMN_ROW] = { "row", 12, false },
	[COLUMN_UNIT] = { "unit", 12, false },
	[COLUMN_KERNEL] = { "kernel", 20, false },
	[COLUMN_KVM] = { "kvm", 8, true },
	[COLUMN_LODGE] = { "lodge", 8, true },
	[COLUMN_FLOOR] = { "floor", 8, true },
	[COLUMN_LIMIT] = { "limit", 8, true },
};

enum { SIDE_KVM, SIDE_LODGE, SIDES };

static const char bench_usage[] =
	"usage: lodge bench [OPTION]... [ROW]...\n"
	"Measures what exits cost on lodge and on KVM in turns: all rows, or those named.\n"
	"In a machine whose counter counts instructions the exit status is 1 when a limit is broken.\n"
	"\n"
	"  -j, --json          an array of JSON objects\n"
	"      --device NODE   lodge's device node (default $LODGE_DEVICE, else /dev/lodge)\n"
	"      --against NODE  the other one's (default /dev/kvm); left out where it is not usable\n"
	"      --help          print this text\n";

/**
 * struct bench - one run
 * @paths: the device nodes; NULL: not there
 * @best: least ticks, by row and side; UINT64_MAX: not measured
 * @instructions: the counter counts them
 */
struct bench {
	const char *paths[SIDES];
	uint64_t best[ROWS_MAX][SIDES];
	bool instructions;
};

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t counted_loop(unsigned long loops)
{
	uint64_t start = lodge_bench_ticks();

	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (loops) : : "cc");
	return lodge_bench_ticks() - start;
}

/* The ruler is held against a length that is known: two instructions a turn. */
static bool counter_counts_instructions(void)
{
	uint64_t once = UINT64_MAX, twice = UINT64_MAX, difference;

	/* The least of each: an interrupt on the way makes one longer, and the difference wrong. */
	for (unsigned int i = 0; i < 5; i++) {
		once = least_of(once, counted_loop(CHECK_LOOPS));
		twice = least_of(twice, counted_loop(2 * CHECK_LOOPS));
	}
	difference = twice - once;
	return difference >= 2 * CHECK_LOOPS && difference <= 2 * CHECK_LOOPS + CHECK_LOOPS / 500;
}

/* CPUID 8000_000A, EDX bit 3 (APM 3, E.4.9); VT-x always tells the instruction's length. */
static bool cpu_tells_next_rip(void)
{
	unsigned int a, b, c, d = 0;

	if (lodge_host_vendor(NULL) == HOST_INTEL)
		return true;
	__get_cpuid(0x8000000a, &a, &b, &c, &d);
	return d & 1u << 3;
}

/* The lab says of itself whether its clock counts instructions. */
static bool lab_counts_instructions(void)
{
	const char *text = getenv("LODGE_LAB_ICOUNT");

	return text && *text;
}

static bool host_mitigates(void)
{
	char text[256];

	return !lodge_host_read("/sys/devices/system/cpu/vulnerabilities/spectre_v2", text, sizeof(text)) ||
	       strncmp(text, "Vulnerable", strlen("Vulnerable"));
}

static unsigned int row_limit(const struct bench_row *row)
{
	if (!row->limit_next_rip || !cpu_tells_next_rip())
		return row->limit;
	return host_mitigates() ? row->limit_next_rip : row->limit_unmitigated;
}

static bool row_is_wanted(const struct bench_row *row, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], row->name))
			return true;
	return optind >= argc;
}

static void side_measure(struct bench *bench, unsigned int side, const struct bench_row *row, uint64_t *best)
{
	struct bench_machine machine;
	uint64_t cost;

	if (!bench->paths[side])
		return;
	if (!lodge_bench_machine_create(&machine, bench->paths[side])) {
		if (side == SIDE_LODGE)
			lodge_fail(STATUS_FAILED, "%s: no machine to measure with: %s", bench->paths[side],
				   strerror(errno));
		lodge_warn("%s is left out: %s", bench->paths[side], strerror(errno));
		bench->paths[side] = NULL;
		return;
	}
	cost = row->measure(&machine, row);
	lodge_bench_machine_destroy(&machine);
	*best = least_of(*best, cost);
}

static void ticks_print(struct lodge_print *print, unsigned int column, uint64_t ticks)
{
	if (ticks == UINT64_MAX)
		lodge_print_text(print, &columns[column], NULL);
	else
		lodge_print_number(print, &columns[column], ticks);
}

static void row_print(const struct bench *bench, struct lodge_print *print, const struct bench_row *row,
		      const uint64_t *best, const char *release)
{
	unsigned int limit = bench->instructions ? row_limit(row) : 0;

	lodge_print_row_begin(print);
	lodge_print_text(print, &columns[COLUMN_ROW], row->name);
	lodge_print_text(print, &columns[COLUMN_UNIT], bench->instructions ? "instructions" : "ticks");
	lodge_print_text(print, &columns[COLUMN_KERNEL], release);
	ticks_print(print, COLUMN_KVM, best[SIDE_KVM]);
	ticks_print(print, COLUMN_LODGE, best[SIDE_LODGE]);
	lodge_print_text(print, &columns[COLUMN_FLOOR], NULL);
	ticks_print(print, COLUMN_LIMIT, limit ? limit : UINT64_MAX);
	lodge_print_row_end(print);
}

/* Return: the number of rows that cost more than they may. */
static unsigned int rows_print(const struct bench *bench, const struct bench_row *rows, unsigned int nr,
			       enum lodge_print_form form)
{
	struct lodge_print print;
	unsigned int broken = 0;
	struct utsname host;

	if (uname(&host))
		lodge_fail(STATUS_FAILED, "uname: %s", strerror(errno));
	lodge_print_begin(&print, stdout, form, columns, COLUMNS);
	for (unsigned int i = 0; i < nr; i++) {
		unsigned int limit = row_limit(&rows[i]);

		if (bench->best[i][SIDE_LODGE] == UINT64_MAX)
			continue;
		row_print(bench, &print, &rows[i], bench->best[i], host.release);
		if (bench->instructions && limit && bench->best[i][SIDE_LODGE] > limit) {
			lodge_warn("%s costs more than its limit", rows[i].name);
			broken++;
		}
	}
	if (lodge_print_end(&print))
		lodge_fail(STATUS_FILE, "standard output: %s", strerror(errno));
	return broken;
}

static void rows_measure(struct bench *bench, const struct bench_row *rows, unsigned int nr, int argc, char **argv)
{
	unsigned int wanted = 0;

	for (unsigned int i = 0; i < nr; i++)
		wanted += row_is_wanted(&rows[i], argc, argv);
	if (!wanted || (optind < argc && wanted != (unsigned int)(argc - optind)))
		lodge_fail(STATUS_USAGE, "a row that is named does not exist, or is named twice");
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < nr; i++)
			for (unsigned int side = 0; row_is_wanted(&rows[i], argc, argv) && side < SIDES; side++)
				side_measure(bench, side, &rows[i], &bench->best[i][side]);
}

int lodge_verb_bench(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' },
		{ "against", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum lodge_print_form form = PRINT_TABLE;
	struct bench bench = { .paths = { "/dev/kvm", NULL } };
	const struct bench_row *rows;
	const char *device = NULL;
	unsigned int nr;
	int option;

	while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			form = PRINT_JSON;
			break;
		case 'd':
			device = optarg;
			break;
		case 'a':
			bench.paths[SIDE_KVM] = optarg;
			break;
		case 'h':
			fputs(bench_usage, stdout);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	bench.paths[SIDE_LODGE] = lodge_device_path(device);
	if (!strcmp(bench.paths[SIDE_LODGE], bench.paths[SIDE_KVM]))
		bench.paths[SIDE_KVM] = NULL;
	memset(bench.best, 0xff, sizeof(bench.best));
	bench.instructions = counter_counts_instructions();
	if (!bench.instructions && lab_counts_instructions())
		lodge_fail(STATUS_FAILED, "this machine counts instructions, but the ruler does not measure a known loop");
	rows = lodge_bench_exit_rows(&nr);
	rows_measure(&bench, rows, nr, argc, argv);
	return rows_print(&bench, rows, nr, form) ? STATUS_FAILED : STATUS_OK;
}
