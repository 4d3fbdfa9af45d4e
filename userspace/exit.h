/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tool does when a vCPU leaves the guest.
 */
#ifndef LODGE_EXIT_H
#define LODGE_EXIT_H

struct lodge_vcpu;

/**
 * lodge_exit_handle() - act on the exit in vcpu->run
 * @vcpu: the caller's own vCPU, just returned from KVM_RUN with 0
 */
void lodge_exit_handle(struct lodge_vcpu *vcpu);

/**
 * lodge_exit_failed() - end the VM because KVM_RUN itself failed
 * @vcpu: the caller's own vCPU
 * @error: errno
 */
void lodge_exit_failed(struct lodge_vcpu *vcpu, int error);

#endif
