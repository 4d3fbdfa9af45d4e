// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions: MOVS, STOS, LODS, SCAS, CMPS, INS, OUTS, with REP. Every
 * iteration commits its registers, so that a fault, an exit or an interrupt in
 * the middle leaves RIP on the instruction with the rest still to do. Input from
 * a port is taken in batches that fit the destination's page; output goes a unit
 * at a time, because some VMMs take a batch for one wide access. No locks.
 */
#include "emulate_internal.h"

#define PREFIX_ANY_REP	(LODGE_PREFIX_REP | LODGE_PREFIX_REPNE)

static u64 string_address(const struct lodge_emulate *em, enum lodge_gpr reg)
{
	return em->gprs[reg] & size_mask(em->insn.address_size);
}

static void string_advance(struct lodge_emulate *em, enum lodge_gpr reg)
{
	u64 delta = em->insn.size;

	gpr_add(em, reg, em->rflags & FLAG_DF ? -delta : delta, em->insn.address_size);
}

static enum lodge_emulate_result string_load(struct lodge_emulate *em, unsigned int segment,
					     enum lodge_gpr reg, u64 *val)
{
	return lodge_memory_load(em, segment, string_address(em, reg), em->insn.size, val);
}

/* The destination is translated before the source is read: a device is not read for nothing. */
static enum lodge_emulate_result string_movs(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	struct memory_span span;
	u64 val;

	ret = lodge_span_prepare(em, LODGE_ES, string_address(em, LODGE_RDI), em->insn.size,
				 LODGE_ACCESS_WRITE, &span);
	if (!ret)
		ret = string_load(em, em->insn.segment, LODGE_RSI, &val);
	if (ret)
		return ret;
	ret = lodge_span_write(em, &span, value_bytes(&val));
	if (ret <= EMULATE_IO) {
		string_advance(em, LODGE_RSI);
		string_advance(em, LODGE_RDI);
	}
	return ret;
}

static enum lodge_emulate_result string_stos(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;

	ret = lodge_memory_write(em, LODGE_ES, string_address(em, LODGE_RDI), em->insn.size,
				 value_bytes(&em->gprs[LODGE_RAX]));
	if (ret <= EMULATE_IO)
		string_advance(em, LODGE_RDI);
	return ret;
}

static enum lodge_emulate_result string_lods(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	u64 val;

	ret = string_load(em, em->insn.segment, LODGE_RSI, &val);
	if (ret)
		return ret;
	gpr_write(em, LODGE_RAX, val, em->insn.size);
	string_advance(em, LODGE_RSI);
	return EMULATE_DONE;
}

static enum lodge_emulate_result string_scas(struct lodge_emulate *em)
{
	unsigned int size = em->insn.size;
	enum lodge_emulate_result ret;
	u64 val;

	ret = string_load(em, LODGE_ES, LODGE_RDI, &val);
	if (ret)
		return ret;
	lodge_alu_compute(LODGE_OP_CMP, size, em->gprs[LODGE_RAX] & size_mask(size), val, &em->rflags);
	string_advance(em, LODGE_RDI);
	return EMULATE_DONE;
}

static enum lodge_emulate_result string_cmps(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	u64 first, second;

	ret = string_load(em, em->insn.segment, LODGE_RSI, &first);
	if (!ret)
		ret = string_load(em, LODGE_ES, LODGE_RDI, &second);
	if (ret)
		return ret;
	lodge_alu_compute(LODGE_OP_CMP, em->insn.size, first, second, &em->rflags);
	string_advance(em, LODGE_RSI);
	string_advance(em, LODGE_RDI);
	return EMULATE_DONE;
}

/* IOPL, then the TSS's bitmap. APM 2, 8.2.14 and 12.2.4. */
static enum lodge_emulate_result port_check(struct lodge_emulate *em)
{
	if (em->mode == LODGE_MODE_REAL)
		return EMULATE_DONE;
	if (em->mode != LODGE_MODE_VM86 && em->cpl <= (em->rflags >> FLAG_IOPL_SHIFT & 3))
		return EMULATE_DONE;
	return em->ops->io_allowed(em, em->gprs[LODGE_RDX], em->insn.size);
}

static void port_set_io(struct lodge_emulate *em, bool write, unsigned int count)
{
	em->io.kind = LODGE_IO_PORT;
	em->io.write = write;
	em->io.size = em->insn.size;
	em->io.count = count;
	em->io.addr = (u16)em->gprs[LODGE_RDX];
}

/* How many units to ask for: what REP still wants and the destination's page holds. */
static unsigned int port_batch(struct lodge_emulate *em, u64 left)
{
	unsigned int size = em->insn.size, offset, count;
	u64 ea = string_address(em, LODGE_RDI), span;
	gva_t linear, last;

	if (lodge_span_linearize(em, LODGE_ES, ea, size, true, &linear))
		return 1;
	offset = linear & (GUEST_PAGE - 1);
	count = em->rflags & FLAG_DF ? offset / size + 1 : (GUEST_PAGE - offset) / size;
	count = min_t(u64, count, min_t(u64, left, LODGE_PORT_DATA / size));
	if (count < 2)
		return 1;

	/* All of it inside the segment, or unit by unit up to the fault. */
	span = (u64)(count - 1) * size;
	ea = (em->rflags & FLAG_DF ? ea - span : ea + span) & size_mask(em->insn.address_size);
	if (lodge_span_linearize(em, LODGE_ES, ea, size, true, &last))
		return 1;
	return last == (em->rflags & FLAG_DF ? linear - span : linear + span) ? count : 1;
}

/* Fill em->port_data, once the destination is known to take it. */
static enum lodge_emulate_result port_fill(struct lodge_emulate *em, u64 left)
{
	enum lodge_emulate_result ret;
	struct memory_span span;
	unsigned int count;

