/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's own page walk, as the CPU does it: APM 2, 5.2 to 5.6; SDM 3, 4.3 to 4.9. Pure: it knows neither vCPUs
 * nor guest memory, only a configuration and two callbacks, so that unit tests run it in user space. Inline, so that
 * the callbacks cost no indirect calls. The glue to the vCPU is walk.c. No locking.
 */
#ifndef LODGE_MMU_WALK_CORE_H
#define LODGE_MMU_WALK_CORE_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/types.h>

#include <asm/processor-flags.h>

#include "walk.h"

#define WALK_PRESENT	BIT_ULL(0)
#define WALK_WRITE	BIT_ULL(1)
#define WALK_USER	BIT_ULL(2)
#define WALK_ACCESSED	BIT_ULL(5)
#define WALK_DIRTY	BIT_ULL(6)
#define WALK_LARGE	BIT_ULL(7)
#define WALK_NX		BIT_ULL(63)

/* Page-fault error code. APM 2, 8.4.2. */
#define WALK_ERROR_PRESENT	BIT(0)
#define WALK_ERROR_WRITE	BIT(1)
#define WALK_ERROR_USER		BIT(2)
#define WALK_ERROR_RESERVED	BIT(3)
#define WALK_ERROR_FETCH	BIT(4)
#define WALK_ERROR_KEY		BIT(5)

#define WALK_NOT_PRESENT	BIT(30)	/* of no error code: why a walk ended */

#define WALK_MAX_LEVELS		5

/**
 * struct lodge_walk_config - the registers that decide
 * @cr0, @cr3, @cr4: as the guest sees them
 * @pkru: protection key rights, if CR4.PKE
 * @maxphyaddr: the guest's
 * @long_mode: EFER.LMA
 * @nxe: EFER.NXE
 * @ac: RFLAGS.AC overrides SMAP for this access
 * @has_1g: 1 GiB pages exist
 * @bit8_reserved: bit 8 of the two highest levels' entries must be zero (AMD)
 * @probe: translate only: no rights are checked, no bits set
 */
struct lodge_walk_config {
	u64 cr0, cr3, cr4;
	u32 pkru;
	u8 maxphyaddr;
	bool long_mode;
	bool nxe;
	bool ac;
	bool has_1g;
	bool bit8_reserved;
	bool probe;
};

/**
 * struct lodge_walk_ops - guest memory
 * @read: fetch an entry of @len 4 or 8 bytes. 0 or -EFAULT.
 * @exchange: replace it. 1 done, 0 it has changed meanwhile, -EFAULT when it cannot be written (a table in ROM).
 */
struct lodge_walk_ops {
	int (*read)(void *context, gpa_t gpa, void *entry, unsigned int len);
	int (*exchange)(void *context, gpa_t gpa, u64 old, u64 new, unsigned int len);
};

/* How the entries of the mode in force are laid out. */
struct walk_format {
	u8 levels;
	u8 index_bits;
	u8 entry_len;
	bool pae;		/* three levels, the uppermost with four entries and no rights */
};

static inline struct walk_format walk_get_format(const struct lodge_walk_config *config)
{
	if (config->long_mode)
		return (struct walk_format){ config->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8, false };
	if (config->cr4 & X86_CR4_PAE)
		return (struct walk_format){ 3, 9, 8, true };
	return (struct walk_format){ 2, 10, 4, false };
}

static inline u64 walk_root(const struct lodge_walk_config *config, const struct walk_format *format)
{
	if (config->long_mode)
		return config->cr3 & GENMASK_ULL(51, 12);
	return config->cr3 & (format->pae ? GENMASK_ULL(31, 5) : GENMASK_ULL(31, 12));
}

static inline unsigned int walk_shift(const struct walk_format *format, int level)
{
	return 12 + (level - 1) * format->index_bits;
}

static inline gpa_t walk_entry_gpa(const struct walk_format *format, u64 table, gva_t gva, int level)
{
	unsigned int bits = format->pae && level == 3 ? 2 : format->index_bits;

	return table + ((gva >> walk_shift(format, level)) & ((1ULL << bits) - 1)) * format->entry_len;
}

