/* SPDX-License-Identifier: GPL-2.0-only */
/* irqfd (an eventfd raises a GSI) and ioeventfd (a guest write signals an eventfd). */
#ifndef LODGE_EVENTFD_H
#define LODGE_EVENTFD_H

#include "lodge.h"

int lodge_eventfd_init(void);			/* module load: the clean-up workqueue */
void lodge_eventfd_exit(void);
int lodge_irqfds_create(struct lodge_vm *vm);	/* at VM creation: vm->irqfds; 0 or -ENOMEM */
void lodge_irqfds_release(struct lodge_vm *vm);	/* at VM fd release: deassign all; may sleep */
void lodge_irqfds_drain(struct lodge_vm *vm);	/* after release: wait until none looks at the VM; may sleep long */
void lodge_irqfds_destroy(struct lodge_vm *vm);	/* frees vm->irqfds */
int lodge_irqfd_set(struct lodge_vm *vm, const struct kvm_irqfd *args);	/* KVM_IRQFD; KVM's errnos */
int lodge_ioeventfd_set(struct lodge_vm *vm, const struct kvm_ioeventfd *args);	/* KVM_IOEVENTFD */

#endif
