/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LODGE_COMPAT_HOST_WORK_H
#define LODGE_COMPAT_HOST_WORK_H

/**
 * lodge_compat_host_work() - do what the host wants of this thread
 * Return: 0, or -EINTR when it must return to user space first (a signal).
 * Context: may sleep.
 */
int lodge_compat_host_work(void);

#endif