static inline bool walk_is_leaf(const struct lodge_walk_config *config, const struct walk_format *format,
				u64 entry, int level)
{
	if (level == 1)
		return true;
	if (!(entry & WALK_LARGE))
		return false;
	if (level == 2)
		return format->entry_len == 8 || (config->cr4 & X86_CR4_PSE);
	return level == 3 && config->long_mode && config->has_1g;
}

/* Bits that must be zero in a present entry. APM 2, figures 5-4 to 5-27. */
static inline u64 walk_reserved(const struct lodge_walk_config *config, const struct walk_format *format,
				int level, bool leaf)
{
	u64 reserved;

	if (format->entry_len == 4) {
		/* PSE-36: bits 20:13 of a 4 MiB entry are address bits 39:32. */
		reserved = BIT_ULL(21);
		if (config->maxphyaddr < 40)
			reserved |= GENMASK_ULL(20, config->maxphyaddr <= 32 ? 13 : config->maxphyaddr - 32 + 13);
		return leaf && level == 2 ? reserved : 0;
	}
	reserved = config->maxphyaddr < 52 ? GENMASK_ULL(51, config->maxphyaddr) : 0;
	if (format->pae)
		reserved |= GENMASK_ULL(62, 52);
	if (!config->nxe)
		reserved |= WALK_NX;
	/* Not bit 5, though the manual reserves it: CPUs that read this entry at each walk do mark it accessed. */
	if (format->pae && level == 3)
		return reserved | WALK_NX | GENMASK_ULL(8, 6) | GENMASK_ULL(2, 1);
	if (leaf && level > 1)
		return reserved | GENMASK_ULL(walk_shift(format, level) - 1, 13);
	if (level > 3)
		reserved |= WALK_LARGE | (config->bit8_reserved ? BIT_ULL(8) : 0);
	else if (level == 3 && !config->has_1g)
		reserved |= WALK_LARGE;
	return reserved;
}

/* The page that a leaf maps, with the offset of @gva in it. */
static inline gpa_t walk_leaf_gpa(const struct walk_format *format, u64 entry, gva_t gva, int level)
{
	u64 offset = (1ULL << walk_shift(format, level)) - 1;
	u64 base = entry & GENMASK_ULL(51, 12);

	if (format->entry_len == 4 && level == 2)
		base |= ((entry >> 13) & 0xff) << 32;
	return (base & ~offset) | (gva & offset);
}

static inline bool walk_key_denies(const struct lodge_walk_config *config, u64 leaf, u32 access)
{
	u32 rights = config->pkru >> (((leaf >> 59) & 0xf) * 2);

	if (!config->long_mode || !(config->cr4 & X86_CR4_PKE) || (access & LODGE_ACCESS_EXEC))
		return false;
	if (rights & 1)
		return true;
	return (access & LODGE_ACCESS_WRITE) && (rights & 2) &&
	       ((access & LODGE_ACCESS_USER) || (config->cr0 & X86_CR0_WP));
}

/**
 * walk_denied() - the rights of a translation against an access
 * @rights: WALK_WRITE and WALK_USER if all levels grant them, WALK_NX if one denies execution
 * Return: 0, or the error code's bits that say why, WALK_ERROR_PRESENT among them.
 */
static inline u32 walk_denied(const struct lodge_walk_config *config, u64 rights, u64 leaf, u32 access)
{
	bool user = access & LODGE_ACCESS_USER;

	if (user && !(rights & WALK_USER))
		return WALK_ERROR_PRESENT;
	if ((access & LODGE_ACCESS_WRITE) && !(rights & WALK_WRITE) && (user || (config->cr0 & X86_CR0_WP)))
		return WALK_ERROR_PRESENT;
	if (access & LODGE_ACCESS_EXEC) {
		if ((rights & WALK_NX) || (!user && (rights & WALK_USER) && (config->cr4 & X86_CR4_SMEP)))
			return WALK_ERROR_PRESENT;
		return 0;
	}
	if (!user && (rights & WALK_USER) && (config->cr4 & X86_CR4_SMAP) && !config->ac)
		return WALK_ERROR_PRESENT;
	if ((rights & WALK_USER) && walk_key_denies(config, leaf, access))
		return WALK_ERROR_PRESENT | WALK_ERROR_KEY;
	return 0;
}

