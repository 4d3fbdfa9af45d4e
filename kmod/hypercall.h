/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL and VMMCALL: the calls of KVM's interface that lodge answers. */
#ifndef LODGE_HYPERCALL_H
#define LODGE_HYPERCALL_H

#include "lodge.h"

/*
 * Number in RAX, arguments in RBX, RCX, RDX, RSI; the result goes to RAX. Any context; RIP has moved on.
 * Return: as an exit's handler.
 */
int lodge_hypercall(struct lodge_vcpu *vcpu);

/*
 * An invalid opcode at CPL 0: the other vendor's hypercall instruction is overwritten with this one's, to be executed
 * anew; all else is the guest's #UD. A deferred handler: may sleep.
 */
int lodge_hypercall_fix(struct lodge_vcpu *vcpu);

#endif
