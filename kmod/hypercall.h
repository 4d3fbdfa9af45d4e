/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL and VMMCALL: the calls of KVM's interface that lodge answers. */
#ifndef LODGE_HYPERCALL_H
#define LODGE_HYPERCALL_H

#include "lodge.h"

/* Number in RAX, arguments in RBX, RCX, RDX, RSI; the result goes to RAX. Any context; RIP has moved on. */
void lodge_hypercall(struct lodge_vcpu *vcpu);

#endif
