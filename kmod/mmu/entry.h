/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One entry of the nested tables, in AMD's and in Intel's encoding: the only place that knows which of the two
 * is in force. Both share present or readable (bit 0), writable (1), large (7) and the address (51:12); they
 * differ in the accessed and dirty bits and in how a memory type is written. APM 2, 5.4 and 15.25.5; SDM 3, 29.3.2.
 * No locking: an entry is a word that the CPU's walker also writes (accessed, dirty), so that whoever changes a
 * live one does it by compare-and-exchange, exchange or a locked bit operation.
 */
#ifndef LODGE_MMU_ENTRY_H
#define LODGE_MMU_ENTRY_H

#include <linux/bits.h>
#include <linux/io.h>

#include "mmu.h"

#define LODGE_ENTRY_PRESENT		BIT_ULL(0)
#define LODGE_ENTRY_WRITE_BIT		1
#define LODGE_ENTRY_WRITE		BIT_ULL(LODGE_ENTRY_WRITE_BIT)
/* User on NPT, where all accesses count as user's; execute on EPT. Large leaves may lack it: exec_level. */
#define LODGE_ENTRY_EXEC		BIT_ULL(2)
#define LODGE_ENTRY_BASE		(LODGE_ENTRY_PRESENT | LODGE_ENTRY_EXEC)
#define LODGE_ENTRY_LARGE		BIT_ULL(7)
#define LODGE_ENTRY_ADDRESS		GENMASK_ULL(51, 12)
/* Software's own, ignored by both walkers (52 to 56 on EPT, 52 to 58 on NPT). */
#define LODGE_ENTRY_HOST_WRITABLE	BIT_ULL(52)	/* the host lets this page be written */
#define LODGE_ENTRY_SPECIAL		BIT_ULL(53)	/* no page of the host's page cache or anonymous memory */
#define LODGE_ENTRY_WAS_DIRTY_BIT	54
#define LODGE_ENTRY_WAS_DIRTY		BIT_ULL(54)	/* dirty was cleared so that the CPU logs the next write */

#define LODGE_ENTRY_BITS		9		/* index bits of a level */
#define LODGE_ENTRIES			BIT(LODGE_ENTRY_BITS)

static inline bool entry_is_present(u64 entry)
{
	return entry & LODGE_ENTRY_PRESENT;
}

static inline bool entry_is_leaf(u64 entry, int level)
{
	return level == 1 || (entry & LODGE_ENTRY_LARGE);
}

/* Accessed and dirty are neighbours on both: 5 and 6 on NPT, 8 and 9 on EPT. */
static inline unsigned int entry_accessed_bit(void)
{
	return lodge_nested.format == LODGE_NESTED_NPT ? 5 : 8;
}

static inline u64 entry_accessed_mask(void)
{
	return 1ULL << entry_accessed_bit();
}

static inline unsigned int entry_dirty_bit(void)
{
	return entry_accessed_bit() + 1;
}

static inline u64 entry_dirty_mask(void)
{
	return BIT_ULL(entry_dirty_bit());
}

/*
 * What a grant of write access sets: where the CPU keeps no dirty bit, or will not for the access that just
 * faulted, software says dirty on its behalf.
 */
static inline u64 entry_writable_bits(bool dirty)
{
	return LODGE_ENTRY_WRITE | (dirty || !lodge_nested.has_ad ? entry_dirty_mask() : 0);
}

/* The dirty bit cleared, but not forgotten: whoever sets it logs the write. */
static inline u64 entry_relog(u64 entry)
{
	return (entry & entry_dirty_mask() ? entry | LODGE_ENTRY_WAS_DIRTY : entry) & ~entry_dirty_mask();
}

static inline hfn_t entry_hfn(u64 entry)
{
	return (entry & LODGE_ENTRY_ADDRESS & ~lodge_nested.encryption_mask) >> PAGE_SHIFT;
}

/* The frame number of a leaf: in a large one, bit 12 is the memory type's. */
static inline hfn_t entry_leaf_hfn(u64 entry, int level)
{
	return entry_hfn(entry) & ~((1ULL << ((level - 1) * LODGE_ENTRY_BITS)) - 1);
}

static inline u64 *entry_table(u64 entry)
{
	return phys_to_virt(entry_hfn(entry) << PAGE_SHIFT);
}

static inline u64 entry_make_table(hpa_t table)
{
	return LODGE_ENTRY_BASE | LODGE_ENTRY_WRITE | table | lodge_nested.encryption_mask;
}

/**
 * entry_memory_type() - bits of a leaf that make the guest's accesses as cacheable as the host's own mapping
 * @pat: the index into the host's PAT that the host's mapping uses; 0 is write-back
 * @level: of the leaf
 *
 * NPT indexes the host's PAT itself and combines with the guest's choice (APM 2, 15.25.8). EPT names a type:
 * write-back regardless of the guest's PAT for memory, uncached with the guest's PAT honoured for the rest
 * (SDM 3, 29.3.7.2).
 */
static inline u64 entry_memory_type(unsigned int pat, int level)
{
	if (lodge_nested.format == LODGE_NESTED_EPT)
		return pat ? 0 : 6ULL << 3 | BIT_ULL(6);
	return (u64)(pat & 3) << 3 | (u64)(pat >> 2) << (level == 1 ? 7 : 12);
}

/* The bits of a leaf that depend on its size alone. */
static inline u64 entry_level_bits(int level)
{
	return (level > 1 ? LODGE_ENTRY_LARGE : 0) | (level > lodge_nested.exec_level ? 0 : LODGE_ENTRY_EXEC);
}

/*
 * A large leaf's bits without its frame, as the leaves one level below need them: NPT's third memory type bit moves,
 * and what is small enough may be executed.
 */
static inline u64 entry_split_bits(u64 entry, int level)
{
	u64 bits = (entry & (~LODGE_ENTRY_ADDRESS | lodge_nested.encryption_mask) & ~LODGE_ENTRY_LARGE) |
		   entry_level_bits(level - 1);
	u64 pat = entry & BIT_ULL(12);

	return level > 2 ? bits | pat : bits | pat >> 5;
}

static inline unsigned int entry_index(gfn_t gfn, int level)
{
	return (gfn >> ((level - 1) * LODGE_ENTRY_BITS)) & (LODGE_ENTRIES - 1);
}

/* Frames that one entry of a level covers. */
static inline u64 entry_span(int level)
{
	return 1ULL << ((level - 1) * LODGE_ENTRY_BITS);
}

#endif
