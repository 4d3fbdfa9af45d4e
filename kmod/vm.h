/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM's fd. */
#ifndef LODGE_VM_H
#define LODGE_VM_H

#include "lodge.h"

extern unsigned int lodge_vm_list_generation;	/* under lodge_vm_list_lock: for resumable dumps */

const char *lodge_vm_death_name(enum lodge_vm_death why);

int lodge_vm_init(void);	/* module load: the worker that frees VMs; 0 or -ENOMEM */
void lodge_vm_exit(void);	/* module unload: waits until all are freed */

/* vm_ioctl.c: an fd for a new VM, which it owns. -errno on failure; the VM is gone then. */
int lodge_vm_fd_create(struct lodge_vm *vm);

#endif
