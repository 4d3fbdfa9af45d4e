// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the guest page walk (mmu/walk_core.h): every paging mode, page size, reserved bit, right and
 * protection key, the error codes, accessed and dirty bits, tables that change or cannot be read. Guest memory is an
 * array of tables, one a level. No locks.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "../mmu/walk_core.h"
#include "selftest.h"

#define TABLES		5
#define TABLE_GPA(level) ((u64)(level) << 12)	/* the table of a level lies at that page */
#define LEAF_GPA	0x12345000ULL

#define P	WALK_PRESENT
#define W	WALK_WRITE
#define U	WALK_USER
#define A	WALK_ACCESSED
#define D	WALK_DIRTY
#define L	WALK_LARGE
#define NX	WALK_NX

#define RD	LODGE_ACCESS_READ
#define WR	LODGE_ACCESS_WRITE
#define EX	LODGE_ACCESS_EXEC
#define US	LODGE_ACCESS_USER

enum walk_mode { TWO_LEVEL, PAE, LONG4, LONG5 };

static struct walk_memory {
	u64 tables[TABLES + 1][512];	/* by level; PAE's uppermost has four */
	int unreadable;			/* level whose table cannot be read */
	bool read_only;			/* exchanges fail with -EFAULT */
	int races;			/* exchanges that find the entry changed */
	u64 race_value;			/* and to what */
	unsigned int exchanges;
} memory;

static void *memory_at(gpa_t gpa)
{
	unsigned int level = gpa >> 12;

	if (!level || level > TABLES)
		return NULL;
	return (u8 *)memory.tables[level] + (gpa & 0xfff);
}

static int memory_read(void *context, gpa_t gpa, void *entry, unsigned int len)
{
	void *from = memory_at(gpa);

	if (!from || (gpa >> 12) == memory.unreadable)
		return -EFAULT;
	memcpy(entry, from, len);
	return 0;
}

static int memory_exchange(void *context, gpa_t gpa, u64 old, u64 new, unsigned int len)
{
	void *at = memory_at(gpa);
	u64 now = 0;

	memory.exchanges++;
	if (!at || memory.read_only)
		return -EFAULT;
	if (memory.races) {
		memory.races--;
		memcpy(at, &memory.race_value, len);
		return 0;
	}
	memcpy(&now, at, len);
	if (now != old)
		return 0;
	memcpy(at, &new, len);
	return 1;
}

static const struct lodge_walk_ops memory_ops = {
	.read = memory_read,
	.exchange = memory_exchange,
};

/* One walk and what it must come to. Entries are flags from the uppermost level down; addresses are filled in. */
struct walk_case {
	const char *name;
	enum walk_mode mode;
	u64 cr0, cr4;		/* besides PG and what the mode needs */
	gva_t gva;
	u64 entries[TABLES];
	u32 access;
	u32 pkru;
	u64 gpa;		/* expected, or */
	u32 error;		/* of a fault, with FAULT */
	u8 maxphyaddr;		/* 0: 40 */
	bool nxe, ac, no_1g, bit8;
};

#define FAULT	BIT(31)

static int mode_levels(enum walk_mode mode)
{
	return (int []){ 2, 3, 4, 5 }[mode];
}

static int mode_shift(enum walk_mode mode, int level)
{
	return 12 + (level - 1) * (mode == TWO_LEVEL ? 10 : 9);
}

static unsigned int mode_index(enum walk_mode mode, gva_t gva, int level)
{
	u64 mask = mode == TWO_LEVEL ? 1023 : mode == PAE && level == 3 ? 3 : 511;

	return (gva >> mode_shift(mode, level)) & mask;
}

static u64 entry_get(enum walk_mode mode, gva_t gva, int level)
{
	unsigned int index = mode_index(mode, gva, level);

	return mode == TWO_LEVEL ? ((u32 *)memory.tables[level])[index] : memory.tables[level][index];
}

static void entry_set(enum walk_mode mode, gva_t gva, int level, u64 entry)
{
	unsigned int index = mode_index(mode, gva, level);

	if (mode == TWO_LEVEL)
		((u32 *)memory.tables[level])[index] = entry;
	else
		memory.tables[level][index] = entry;
}

