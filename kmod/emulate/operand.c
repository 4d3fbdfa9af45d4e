// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: segmentation checks, translation, fetching, and the reads and writes of operands
 * in pieces of at most 8 bytes that do not cross a page. Reads are kept in
 * em->reads until the instruction is over; a write goes out only when all of it
 * has been translated. No locks.
 */
#include "emulate_internal.h"

/* APM 2, 4.7 and 4.12; the offsets that an expand-down segment allows lie above its limit. */
static bool segment_allows(const struct lodge_emulate *em, const struct lodge_emulate_segment *seg,
			   u64 first, u64 last, bool write)
{
	u16 attributes = seg->attributes;

	if (em->mode == LODGE_MODE_PROTECTED) {
		if (!(attributes & LODGE_SEG_P))
			return false;
		if (attributes & LODGE_SEG_CODE) {
			if (write || !(attributes & LODGE_SEG_WRITABLE))
				return false;
		} else {
			if (write && !(attributes & LODGE_SEG_WRITABLE))
				return false;
			if (attributes & LODGE_SEG_EXPAND_DOWN)
				return first > seg->limit &&
				       last <= (attributes & LODGE_SEG_DB ? 0xffffffff : 0xffff);
		}
	}
	return last <= seg->limit;
}

/* The linear address of @len bytes at @segment:@ea, or #GP, or #SS for the stack segment. */
static __always_inline enum lodge_emulate_result span_linearize(struct lodge_emulate *em, unsigned int segment,
								u64 ea, unsigned int len, bool write,
								gva_t *linear)
{
	const struct lodge_emulate_segment *seg;

	if (likely(em->mode == LODGE_MODE_LONG)) {
		if (unlikely(segment >= LODGE_FS))
			ea += segment_get(em, segment)->base;
		*linear = ea;
		if (unlikely(!address_is_canonical(em, ea)))
			goto fault;
		/* The border of what is canonical is one of pages too. */
		if (unlikely((ea & (GUEST_PAGE - 1)) + len > GUEST_PAGE) && !address_is_canonical(em, ea + len - 1))
			goto fault;
		return EMULATE_DONE;
	}
	seg = segment_get(em, segment);
	*linear = (u32)(seg->base + ea);
	if (likely(segment_allows(em, seg, ea, ea + len - 1, write)))
		return EMULATE_DONE;
fault:
	return emulate_fault_zero(em, segment == LODGE_SS ? VECTOR_SS : VECTOR_GP);
}

enum lodge_emulate_result lodge_span_linearize(struct lodge_emulate *em, unsigned int segment, u64 ea,
					       unsigned int len, bool write, gva_t *linear)
{
	return span_linearize(em, segment, ea, len, write, linear);
}

/*
 * Have @need bytes behind the decoder's position. A page's bytes are fetched at a time,
 * the next page's only when the instruction goes on there.
 */
enum lodge_emulate_result lodge_insn_fetch(struct lodge_emulate *em, unsigned int need)
{
	unsigned int end = em->insn.length + need;
	enum lodge_emulate_result ret;

	if (end > LODGE_INSN_MAX)
		return emulate_fault_zero(em, VECTOR_GP);
	while (em->nbytes < end) {
		u64 offset = em->rip + em->nbytes;
		u64 len = LODGE_INSN_MAX - em->nbytes;
		gva_t linear = offset;

		if (em->mode == LODGE_MODE_LONG) {
			if (!address_is_canonical(em, offset))
				return emulate_fault_zero(em, VECTOR_GP);
		} else {
			const struct lodge_emulate_segment *cs = segment_get(em, LODGE_CS);

			offset = (u32)offset;
			if (offset > cs->limit)
				return emulate_fault_zero(em, VECTOR_GP);
			len = min_t(u64, len, cs->limit - offset + 1);
			linear = (u32)(cs->base + offset);
		}
		len = min_t(u64, len, GUEST_PAGE - (linear & (GUEST_PAGE - 1)));
		ret = em->ops->fetch(em, linear, em->bytes + em->nbytes, len);
		if (ret)
			return ret;
		em->nbytes += len;
	}
	return EMULATE_DONE;
}

static noinline enum lodge_emulate_result page_walk(struct lodge_emulate *em, gva_t linear, u32 access, gpa_t *gpa)
{
	struct lodge_emulate_tlb *tlb = &em->tlb[access == LODGE_ACCESS_WRITE];
	gva_t page = linear & ~(GUEST_PAGE - 1);
	enum lodge_emulate_result ret;

	if (!tlb->access || tlb->page != page) {
		ret = em->ops->translate(em, linear, access | (em->cpl == 3 ? LODGE_ACCESS_USER : 0), gpa);
		if (ret)
			return ret;
		tlb->page = page;
		tlb->gpa = *gpa & ~(gpa_t)(GUEST_PAGE - 1);
		tlb->access = access;
	}
	*gpa = tlb->gpa | (linear & (GUEST_PAGE - 1));
	return EMULATE_DONE;
}

