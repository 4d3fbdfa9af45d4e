/* SPDX-License-Identifier: GPL-2.0-only */
/* No symbol is exported in user space. */
#ifndef UNIT_EXPORT_H
#define UNIT_EXPORT_H

#define EXPORT_SYMBOL_GPL(sym)

#endif