static struct lodge_walk_config case_config(const struct walk_case *c)
{
	return (struct lodge_walk_config){
		.cr0 = X86_CR0_PG | X86_CR0_PE | c->cr0,
		.cr3 = TABLE_GPA(mode_levels(c->mode)) | 0x18,	/* PWT and PCD are no part of the address */
		.cr4 = c->cr4 | (c->mode == TWO_LEVEL ? 0 : X86_CR4_PAE) | (c->mode == LONG5 ? X86_CR4_LA57 : 0),
		.pkru = c->pkru,
		.maxphyaddr = c->maxphyaddr ?: 40,
		.long_mode = c->mode >= LONG4,
		.nxe = c->nxe,
		.ac = c->ac,
		.has_1g = !c->no_1g,
		.bit8_reserved = c->bit8,
	};
}

/* Lay the tables out; the level of the leaf, or of the first entry that is not present. */
static int case_lay_out(const struct walk_case *c)
{
	int levels = mode_levels(c->mode), level;
	u64 entry;

	memset(&memory, 0, sizeof(memory));
	for (level = levels; level > 0; level--) {
		entry = c->entries[levels - level];
		if ((entry & P) && level > 1 && !(entry & L))
			entry |= TABLE_GPA(level - 1);
		else if (level == 1 || (entry & L))
			entry |= LEAF_GPA & ~((1ULL << mode_shift(c->mode, level)) - 1);
		entry_set(c->mode, c->gva, level, entry);
		if (!(entry & P) || level == 1 || (entry & L))
			break;
	}
	return level;
}

static struct lodge_walk_config pae_fixed(struct lodge_walk_config config, enum walk_mode mode)
{
	if (mode == PAE)
		config.cr3 &= ~0x1fULL;		/* the four entries may lie at any multiple of 32 */
	return config;
}

static int case_fails(const struct walk_case *c, const char *what, u64 got, u64 want)
{
	pr_err("walk: %s: %s is %#llx, expected %#llx\n", c->name, what, (unsigned long long)got,
	       (unsigned long long)want);
	return 1;
}

/* Accessed and dirty bits: as the CPU leaves them after a success, untouched after a fault. */
static int case_check_bits(const struct walk_case *c, int leaf, const u64 *before)
{
	int level, failed = 0;
	u64 want;

	for (level = mode_levels(c->mode); level >= leaf; level--) {
		want = before[level];
		if (!(c->error & FAULT) && !(c->mode == PAE && level == 3))
			want |= A | (level == leaf && (c->access & WR) ? D : 0);
		if (entry_get(c->mode, c->gva, level) != want)
			failed |= case_fails(c, "an entry", entry_get(c->mode, c->gva, level), want);
	}
	return failed;
}

static int case_run(const struct walk_case *c)
{
	struct lodge_walk_config config = pae_fixed(case_config(c), c->mode);
	int leaf = case_lay_out(c), level, failed = 0;
	struct lodge_walk walk;
	u64 before[TABLES + 1];
	unsigned int exchanges;

	for (level = 1; level <= mode_levels(c->mode); level++)
		before[level] = entry_get(c->mode, c->gva, level);
	if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk))
		return case_fails(c, "the result", 1, 0);
	if (walk.fault != !!(c->error & FAULT))
		return case_fails(c, "fault", walk.fault, !walk.fault);
	if (walk.fault && walk.error != (c->error & ~FAULT))
		return case_fails(c, "the error code", walk.error, c->error & ~FAULT);
	if (!walk.fault && walk.gpa != c->gpa)
		return case_fails(c, "the GPA", walk.gpa, c->gpa);
	failed = case_check_bits(c, leaf, before);
	if (walk.fault || failed)
		return failed;

	/* Again: all bits are there, so that nothing is written. */
	exchanges = memory.exchanges;
	if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk) || walk.fault)
		return case_fails(c, "the second walk", 1, 0);
	if (memory.exchanges != exchanges)
		failed = case_fails(c, "the number of exchanges", memory.exchanges, exchanges);
	return failed;
}

#define GVA4	0x00007f123456789aULL
#define GVA5	0x00f07f123456789aULL
#define GVA32	0x9876589aULL