/*
 * Translate one page's worth. What the CPU's nested fault told is used once: its access
 * went through the guest's tables with the same rights, so the same place in a page for
 * no more than the same access leads to the same GPA.
 */
static inline enum lodge_emulate_result page_translate(struct lodge_emulate *em, gva_t linear, u32 access,
						       gpa_t *gpa)
{
	if (em->hint_access >= access && !((linear ^ em->hint_gpa) & (GUEST_PAGE - 1)) &&
	    !(em->insn.flags & ROW_TWO)) {
		*gpa = em->hint_gpa;
		em->hint_access = 0;
		return EMULATE_DONE;
	}
	return page_walk(em, linear, access, gpa);
}

/* Alignment check, for operands that are a power of two up to 8 bytes. APM 2, 8.2.18. */
static bool alignment_is_checked(const struct lodge_emulate *em)
{
	return em->rflags & FLAG_AC && em->cpl == 3 && em->cr0 & CONTROL_CR0_AM;
}

enum lodge_emulate_result lodge_span_prepare(struct lodge_emulate *em, unsigned int segment, u64 ea,
					     unsigned int len, u32 access, struct memory_span *span)
{
	enum lodge_emulate_result ret;
	unsigned int room;
	gva_t linear;

	ret = span_linearize(em, segment, ea, len, access == LODGE_ACCESS_WRITE, &linear);
	if (unlikely(ret))
		return ret;
	ret = page_translate(em, linear, access, &span->gpa[0]);
	if (unlikely(ret))
		return ret;
	room = GUEST_PAGE - (linear & (GUEST_PAGE - 1));
	span->len[0] = len;
	span->len[1] = 0;
	if (unlikely(room < len)) {
		gva_t second = linear + room;

		if (em->mode != LODGE_MODE_LONG)
			second = (u32)second;
		ret = page_translate(em, second, access, &span->gpa[1]);
		if (ret)
			return ret;
		span->len[0] = room;
		span->len[1] = len - room;
	}
	if (unlikely(alignment_is_checked(em)) && len <= 8 && linear & (len - 1)) {
		emulate_fault(em, VECTOR_AC);
		em->fault.has_error = true;
		return EMULATE_FAULT;
	}
	return EMULATE_DONE;
}

/* Take @len bytes of what was read before this instruction was interrupted by an exit. */
static inline bool reads_replay(struct lodge_emulate *em, u8 *buf, unsigned int len)
{
	if (likely(em->reads_pos + len > em->reads_end))
		return false;
	memcpy(buf, em->reads + em->reads_pos, len);
	em->reads_pos += len;
	return true;
}

/* Read one piece, or replay it, and keep it for replay. */
static enum lodge_emulate_result piece_read(struct lodge_emulate *em, gpa_t gpa, u8 *buf, unsigned int len)
{
	enum lodge_emulate_result ret;

	if (reads_replay(em, buf, len))
		return EMULATE_DONE;
	if (WARN_ON_ONCE(em->reads_end + len > LODGE_EMULATE_READS))
		return EMULATE_UNHANDLED;
	ret = em->ops->read(em, gpa, em->reads + em->reads_end, len);
	if (ret == EMULATE_IO) {
		em->io.kind = LODGE_IO_MMIO;
		em->io.write = false;
		em->io.size = len;
		em->io.count = 1;
		em->io.addr = gpa;
	}
	if (ret)
		return ret;
	memcpy(buf, em->reads + em->reads_end, len);
	em->reads_end += len;
	em->reads_pos = em->reads_end;
	return EMULATE_DONE;
}

enum lodge_emulate_result lodge_span_read(struct lodge_emulate *em, const struct memory_span *span, u8 *buf)
{
	enum lodge_emulate_result ret = EMULATE_DONE;
	unsigned int i, done, n;

	for (i = 0; i < 2; i++) {
		for (done = 0; done < span->len[i] && !ret; done += n, buf += n) {
			n = min(span->len[i] - done, 8u);
			ret = piece_read(em, span->gpa[i] + done, buf, n);
		}
	}
	return ret;
}

static noinline void io_set_write(struct lodge_emulate *em, gpa_t gpa, const u8 *buf, unsigned int len)
{
	em->io.kind = LODGE_IO_MMIO;
	em->io.write = true;
	em->io.size = len;
	em->io.count = 1;
	em->io.addr = gpa;
	memcpy(em->io.data, buf, len);
}

/* Send the pieces from em->pieces_pos on. Once the first is out the write counts as done. */
static enum lodge_emulate_result pieces_write(struct lodge_emulate *em, const u8 *buf)
{
	enum lodge_emulate_result ret = EMULATE_DONE;

	while (em->pieces_pos < em->pieces_end && !ret) {
		struct lodge_emulate_piece *piece = &em->pieces[em->pieces_pos];

		ret = em->ops->write(em, piece->gpa, buf, piece->len);
		if (ret > EMULATE_IO)
			return ret;
		if (ret == EMULATE_IO)
			io_set_write(em, piece->gpa, buf, piece->len);
		em->pieces_pos++;
		buf += piece->len;
	}
	return ret;
}

