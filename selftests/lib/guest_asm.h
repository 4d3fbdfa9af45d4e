/* SPDX-License-Identifier: GPL-2.0-only */
/* The constants of guest.h that assembly needs too. */
#ifndef LODGE_SELFTEST_GUEST_ASM_H
#define LODGE_SELFTEST_GUEST_ASM_H

/* Byte port of the stubs that hand an exception to the host. */
#define EXC_PORT	0xe7

#endif