static const struct walk_case cases[] = {
	/* name, mode, cr0, cr4, gva, entries, access, pkru, gpa or error */
	{ "4 KiB, 4 levels", LONG4, 0, 0, GVA4, { P | W | U, P | W | U, P | W | U, P | W | U }, WR | US,
	  0, LEAF_GPA | 0x89a },
	{ "2 MiB, 4 levels", LONG4, 0, 0, GVA4, { P | W | U, P | W | U, P | W | U | L }, RD | US,
	  0, 0x12200000 | (GVA4 & 0x1fffff) },
	{ "1 GiB, 4 levels", LONG4, 0, 0, GVA4, { P | W | U, P | W | U | L }, WR,
	  0, GVA4 & 0x3fffffff },
	{ "4 KiB, 5 levels", LONG5, 0, 0, GVA5, { P | W | U, P | W | U, P | W | U, P | W | U, P | W | U }, EX | US,
	  0, LEAF_GPA | 0x89a },
	{ "1 GiB, 5 levels", LONG5, 0, 0, GVA5, { P | W | U, P | W | U, P | W | U | L }, RD, 0, GVA5 & 0x3fffffff },
	{ "4 KiB, PAE", PAE, 0, 0, GVA32, { P, P | W | U, P | W | U }, WR | US, 0, LEAF_GPA | 0x89a },
	{ "2 MiB, PAE", PAE, 0, 0, GVA32, { P, P | W | U | L }, WR | US, 0, 0x12200000 | (GVA32 & 0x1fffff) },
	{ "2 MiB, PAE, A in PDPTE", PAE, 0, 0, GVA32, { P | A, P | W | U | L }, WR | US, 0,
	  0x12200000 | (GVA32 & 0x1fffff) },
	{ "4 KiB, 2 levels", TWO_LEVEL, 0, 0, GVA32, { P | W | U, P | W | U }, WR | US, 0, LEAF_GPA | 0x89a },
	{ "4 MiB, 2 levels", TWO_LEVEL, 0, X86_CR4_PSE, GVA32, { P | W | U | L }, WR | US,
	  0, 0x12000000 | (GVA32 & 0x3fffff) },
	{ "4 MiB above 4 GiB", TWO_LEVEL, 0, X86_CR4_PSE, GVA32, { P | W | U | L | 0xff << 13 }, RD | US,
	  0, 0xff12000000 | (GVA32 & 0x3fffff) },
	{ "1 GiB with the PAT bit", LONG4, 0, 0, GVA4, { P | W | U, P | W | U | L | BIT(12) }, RD, 0,
	  GVA4 & 0x3fffffff },
	{ "global leaf", LONG4, 0, 0, GVA4, { P | W, P | W, P | W, P | W | BIT(8) }, RD, 0, LEAF_GPA | 0x89a,
	  .bit8 = true },
	{ "software bits", LONG4, 0, 0, GVA4, { P | W | 0xe00, P | W | 7ULL << 52, P | W, P | W | 0x7ffULL << 52 }, RD,
	  0, LEAF_GPA | 0x89a },

	{ "absent at the top", LONG4, 0, 0, GVA4, { W | U }, RD, 0, .error = FAULT },
	{ "absent at level 3", LONG4, 0, 0, GVA4, { P | W | U, W | U | L }, WR, 0, .error = FAULT | WALK_ERROR_WRITE },
	{ "absent leaf, user fetch", LONG4, 0, 0, GVA4, { P | W | U, P | W | U, P | W | U, U }, EX | US, 0,
	  .error = FAULT | WALK_ERROR_USER | WALK_ERROR_FETCH, .nxe = true },
	{ "absent, fetch without NX", LONG4, 0, 0, GVA4, { P | W | U, 0 }, EX | US, 0,
	  .error = FAULT | WALK_ERROR_USER },
	{ "absent, fetch with SMEP", TWO_LEVEL, 0, X86_CR4_SMEP, GVA32, { 0 }, EX, 0,
	  .error = FAULT | WALK_ERROR_FETCH },
	{ "absent, all else reserved", LONG4, 0, 0, GVA4, { ~P }, RD, 0, .error = FAULT },
	{ "absent, PAE top", PAE, 0, 0, GVA32, { 0 }, WR | US, 0, .error = FAULT | WALK_ERROR_WRITE | WALK_ERROR_USER },

	{ "reserved: large level 4", LONG4, 0, 0, GVA4, { P | W | U | L }, RD, 0, .error = FAULT | 9 },
	{ "reserved: large level 5", LONG5, 0, 0, GVA5, { P | W | U | L }, RD, 0, .error = FAULT | 9 },
	{ "reserved: 1 GiB not there", LONG4, 0, 0, GVA4, { P | W | U, P | W | U | L }, RD, 0,
	  .error = FAULT | 9, .no_1g = true },
	{ "reserved: large PDPTE in PAE", PAE, 0, 0, GVA32, { P | L }, RD, 0, .error = FAULT | 9 },
	{ "reserved: W in PDPTE", PAE, 0, 0, GVA32, { P | W, P | W, P | W }, RD, 0, .error = FAULT | 9 },
	{ "reserved: D in PDPTE", PAE, 0, 0, GVA32, { P | D, P | W, P | W }, RD, 0, .error = FAULT | 9 },
	{ "reserved: NX in PDPTE", PAE, 0, 0, GVA32, { P | NX, P | W, P | W }, RD, 0, .error = FAULT | 9, .nxe = true },
	{ "reserved: bit 52 in PAE", PAE, 0, 0, GVA32, { P, P | W, P | W | BIT_ULL(52) }, RD, 0, .error = FAULT | 9 },
	{ "reserved: bit 62 in PAE", PAE, 0, 0, GVA32, { P, P | W | BIT_ULL(62), P | W }, RD, 0, .error = FAULT | 9 },
	{ "reserved: address", LONG4, 0, 0, GVA4, { P | W, P | W, P | W | BIT_ULL(40), P | W }, RD, 0,
	  .error = FAULT | 9 },
	{ "reserved: address of a leaf", LONG4, 0, 0, GVA4, { P | W, P | W, P | W, P | W | BIT_ULL(51) }, WR, 0,
	  .error = FAULT | 11 },
	{ "address, 52 bits", LONG4, 0, 0, GVA4, { P | W, P | W, P | W, P | W | BIT_ULL(51) }, WR, 0,
	  BIT_ULL(51) | LEAF_GPA | 0x89a, .maxphyaddr = 52 },
	{ "reserved: bit 13 of 2 MiB", LONG4, 0, 0, GVA4, { P | W, P | W, P | W | L | BIT(13) }, RD, 0,
	  .error = FAULT | 9 },
	{ "reserved: bit 29 of 1 GiB", LONG4, 0, 0, GVA4, { P | W, P | W | L | BIT(29) }, RD, 0, .error = FAULT | 9 },
	{ "reserved: bit 21 of 4 MiB", TWO_LEVEL, 0, X86_CR4_PSE, GVA32, { P | W | L | BIT(21) }, RD, 0,
	  .error = FAULT | 9 },
	{ "reserved: PSE-36 at 36 bits", TWO_LEVEL, 0, X86_CR4_PSE, GVA32, { P | W | L | BIT(17) }, RD, 0,
	  .error = FAULT | 9, .maxphyaddr = 36 },
	{ "PSE-36 at 36 bits", TWO_LEVEL, 0, X86_CR4_PSE, GVA32, { P | W | L | BIT(16) }, RD, 0,
	  0x812000000ULL | (GVA32 & 0x3fffff), .maxphyaddr = 36 },
	{ "reserved: NX without NXE", LONG4, 0, 0, GVA4, { P | W, P | W | NX, P | W, P | W }, RD, 0,
	  .error = FAULT | 9 },
	{ "reserved: bit 8 at level 4", LONG4, 0, 0, GVA4, { P | W | BIT(8), P | W, P | W, P | W }, RD, 0,
	  .error = FAULT | 9, .bit8 = true },
	{ "bit 8 at level 4", LONG4, 0, 0, GVA4, { P | W | BIT(8), P | W, P | W, P | W }, RD, 0, LEAF_GPA | 0x89a },
	{ "reserved before rights", LONG4, 0, 0, GVA4, { P, P, P, P | BIT_ULL(45) }, WR | US, 0,
	  .error = FAULT | 15 },

	{ "key denies access", LONG4, 0, X86_CR4_PKE, GVA4, { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 },
	  RD | US, 1 << 6, .error = FAULT | WALK_ERROR_PRESENT | WALK_ERROR_USER | WALK_ERROR_KEY },
	{ "key denies the supervisor too", LONG4, 0, X86_CR4_PKE, GVA4,
	  { P | W | U, P | W | U, P | W | U | L | 15ULL << 59 },
	  RD, 1U << 30, .error = FAULT | WALK_ERROR_PRESENT | WALK_ERROR_KEY },
	{ "key of a supervisor page", LONG4, 0, X86_CR4_PKE, GVA4, { P | W, P | W, P | W, P | W | 3ULL << 59 },
	  RD, ~0U, LEAF_GPA | 0x89a },
	{ "key does not stop a fetch", LONG4, 0, X86_CR4_PKE, GVA4,
	  { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 },
	  EX | US, ~0U, LEAF_GPA | 0x89a },
	{ "key denies a write", LONG4, 0, X86_CR4_PKE, GVA4,
	  { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 },
	  WR | US, 2 << 6, .error = FAULT | WALK_ERROR_PRESENT | WALK_ERROR_WRITE | WALK_ERROR_USER | WALK_ERROR_KEY },
	{ "key allows a read", LONG4, 0, X86_CR4_PKE, GVA4, { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 },
	  RD | US, 2 << 6, LEAF_GPA | 0x89a },
	{ "key's write, supervisor, no WP", LONG4, 0, X86_CR4_PKE, GVA4,
	  { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 }, WR, 2 << 6, LEAF_GPA | 0x89a },
	{ "key's write, supervisor, WP", LONG4, X86_CR0_WP, X86_CR4_PKE, GVA4,
	  { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 }, WR, 2 << 6,
	  .error = FAULT | WALK_ERROR_PRESENT | WALK_ERROR_WRITE | WALK_ERROR_KEY },
	{ "keys are off", LONG4, 0, 0, GVA4, { P | W | U, P | W | U, P | W | U, P | W | U | 3ULL << 59 },
	  RD | US, ~0U, LEAF_GPA | 0x89a },
};