enum lodge_emulate_result lodge_span_write(struct lodge_emulate *em, const struct memory_span *span,
					   const u8 *buf)
{
	unsigned int i, done, n, count = 0;
	enum lodge_emulate_result ret;

	if (likely(!span->len[1] && span->len[0] <= 8)) {
		ret = em->ops->write(em, span->gpa[0], buf, span->len[0]);
		if (ret == EMULATE_IO)
			io_set_write(em, span->gpa[0], buf, span->len[0]);
		return ret;
	}
	for (i = 0; i < 2; i++) {
		for (done = 0; done < span->len[i]; done += n) {
			n = min(span->len[i] - done, 8u);
			em->pieces[count].gpa = span->gpa[i] + done;
			em->pieces[count++].len = n;
		}
	}
	em->pieces_pos = 0;
	em->pieces_end = count;
	memcpy(em->write_data, buf, span->len[0] + span->len[1]);
	return pieces_write(em, em->write_data);
}

/* The rest of a write of several pieces, after user space took one. */
enum lodge_emulate_result lodge_span_continue(struct lodge_emulate *em)
{
	unsigned int i, done = 0;

	for (i = 0; i < em->pieces_pos; i++)
		done += em->pieces[i].len;
	return pieces_write(em, em->write_data + done);
}

/* Replace @old by @new with a locked cycle where that is possible: plain RAM, inside a page. */
enum lodge_emulate_result lodge_span_exchange(struct lodge_emulate *em, const struct memory_span *span,
					      const u8 *old, const u8 *new)
{
	unsigned int len = span->len[0];
	enum lodge_emulate_result ret;

	if (!span->len[1]) {
		ret = em->ops->exchange(em, span->gpa[0], old, new, len);
		if (ret != EMULATE_IO)
			return ret;
	}
	return lodge_span_write(em, span, new);
}

enum lodge_emulate_result lodge_memory_read(struct lodge_emulate *em, unsigned int segment, u64 ea,
					    unsigned int len, u8 *buf)
{
	enum lodge_emulate_result ret;
	struct memory_span span;

	if (unlikely(reads_replay(em, buf, len)))
		return EMULATE_DONE;
	ret = lodge_span_prepare(em, segment, ea, len, LODGE_ACCESS_READ, &span);
	if (unlikely(ret))
		return ret;
	if (likely(!span.len[1] && len <= 8))
		return piece_read(em, span.gpa[0], buf, len);
	return lodge_span_read(em, &span, buf);
}

enum lodge_emulate_result lodge_memory_write(struct lodge_emulate *em, unsigned int segment, u64 ea,
					     unsigned int len, const u8 *buf)
{
	enum lodge_emulate_result ret;
	struct memory_span span;

	ret = lodge_span_prepare(em, segment, ea, len, LODGE_ACCESS_WRITE, &span);
	if (unlikely(ret))
		return ret;
	return lodge_span_write(em, &span, buf);
}

enum lodge_emulate_result lodge_memory_load(struct lodge_emulate *em, unsigned int segment, u64 ea,
					    unsigned int len, u64 *val)
{
	*val = 0;
	return lodge_memory_read(em, segment, ea, len, value_bytes(val));
}

/* Value of a general, immediate or memory operand, zero-extended. */
enum lodge_emulate_result lodge_operand_read(struct lodge_emulate *em, const struct lodge_operand *operand,
					     unsigned int size, u64 *val)
{
	switch (operand->kind) {
	case LODGE_OPERAND_GPR:
		*val = em->gprs[operand->reg] & size_mask(size);
		return EMULATE_DONE;
	case LODGE_OPERAND_MEMORY:
		return lodge_memory_load(em, em->insn.segment, em->insn.ea, size, val);
	case LODGE_OPERAND_IMM:
		*val = em->insn.imm & size_mask(size);
		return EMULATE_DONE;
	case LODGE_OPERAND_GPR_HIGH:
		*val = (u8)(em->gprs[operand->reg] >> 8);
		return EMULATE_DONE;
	default:
		return EMULATE_UNHANDLED;
	}
}

enum lodge_emulate_result lodge_operand_write(struct lodge_emulate *em, const struct lodge_operand *operand,
					      unsigned int size, u64 val)
{
	switch (operand->kind) {
	case LODGE_OPERAND_MEMORY:
		return lodge_memory_write(em, em->insn.segment, em->insn.ea, size, value_bytes(&val));
	case LODGE_OPERAND_GPR:
		gpr_write(em, operand->reg, val, size);
		return EMULATE_DONE;
	case LODGE_OPERAND_GPR_HIGH:
		em->gprs[operand->reg] = (em->gprs[operand->reg] & ~0xff00ull) | (val & 0xff) << 8;
		return EMULATE_DONE;
	default:
		return EMULATE_UNHANDLED;
	}
}
