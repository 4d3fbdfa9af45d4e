/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LODGE_COMPAT_HOST_WORK_H
#define LODGE_COMPAT_HOST_WORK_H

/**
 * lodge_compat_host_work() - do what the host wants of this thread
 * Return: 0; -EINTR when there is a signal; -ERESTARTNOINTR when the system call must end, to be begun again before
 * user space sees anything of it.
 * Context: may sleep.
 */
int lodge_compat_host_work(void);

#endif
