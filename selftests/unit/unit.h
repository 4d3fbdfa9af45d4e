/* SPDX-License-Identifier: GPL-2.0-only */
/* What main.c offers to units that run in user space only. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

/* This unit cannot run here, because of @cause; returns what the unit shall return. */
int unit_skip(const char *cause);

#endif