/* What the manuals' tables say of an access to a present page. APM 2, 5.6. */
static u32 rights_expected(const struct walk_case *c, bool page_user, bool page_write, bool page_nx)
{
	bool user = c->access & US, smap = c->cr4 & X86_CR4_SMAP, denied;
	u32 error = WALK_ERROR_PRESENT | (user ? WALK_ERROR_USER : 0);

	if (c->access & EX) {
		denied = (c->nxe && page_nx) || (user ? !page_user : page_user && (c->cr4 & X86_CR4_SMEP));
		if (c->nxe || (c->cr4 & X86_CR4_SMEP))
			error |= WALK_ERROR_FETCH;
	} else if (user) {
		denied = !page_user || ((c->access & WR) && !page_write);
	} else {
		denied = (page_user && smap && !c->ac) ||
			 ((c->access & WR) && !page_write && (c->cr0 & X86_CR0_WP));
	}
	if (c->access & WR)
		error |= WALK_ERROR_WRITE;
	return denied ? FAULT | error : 0;
}

/* Rights at two levels, of every access, under every setting that has a say. */
static int check_rights(enum walk_mode mode)
{
	static const u32 accesses[] = { RD, WR, EX, RD | US, WR | US, EX | US };
	struct walk_case c = { .name = "rights", .mode = mode, .gva = mode >= LONG4 ? GVA4 : GVA32 };
	unsigned int bits, settings, i;
	int levels = mode_levels(mode);
	u64 upper, lower, have_nx;
	int failed = 0;

	for (bits = 0; bits < 64; bits++) {
		for (settings = 0; settings < 32; settings++) {
			c.nxe = mode != TWO_LEVEL && (settings & 1);
			have_nx = c.nxe ? NX : 0;
			upper = P | (bits & 1 ? W : 0) | (bits & 2 ? U : 0) | (bits & 4 ? have_nx : 0);
			lower = P | (bits & 8 ? W : 0) | (bits & 16 ? U : 0) | (bits & 32 ? have_nx : 0);
			c.cr0 = settings & 2 ? X86_CR0_WP : 0;
			c.cr4 = (settings & 4 ? X86_CR4_SMEP : 0) | (settings & 8 ? X86_CR4_SMAP : 0);
			c.ac = settings & 16;
			for (i = 0; i < levels; i++)
				c.entries[i] = P | W | U;
			if (mode == PAE)
				c.entries[0] = P;
			c.entries[levels - 2] = upper;
			c.entries[levels - 1] = lower;
			for (i = 0; i < ARRAY_SIZE(accesses); i++) {
				c.access = accesses[i];
				c.error = rights_expected(&c, upper & lower & U, upper & lower & W,
							  (upper | lower) & NX);
				c.gpa = LEAF_GPA | (c.gva & 0xfff);
				failed |= case_run(&c);
			}
			if (failed)
				return failed;
		}
	}
	return 0;
}