	ret = port_check(em);
	if (!ret)
		ret = lodge_span_prepare(em, LODGE_ES, string_address(em, LODGE_RDI), em->insn.size,
					 LODGE_ACCESS_WRITE, &span);
	if (ret)
		return ret;
	count = em->rflags & FLAG_TF ? 1 : port_batch(em, left);
	ret = em->ops->port_read(em, em->gprs[LODGE_RDX], em->insn.size, count);
	if (ret == EMULATE_IO)
		port_set_io(em, false, count);
	if (ret)
		return ret;
	em->port_pos = 0;
	em->port_end = count;
	return EMULATE_DONE;
}

/* Store what has come in one go, where it goes up into plain RAM of one page; 0 units if not. */
static unsigned int port_store_batch(struct lodge_emulate *em, u64 left)
{
	unsigned int size = em->insn.size, count = min_t(u64, left, em->port_end - em->port_pos);
	u64 ea = string_address(em, LODGE_RDI), last = ea + (u64)(count - 1) * size;
	struct memory_span span;
	gva_t linear;

	if (count < 2 || em->rflags & (FLAG_DF | FLAG_TF | FLAG_AC))
		return 0;
	if (last != (last & size_mask(em->insn.address_size)) ||
	    lodge_span_linearize(em, LODGE_ES, ea, count * size, true, &linear) ||
	    (linear & (GUEST_PAGE - 1)) + count * size > GUEST_PAGE)
		return 0;
	if (lodge_span_prepare(em, LODGE_ES, ea, count * size, LODGE_ACCESS_WRITE, &span) ||
	    em->ops->write(em, span.gpa[0], em->port_data + em->port_pos * size, count * size))
		return 0;
	em->port_pos += count;
	gpr_add(em, LODGE_RDI, (u64)count * size, em->insn.address_size);
	return count;
}

/* One or more units; *@done says how many. */
static enum lodge_emulate_result string_ins(struct lodge_emulate *em, u64 left, unsigned int *done)
{
	unsigned int size = em->insn.size;
	enum lodge_emulate_result ret;
	u8 buf[8];

	if (em->port_pos == em->port_end) {
		ret = port_fill(em, left);
		if (ret)
			return ret;
	}
	*done = port_store_batch(em, left);
	if (*done)
		return EMULATE_DONE;
	*done = 1;
	memcpy(buf, em->port_data + em->port_pos * size, size);
	ret = lodge_memory_write(em, LODGE_ES, string_address(em, LODGE_RDI), size, buf);
	if (ret <= EMULATE_IO) {
		em->port_pos++;
		string_advance(em, LODGE_RDI);
	}
	return ret;
}

static enum lodge_emulate_result string_outs(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	u64 val;

	ret = port_check(em);
	if (!ret)
		ret = string_load(em, em->insn.segment, LODGE_RSI, &val);
	if (ret)
		return ret;
	memcpy(em->port_data, &val, em->insn.size);
	ret = em->ops->port_write(em, em->gprs[LODGE_RDX], em->insn.size, 1);
	if (ret == EMULATE_IO)
		port_set_io(em, true, 1);
	if (ret <= EMULATE_IO)
		string_advance(em, LODGE_RSI);
	return ret;
}

static enum lodge_emulate_result string_iterate(struct lodge_emulate *em, u64 left, unsigned int *done)
{
	*done = 1;
	switch (em->insn.op) {
	case LODGE_OP_MOVS:
		return string_movs(em);
	case LODGE_OP_STOS:
		return string_stos(em);
	case LODGE_OP_LODS:
		return string_lods(em);
	case LODGE_OP_SCAS:
		return string_scas(em);
	case LODGE_OP_CMPS:
		return string_cmps(em);
	case LODGE_OP_INS:
		return string_ins(em, left, done);
	default:
		return string_outs(em);
	}
}

/* REPE and REPNE end when the comparison says so; for the others both are REP. APM 3, 1.2.6. */
static bool string_stops(const struct lodge_emulate *em)
{
	const struct lodge_insn *insn = &em->insn;

	if (insn->op != LODGE_OP_SCAS && insn->op != LODGE_OP_CMPS)
		return false;
	if (insn->prefixes & LODGE_PREFIX_REP)
		return !(em->rflags & FLAG_ZF);
	return em->rflags & FLAG_ZF;
}

enum lodge_emulate_result lodge_string_execute(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	bool rep = insn->prefixes & PREFIX_ANY_REP;
	unsigned int budget = LODGE_EMULATE_BATCH, done;
	enum lodge_emulate_result ret;
	u64 left = 1;

	for (;;) {
		if (rep) {
			left = string_address(em, LODGE_RCX);
			if (!left)
				break;
		}
		ret = string_iterate(em, left, &done);
		em->hint_access = 0;
		if (ret > EMULATE_IO || (ret == EMULATE_IO && !em->io.write))
			return ret;

		/* The iteration is over: registers and the record of its reads with it. */
		em->reads_pos = 0;
		em->reads_end = 0;
		if (rep)
			gpr_add(em, LODGE_RCX, -(u64)done, insn->address_size);
		if (!rep || left == done || string_stops(em)) {
			lodge_emulate_skip(em);
			return ret;
		}
		em->committed = true;
		em->single_step |= !!(em->rflags & FLAG_TF);
		if (ret == EMULATE_IO || em->rflags & FLAG_TF)
			return ret;
		budget -= min(budget, done);
		/* A batch of input that is used up ends the call: whoever stops the vCPU between exits gets a turn. */
		if ((!budget || insn->op == LODGE_OP_INS) && em->port_pos == em->port_end)
			return EMULATE_DONE;
	}
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}
