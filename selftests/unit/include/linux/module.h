/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing of the module's frame is needed in user space. */
#ifndef UNIT_MODULE_H
#define UNIT_MODULE_H

#include <linux/kernel.h>

#endif