/* The part of an error code that the access alone decides. */
static inline u32 walk_access_error(const struct lodge_walk_config *config, u32 access)
{
	u32 error = 0;

	if (access & LODGE_ACCESS_WRITE)
		error |= WALK_ERROR_WRITE;
	if (access & LODGE_ACCESS_USER)
		error |= WALK_ERROR_USER;
	if ((access & LODGE_ACCESS_EXEC) &&
	    ((config->cr4 & X86_CR4_SMEP) || (config->nxe && (config->cr4 & X86_CR4_PAE))))
		error |= WALK_ERROR_FETCH;
	return error;
}

/* The entries that a walk used. */
struct walk_path {
	u64 entries[WALK_MAX_LEVELS];	/* by level - 1 */
	gpa_t gpas[WALK_MAX_LEVELS];
	int leaf;			/* level where it ended */
};

/* Go down. 0, -EFAULT, WALK_NOT_PRESENT, or the error code's bits. @rights is as in walk_denied(). */
static __always_inline int walk_descend(const struct lodge_walk_config *config, const struct walk_format *format,
					const struct lodge_walk_ops *ops, void *context, gva_t gva,
					struct walk_path *path, u64 *rights)
{
	u64 table = walk_root(config, format), entry;
	int level;
	bool leaf;

	*rights = WALK_WRITE | WALK_USER;
	for (level = format->levels; ; level--) {
		entry = 0;
		path->gpas[level - 1] = walk_entry_gpa(format, table, gva, level);
		if (ops->read(context, path->gpas[level - 1], &entry, format->entry_len))
			return -EFAULT;
		if (!(entry & WALK_PRESENT))
			return WALK_NOT_PRESENT;
		leaf = walk_is_leaf(config, format, entry, level);
		if (entry & walk_reserved(config, format, level, leaf))
			return WALK_ERROR_PRESENT | WALK_ERROR_RESERVED;
		path->entries[level - 1] = entry;
		if (!(format->pae && level == 3)) {
			*rights &= entry | WALK_NX;
			*rights |= entry & WALK_NX;
		}
		if (leaf)
			break;
		table = entry & GENMASK_ULL(51, 12);
	}
	path->leaf = level;
	return 0;
}

/* Set accessed, and dirty in the leaf of a write. False when an entry has changed since it was read. */
static __always_inline bool walk_set_bits(const struct walk_format *format, const struct lodge_walk_ops *ops,
					  void *context, const struct walk_path *path, bool write)
{
	int level = format->pae ? 2 : format->levels;
	u64 entry, bits;

	for (; level >= path->leaf; level--) {
		entry = path->entries[level - 1];
		bits = WALK_ACCESSED | (write && level == path->leaf ? WALK_DIRTY : 0);
		if ((entry & bits) == bits)
			continue;
		/* A table that cannot be written keeps its bits. */
		if (!ops->exchange(context, path->gpas[level - 1], entry, entry | bits, format->entry_len))
			return false;
	}
	return true;
}

/**
 * lodge_walk_core() - translate
 * @access: LODGE_ACCESS_*
 * Return: 0 with *@walk filled, or -EFAULT when a table cannot be read.
 */
static __always_inline int lodge_walk_core(const struct lodge_walk_config *config, const struct lodge_walk_ops *ops,
					   void *context, gva_t gva, u32 access, struct lodge_walk *walk)
{
	struct walk_format format = walk_get_format(config);
	struct walk_path path;
	u64 rights;
	int denied;

	*walk = (struct lodge_walk){ };
	if (!(config->cr0 & X86_CR0_PG)) {
		walk->gpa = gva & GENMASK_ULL(31, 0);
		return 0;
	}
	do {
		denied = walk_descend(config, &format, ops, context, gva, &path, &rights);
		if (denied < 0)
			return denied;
		if (!denied && !config->probe)
			denied = walk_denied(config, rights, path.entries[path.leaf - 1], access);
		if (denied) {
			walk->fault = true;
			walk->error = walk_access_error(config, access) | (denied & ~WALK_NOT_PRESENT);
			return 0;
		}
	} while (!config->probe && !walk_set_bits(&format, ops, context, &path, access & LODGE_ACCESS_WRITE));
	walk->gpa = walk_leaf_gpa(&format, path.entries[path.leaf - 1], gva, path.leaf);
	return 0;
}

#endif