/* The guest's other CPUs change a table under the walk; a table lies in ROM; a table is not there. */
static int check_memory(void)
{
	const struct walk_case *c = &cases[0];
	struct lodge_walk_config config = case_config(c);
	struct lodge_walk walk;
	int failed = 0;

	case_lay_out(c);
	memory.races = 1;
	memory.race_value = P | W | U | TABLE_GPA(3);	/* level 4 as it was */
	if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk) || walk.fault || walk.gpa != c->gpa)
		failed |= case_fails(c, "a walk that was raced", 1, 0);

	case_lay_out(c);
	memory.races = 1;
	memory.race_value = 0;				/* unmapped */
	if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk) || !walk.fault ||
	    walk.error != (WALK_ERROR_WRITE | WALK_ERROR_USER))
		failed |= case_fails(c, "the fault of an entry that went", walk.error,
				     WALK_ERROR_WRITE | WALK_ERROR_USER);

	case_lay_out(c);
	memory.read_only = true;
	if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk) || walk.fault || walk.gpa != c->gpa)
		failed |= case_fails(c, "a walk through ROM", 1, 0);

	for (memory.unreadable = 1; memory.unreadable <= 4; memory.unreadable++)
		if (lodge_walk_core(&config, &memory_ops, NULL, c->gva, c->access, &walk) != -EFAULT)
			failed |= case_fails(c, "an unreadable table's level", memory.unreadable, 0);
	return failed;
}

