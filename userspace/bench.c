// SPDX-License-Identifier: GPL-2.0-only
/*
 * `lodge bench`: what the host's part of an exit costs, what a VM does, and a guest's boot, on lodge and on KVM in
 * turns and in one boot. Where the time stamp counter counts instructions, as in the lab's deterministic machine, the
 * unit is instructions and the limits are judged; elsewhere it is ticks of the counter. One thread, no lock.
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
#define CHECK_LOOPS	10000u
#define ROWS_MAX	64

enum { COLUMN_ROW, COLUMN_UNIT, COLUMN_KERNEL, COLUMN_KVM, COLUMN_LODGE, COLUMN_FLOOR, COLUMN_LIMIT, COLUMNS };

static const struct lodge_column columns[COLUMNS] = {
	[COLUMN_ROW] = { "row", 18, false },
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
	"Measures what exits, VMs and a guest's boot cost on lodge and on KVM in turns: all rows, or\n"
	"those named.\n"
	"The exit status is 1 when a limit is broken; ticks that are no instructions have none.\n"
	"\n"
	"  -q, --quick         without the rows that take minutes, unless they are named\n"
	"  -j, --json          an array of JSON objects\n"
	"      --device NODE   lodge's device node (default $LODGE_DEVICE, else /dev/lodge)\n"
	"      --against NODE  the other one's (default /dev/kvm); left out where it is not usable\n"
	"      --floor COST    what a bare entry and exit cost, printed with the rows of exits in the kernel\n"
	"      --help          print this text\n";

/**
 * struct bench - one run
 * @paths: the device nodes; NULL: not there
 * @rows: all that there are
 * @nr: how many
 * @wanted: those to measure and to print
 * @best: least cost, by row and side; UINT64_MAX: not measured
 * @instructions: the counter counts them
 * @floor: what a bare entry and exit cost; UINT64_MAX: not known
 */
