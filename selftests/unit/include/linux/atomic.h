/* SPDX-License-Identifier: GPL-2.0-only */
/* Atomic variables; a unit runs in one thread. */
#ifndef UNIT_ATOMIC_H
#define UNIT_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>

typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;

#define ATOMIC_INIT(i)		{ (i) }
#define atomic_read(v)		READ_ONCE((v)->counter)
#define atomic_set(v, i)	WRITE_ONCE((v)->counter, i)
#define atomic_inc(v)		((void)++(v)->counter)
#define atomic_dec(v)		((void)--(v)->counter)
#define atomic_add(i, v)	((void)((v)->counter += (i)))
#define atomic_inc_return(v)	(++(v)->counter)
#define atomic_xchg(v, i)	({ int _old = (v)->counter; (v)->counter = (i); _old; })

#define cmpxchg(p, old, new) ({ __typeof__(*(p)) _was = *(p); if (_was == (old)) *(p) = (new); _was; })

#define smp_mb()		barrier()
#define smp_rmb()		barrier()
#define smp_wmb()		barrier()
#define smp_mb__after_atomic()	barrier()
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)

#endif
