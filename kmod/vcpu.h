/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU's creation and its fd. */
#ifndef LODGE_VCPU_H
#define LODGE_VCPU_H

#include "lodge.h"

/* Pages of the mapping of a vCPU's fd. */
#define LODGE_PIO_PAGE		1
#define LODGE_COALESCED_PAGE	2
#define LODGE_RUN_PAGES		3

/**
 * lodge_vcpu_create() - make a vCPU in its power-up state, not yet visible to others
 * @vm: the VM, whose lock the caller holds
 * @id: its APIC ID
 * Return: the vCPU or ERR_PTR(-ENOMEM). Owned by the caller until it is in vm->vcpus.
 */
struct lodge_vcpu *lodge_vcpu_create(struct lodge_vm *vm, u32 id);
void lodge_vcpu_free(struct lodge_vcpu *vcpu);

/* The page behind an offset of the mapping, made on first use; NULL past the end, ERR_PTR(-ENOMEM). */
struct page *lodge_vcpu_mapped_page(struct lodge_vcpu *vcpu, unsigned long index);

/* vcpu_ioctl.c: an fd for the vCPU, which takes a reference on its VM. -errno on failure. */
int lodge_vcpu_fd_create(struct lodge_vcpu *vcpu);

#endif