/* KVM_TRANSLATE: no rights, no bits; and no paging at all. */
static int check_probe(void)
{
	struct walk_case c = { .name = "probe", .mode = LONG4, .gva = GVA4, .entries = { P, P, P, P } };
	struct lodge_walk_config config = case_config(&c);
	struct lodge_walk walk;
	int failed = 0;

	case_lay_out(&c);
	config.probe = true;
	if (lodge_walk_core(&config, &memory_ops, NULL, c.gva, WR | US, &walk) || walk.fault ||
	    walk.gpa != (LEAF_GPA | 0x89a) || memory.exchanges)
		failed |= case_fails(&c, "a probe", walk.gpa, LEAF_GPA | 0x89a);
	config.cr0 &= ~X86_CR0_PG;
	if (lodge_walk_core(&config, &memory_ops, NULL, 0x123456789abULL, WR, &walk) || walk.fault ||
	    walk.gpa != 0x456789ab)
		failed |= case_fails(&c, "a walk without paging", walk.gpa, 0x456789ab);
	return failed;
}

/* PAE: four uppermost entries, at any multiple of 32 bytes. */
static int check_pae_root(void)
{
	struct walk_case c = { .name = "PAE root", .mode = PAE, .gva = 0x40000000, .access = RD };
	struct lodge_walk_config config = case_config(&c);
	struct lodge_walk walk;

	memset(&memory, 0, sizeof(memory));
	config.cr3 = TABLE_GPA(3) | 0xfe0;
	memory.tables[3][0xfe0 / 8 + 1] = TABLE_GPA(2) | P;
	memory.tables[2][0] = TABLE_GPA(1) | P;
	memory.tables[1][0] = LEAF_GPA | P;
	if (lodge_walk_core(&config, &memory_ops, NULL, c.gva, c.access, &walk) || walk.fault || walk.gpa != LEAF_GPA)
		return case_fails(&c, "the GPA", walk.gpa, LEAF_GPA);
	return 0;
}

int lodge_selftest_walk(void)
{
	enum walk_mode mode;
	int failed = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		failed |= case_run(&cases[i]);
	for (mode = TWO_LEVEL; mode <= LONG4; mode++)
		failed |= check_rights(mode);
	failed |= check_memory();
	failed |= check_probe();
	failed |= check_pae_root();
	return failed;
}
