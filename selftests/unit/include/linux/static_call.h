/* SPDX-License-Identifier: GPL-2.0-only */
/* Static calls are calls through a pointer. */
#ifndef UNIT_STATIC_CALL_H
#define UNIT_STATIC_CALL_H

#define DECLARE_STATIC_CALL(name, func)	extern __typeof__(func) *unit_static_call_##name
#define static_call(name)		(*unit_static_call_##name)

#endif
