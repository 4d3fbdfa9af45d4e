/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests of the pure parts. Each runs in the module at load when it is built
 * with LODGE_SELFTEST=1 (run.c), and in user space with sanitizers
 * (selftests/unit/). A test returns 0 when it passed; it says what failed
 * through pr_err().
 */
#ifndef LODGE_SELFTEST_H
#define LODGE_SELFTEST_H

/* The units that run in both places: int lodge_selftest_<unit>(void). */
#define LODGE_SELFTEST_UNITS(UNIT)	\
	UNIT(emulate)	\
	UNIT(emulate_access)	\
	UNIT(emulate_quick)	\
	UNIT(walk)	\
	UNIT(pic)	\
	UNIT(pit)	\
	UNIT(ioapic)	\
	UNIT(lapic)	\
	UNIT(routing)	\
	UNIT(vmx_state)	\
	UNIT(tsc_rate)

#define UNIT(name)	int lodge_selftest_##name(void);
LODGE_SELFTEST_UNITS(UNIT)
#undef UNIT

/* The module alone has what these look at. */
int lodge_selftest_svm_mitigations(void);
int lodge_selftest_vmx_mitigations(void);

#ifdef __LODGE_UNIT__
int lodge_selftest_emulate_native(void);	/* runs the same bytes on the CPU */
int lodge_selftest_emulate_compat(void);	/* the same in 32- and 16-bit segments */
int lodge_selftest_emulate_fuzz(void);		/* seconds of random input, too long for a load */
#endif

#endif