struct bench {
	const char *paths[SIDES];
	const struct bench_row *rows[ROWS_MAX];
	unsigned int nr;
	bool wanted[ROWS_MAX];
	uint64_t best[ROWS_MAX][SIDES];
	bool instructions;
	uint64_t floor;
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

static bool cpu_logs_writes(void)
{
	char text[8];

	return lodge_host_vmx_flag("pml") && lodge_host_read("/sys/module/lodge/parameters/pml", text, sizeof(text)) &&
	       *text == 'Y';
}

/* 0: nothing is promised. */
static unsigned int row_limit(const struct bench *bench, const struct bench_row *row)
{
	if (!bench->instructions && !row->unit)
		return 0;
	if (row->limit_logged && cpu_logs_writes())
		return row->limit_logged;
	if (!row->limit_next_rip || !cpu_tells_next_rip())
		return row->limit;
	return host_mitigates() ? row->limit_next_rip : row->limit_unmitigated;
}

static void rows_add(struct bench *bench, const struct bench_row *rows, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		bench->rows[bench->nr++] = &rows[i];
}

/* Rows without a function of their own are measured with the last one that has. */
static unsigned int group_end(const struct bench *bench, unsigned int first)
{
	unsigned int end = first + 1;

	while (end < bench->nr && !bench->rows[end]->measure)
		end++;
	return end;
}

static void rows_want_all(struct bench *bench, bool quick)
{
	for (unsigned int first = 0; first < bench->nr; first = group_end(bench, first))
		for (unsigned int i = first; i < group_end(bench, first); i++)
			bench->wanted[i] = !quick || !bench->rows[first]->slow;
}

static void row_want(struct bench *bench, const char *name)
{
	for (unsigned int i = 0; i < bench->nr; i++) {
		if (strcmp(name, bench->rows[i]->name))
			continue;
		if (bench->wanted[i])
			lodge_fail(STATUS_USAGE, "row %s is named twice", name);
		bench->wanted[i] = true;
		return;
	}
	lodge_fail(STATUS_USAGE, "no row %s", name);
}

static bool group_is_wanted(const struct bench *bench, unsigned int first)
{
	for (unsigned int i = first; i < group_end(bench, first); i++)
		if (bench->wanted[i])
			return true;
	return false;
}

static void side_measure(struct bench *bench, unsigned int side, unsigned int first)
{
	const struct bench_row *row = bench->rows[first];
	uint64_t costs[BENCH_GROUP_MAX];
	struct bench_machine machine;

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
	memset(costs, 0xff, sizeof(costs));
	/* It has shown that the CPU feature is to be had. */
	if (row->bare)
		lodge_bench_machine_destroy(&machine);
	row->measure(&machine, row, costs);
	if (!row->bare)
		lodge_bench_machine_destroy(&machine);
	for (unsigned int i = first; i < group_end(bench, first); i++)
		bench->best[i][side] = least_of(bench->best[i][side], costs[i - first]);
}

static void ticks_print(struct lodge_print *print, unsigned int column, uint64_t ticks)
{
	if (ticks == UINT64_MAX)
		lodge_print_text(print, &columns[column], NULL);
	else
		lodge_print_number(print, &columns[column], ticks);
}

static void row_print(const struct bench *bench, struct lodge_print *print, unsigned int i, const char *release)
{
	const struct bench_row *row = bench->rows[i];
	unsigned int limit = row_limit(bench, row);

	lodge_print_row_begin(print);
	lodge_print_text(print, &columns[COLUMN_ROW], row->name);
	lodge_print_text(print, &columns[COLUMN_UNIT], row->unit ?: bench->instructions ? "instructions" : "ticks");
	lodge_print_text(print, &columns[COLUMN_KERNEL], release);
	ticks_print(print, COLUMN_KVM, bench->best[i][SIDE_KVM]);
	ticks_print(print, COLUMN_LODGE, bench->best[i][SIDE_LODGE]);
	ticks_print(print, COLUMN_FLOOR, row->in_kernel ? bench->floor : UINT64_MAX);
	ticks_print(print, COLUMN_LIMIT, limit ? limit : UINT64_MAX);
	lodge_print_row_end(print);
}

/* Return: the number of rows that cost more than they may. */
static unsigned int rows_print(const struct bench *bench, enum lodge_print_form form)
{
	struct lodge_print print;
	unsigned int broken = 0;
	struct utsname host;

	if (uname(&host))
		lodge_fail(STATUS_FAILED, "uname: %s", strerror(errno));
	lodge_print_begin(&print, stdout, form, columns, COLUMNS);
	for (unsigned int i = 0; i < bench->nr; i++) {
		unsigned int limit = row_limit(bench, bench->rows[i]);

		if (!bench->wanted[i] || bench->best[i][SIDE_LODGE] == UINT64_MAX)
			continue;
		row_print(bench, &print, i, host.release);
		if (limit && bench->best[i][SIDE_LODGE] > limit) {
			lodge_warn("%s costs more than its limit", bench->rows[i]->name);
			broken++;
		}
	}
	if (lodge_print_end(&print))
		lodge_fail(STATUS_FILE, "standard output: %s", strerror(errno));
	return broken;
}

static void rows_measure(struct bench *bench)
{
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < bench->nr; i = group_end(bench, i)) {
			if (!group_is_wanted(bench, i) || (round && bench->rows[i]->slow))
				continue;
			for (unsigned int side = 0; side < SIDES; side++)
				side_measure(bench, side, i);
		}
}

static uint64_t floor_of(const char *text)
{
	char *end;
	unsigned long cost = strtoul(text, &end, 10);

	if (!cost || cost > UINT32_MAX || *end)
		lodge_fail(STATUS_USAGE, "--floor %s: a number of instructions or ticks is wanted", text);
	return cost;
}

int lodge_verb_bench(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quick", no_argument, NULL, 'q' },
		{ "device", required_argument, NULL, 'd' },
		{ "against", required_argument, NULL, 'a' },
		{ "floor", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	enum lodge_print_form form = PRINT_TABLE;
	struct bench bench = { .paths = { "/dev/kvm", NULL }, .floor = UINT64_MAX };
	const struct bench_row *rows;
	const char *device = NULL;
	bool quick = false;
	unsigned int nr;
	int option;

	while ((option = getopt_long(argc, argv, "jq", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			form = PRINT_JSON;
			break;
		case 'q':
			quick = true;
			break;
		case 'd':
			device = optarg;
			break;
		case 'a':
			bench.paths[SIDE_KVM] = optarg;
			break;
		case 'f':
			bench.floor = floor_of(optarg);
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
	rows_add(&bench, rows, nr);
	rows = lodge_bench_vm_rows(&nr);
	rows_add(&bench, rows, nr);
	rows = lodge_bench_boot_rows(&nr);
	rows_add(&bench, rows, nr);
	if (optind == argc)
		rows_want_all(&bench, quick);
	for (; optind < argc; optind++)
		row_want(&bench, argv[optind]);
	rows_measure(&bench);
	return rows_print(&bench, form) ? STATUS_FAILED : STATUS_OK;
}
