// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd: an eventfd that raises a GSI. ioeventfd: a guest's write that signals an eventfd.
 *
 * irqfds->mutex serialises assign, deassign and the membership of resamplers; irqfds->lock guards the list, which
 * the wake-up callback changes too. That callback runs under the eventfd's own lock with interrupts off. An
 * irqfd dies once: by deassign, by the last close of its eventfd, or with the VM; whoever takes it off the list
 * queues its shutdown, which waits for the callback. One that resamples has a second step, which waits for RCU;
 * the thread that closes a VM waits for the first only. ioeventfds are devices of a bus, which owns them; their
 * list is under vm->slots_lock. Routes are routing.c's and looked up at each injection.
 */
#include "eventfd.h"

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "io_bus.h"
#include "irqchip/irqchip.h"

#define IRQ_SOURCE_RESAMPLE	(LODGE_IRQ_SOURCE_USER + 1)
#define IRQFD_FLAGS_ALL		(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)
#define IOEVENTFD_FLAGS_ALL	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

/*
 * All resampling irqfds of one GSI: at an acknowledge the line falls once, then everybody is told. One by one, the
 * second's fall would undo what the first's answer raised.
 */
struct lodge_resampler {
	struct lodge_irq_ack ack;
	struct lodge_vm *vm;
	struct list_head irqfds;	/* (r) irqfds->mutex */
	struct list_head link;		/* in irqfds->resamplers, irqfds->mutex */
};

struct lodge_irqfd {
	struct lodge_vm *vm;			/* (i) */
	u32 gsi;				/* (i) */
	struct eventfd_ctx *eventfd;		/* (i) */
	struct eventfd_ctx *resample;		/* (i) or NULL */
	struct lodge_resampler *resampler;	/* (i) or NULL */
	struct list_head resampler_link;	/* (r) irqfds->mutex */
	struct list_head link;			/* irqfds->lock: in irqfds->list, empty once it is dying */
	wait_queue_entry_t wait;
	poll_table table;
	struct work_struct shutdown, leave;
};

struct lodge_ioeventfd {
	struct lodge_io_device dev;
	struct list_head link;			/* in irqfds->ioeventfds, vm->slots_lock */
	u64 addr;
	u32 len;				/* 0: any */
	enum lodge_bus bus;
	bool wildcard;				/* whatever is written */
	u64 datamatch;
	struct eventfd_ctx *eventfd;
};

struct lodge_irqfds {
	struct mutex mutex;
	spinlock_t lock;
	struct list_head list;
	struct list_head resamplers;
	struct list_head ioeventfds;
	bool used;			/* (a) there was an irqfd, so that there may be works to wait for */
};

static struct workqueue_struct *irqfd_cleanup;
static struct workqueue_struct *irqfd_leaving;	/* second steps */

/* Any context. */
static void irqfd_inject(struct lodge_irqfd *irqfd)
{
	if (irqfd->resampler) {
		lodge_irq_set(irqfd->vm, IRQ_SOURCE_RESAMPLE, irqfd->gsi, 1);
	} else {
		lodge_irq_set(irqfd->vm, LODGE_IRQ_SOURCE_USER, irqfd->gsi, 1);
		lodge_irq_set(irqfd->vm, LODGE_IRQ_SOURCE_USER, irqfd->gsi, 0);
	}
}

static void resampler_acked(struct lodge_irq_ack *ack)
{
	struct lodge_resampler *resampler = container_of(ack, struct lodge_resampler, ack);
	struct lodge_irqfd *irqfd;

	lodge_irq_set(resampler->vm, IRQ_SOURCE_RESAMPLE, ack->gsi, 0);
	rcu_read_lock();
	list_for_each_entry_rcu(irqfd, &resampler->irqfds, resampler_link)
		eventfd_signal(irqfd->resample);
	rcu_read_unlock();
}

static int resampler_join(struct lodge_irqfds *irqfds, struct lodge_irqfd *irqfd)
{
	struct lodge_resampler *resampler;

	lockdep_assert_held(&irqfds->mutex);
	list_for_each_entry(resampler, &irqfds->resamplers, link)
		if (resampler->ack.gsi == irqfd->gsi)
			goto join;
	resampler = kzalloc(sizeof(*resampler), GFP_KERNEL_ACCOUNT);
	if (!resampler)
		return -ENOMEM;
	resampler->vm = irqfd->vm;
	resampler->ack.gsi = irqfd->gsi;
	resampler->ack.acked = resampler_acked;
	INIT_LIST_HEAD(&resampler->irqfds);
	list_add(&resampler->link, &irqfds->resamplers);
	lodge_irq_ack_register(irqfd->vm, &resampler->ack);
join:
	list_add_rcu(&irqfd->resampler_link, &resampler->irqfds);
	irqfd->resampler = resampler;
	return 0;
}

static void resampler_leave(struct lodge_irqfd *irqfd)
{
	struct lodge_irqfds *irqfds = irqfd->vm->irqfds;
	struct lodge_resampler *resampler = irqfd->resampler;

	mutex_lock(&irqfds->mutex);
	list_del_rcu(&irqfd->resampler_link);
	if (list_empty(&resampler->irqfds)) {
		list_del(&resampler->link);
		lodge_irq_ack_unregister(irqfd->vm, &resampler->ack);
		lodge_irq_set(irqfd->vm, IRQ_SOURCE_RESAMPLE, irqfd->gsi, 0);
		kfree(resampler);
	} else {
		/* resampler_acked() may be at this irqfd. */
		synchronize_rcu();
	}
	mutex_unlock(&irqfds->mutex);
}

static void irqfd_free(struct lodge_irqfd *irqfd)
{
	if (irqfd->resample)
		eventfd_ctx_put(irqfd->resample);
	if (irqfd->eventfd)
		eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

static void irqfd_leave(struct work_struct *work)
{
	struct lodge_irqfd *irqfd = container_of(work, struct lodge_irqfd, leave);

	resampler_leave(irqfd);
	irqfd_free(irqfd);
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct lodge_irqfd *irqfd = container_of(work, struct lodge_irqfd, shutdown);
	u64 count;

	/* Takes the eventfd's lock: the callback has ended and does not run again. */
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	if (irqfd->resampler)
		queue_work(irqfd_leaving, &irqfd->leave);
	else
		irqfd_free(irqfd);
}

static void irqfd_deactivate(struct lodge_irqfds *irqfds, struct lodge_irqfd *irqfd)
{
	lockdep_assert_held(&irqfds->lock);
	if (list_empty(&irqfd->link))
		return;
	list_del_init(&irqfd->link);
	queue_work(irqfd_cleanup, &irqfd->shutdown);
}

/* Under the eventfd's lock, interrupts off. 1 tells the waker that the event was consumed. */
static int irqfd_woken(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct lodge_irqfd *irqfd = container_of(wait, struct lodge_irqfd, wait);
	struct lodge_irqfds *irqfds = irqfd->vm->irqfds;
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	int consumed = 0;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		irqfd_inject(irqfd);
		consumed = 1;
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&irqfds->lock, flags);
		irqfd_deactivate(irqfds, irqfd);
		spin_unlock_irqrestore(&irqfds->lock, flags);
	}
	return consumed;
}

/* First in the queue and exclusive: an event that was injected is not user space's to read as well. */
static void irqfd_enqueue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct lodge_irqfd *irqfd = container_of(table, struct lodge_irqfd, table);

	irqfd->wait.flags |= WQ_FLAG_EXCLUSIVE;
	add_wait_queue_priority(head, &irqfd->wait);
}

static int irqfd_check(struct lodge_vm *vm, const struct kvm_irqfd *args)
{
	if (!lodge_vm_has_lapics(vm))
		return -EINVAL;
	if (args->gsi >= LODGE_MAX_IRQ_ROUTES)
		return -EINVAL;
	/* Only chips in the kernel tell of acknowledges. */
	if ((args->flags & KVM_IRQFD_FLAG_RESAMPLE) && vm->irqchip_mode != LODGE_IRQCHIP_KERNEL)
		return -EINVAL;
	return 0;
}

/* An irqfd that nobody knows yet. */
static struct lodge_irqfd *irqfd_create(struct lodge_vm *vm, const struct kvm_irqfd *args, struct file *file)
{
	struct lodge_irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	struct eventfd_ctx *ctx;

	if (!irqfd)
		return ERR_PTR(-ENOMEM);
	irqfd->vm = vm;
	irqfd->gsi = args->gsi;
	INIT_LIST_HEAD(&irqfd->link);
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	INIT_WORK(&irqfd->leave, irqfd_leave);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_woken);
	init_poll_funcptr(&irqfd->table, irqfd_enqueue);
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx))
		goto free;
	irqfd->eventfd = ctx;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		ctx = eventfd_ctx_fdget(args->resamplefd);
		if (IS_ERR(ctx))
			goto free;
		irqfd->resample = ctx;
	}
	return irqfd;

free:
	irqfd_free(irqfd);
	return ERR_CAST(ctx);
}

/* The caller holds irqfds->mutex, so that nobody adds one meanwhile. */
static bool irqfd_eventfd_used(struct lodge_irqfds *irqfds, struct eventfd_ctx *eventfd)
{
	struct lodge_irqfd *irqfd;
	bool used = false;

	lockdep_assert_held(&irqfds->mutex);
	spin_lock_irq(&irqfds->lock);
	list_for_each_entry(irqfd, &irqfds->list, link)
		used |= irqfd->eventfd == eventfd;
	spin_unlock_irq(&irqfds->lock);
	return used;
}

/*
 * Make it live. With the mutex and @file held neither a deassign nor the eventfd's end comes between the list
 * and the wait queue.
 */
static int irqfd_activate(struct lodge_irqfds *irqfds, struct lodge_irqfd *irqfd, struct file *file)
{
	int ret;

	lockdep_assert_held(&irqfds->mutex);
	if (irqfd_eventfd_used(irqfds, irqfd->eventfd))
		return -EBUSY;
	if (irqfd->resample) {
		ret = resampler_join(irqfds, irqfd);
		if (ret)
			return ret;
	}
	WRITE_ONCE(irqfds->used, true);
	spin_lock_irq(&irqfds->lock);
	list_add_tail(&irqfd->link, &irqfds->list);
	spin_unlock_irq(&irqfds->lock);
	/* What was signalled before anybody listened. */
	if (vfs_poll(file, &irqfd->table) & EPOLLIN)
		irqfd_inject(irqfd);
	return 0;
}

static int irqfd_assign(struct lodge_vm *vm, const struct kvm_irqfd *args)
{
	struct lodge_irqfds *irqfds = vm->irqfds;
	struct lodge_irqfd *irqfd;
	struct file *file;
	int ret = irqfd_check(vm, args);

	if (ret)
		return ret;
	file = eventfd_fget(args->fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	irqfd = irqfd_create(vm, args, file);
	if (IS_ERR(irqfd)) {
		ret = PTR_ERR(irqfd);
		goto put_file;
	}
	mutex_lock(&irqfds->mutex);
	ret = irqfd_activate(irqfds, irqfd, file);
	mutex_unlock(&irqfds->mutex);
	if (ret)
		irqfd_free(irqfd);
put_file:
	fput(file);
	return ret;
}

/* Take off those of @eventfd and @gsi, or all when @eventfd is NULL, and wait until they hear no signal. */
static void irqfds_deactivate(struct lodge_irqfds *irqfds, struct eventfd_ctx *eventfd, u32 gsi)
{
	struct lodge_irqfd *irqfd, *next;

	mutex_lock(&irqfds->mutex);
	spin_lock_irq(&irqfds->lock);
	list_for_each_entry_safe(irqfd, next, &irqfds->list, link)
		if (!eventfd || (irqfd->eventfd == eventfd && irqfd->gsi == gsi))
			irqfd_deactivate(irqfds, irqfd);
	spin_unlock_irq(&irqfds->lock);
	mutex_unlock(&irqfds->mutex);
	/* Also for those whose eventfd's end came first. */
	flush_workqueue(irqfd_cleanup);
}

static int irqfd_deassign(struct lodge_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	irqfds_deactivate(vm->irqfds, eventfd, args->gsi);
	flush_workqueue(irqfd_leaving);
	eventfd_ctx_put(eventfd);
	return 0;
}

int lodge_irqfd_set(struct lodge_vm *vm, const struct kvm_irqfd *args)
{
	if (args->flags & ~IRQFD_FLAGS_ALL)
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(vm, args);
	return irqfd_assign(vm, args);
}

static bool ioeventfd_matches(const struct lodge_ioeventfd *ioeventfd, u64 addr, unsigned int len, const void *val)
{
	u64 data = 0;

	if (addr != ioeventfd->addr)
		return false;
	if (!ioeventfd->len)
		return true;
	if (len != ioeventfd->len)
		return false;
	if (ioeventfd->wildcard)
		return true;
	memcpy(&data, val, len);
	return data == ioeventfd->datamatch;
}

static int ioeventfd_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			   const void *val)
{
	struct lodge_ioeventfd *ioeventfd = container_of(dev, struct lodge_ioeventfd, dev);

	if (!ioeventfd_matches(ioeventfd, addr, len, val))
		return -EOPNOTSUPP;
	eventfd_signal(ioeventfd->eventfd);
	return 0;
}

/* The list is not touched: a deassign has left it, and at the VM's end it goes as a whole. */
static void ioeventfd_release(struct lodge_io_device *dev)
{
	struct lodge_ioeventfd *ioeventfd = container_of(dev, struct lodge_ioeventfd, dev);

	eventfd_ctx_put(ioeventfd->eventfd);
	kfree(ioeventfd);
}

static const struct lodge_io_ops ioeventfd_ops = {
	.write = ioeventfd_write,
	.release = ioeventfd_release,
};

static enum lodge_bus ioeventfd_bus(const struct kvm_ioeventfd *args)
{
	return args->flags & KVM_IOEVENTFD_FLAG_PIO ? LODGE_BUS_PIO : LODGE_BUS_MMIO;
}

/* Some write would signal both. */
static bool ioeventfd_collides(struct lodge_vm *vm, const struct lodge_ioeventfd *new)
{
	struct lodge_ioeventfd *old;

	lockdep_assert_held(&vm->slots_lock);
	list_for_each_entry(old, &vm->irqfds->ioeventfds, link) {
		if (old->bus != new->bus || old->addr != new->addr)
			continue;
		if (!old->len || !new->len)
			return true;
		if (old->len == new->len && (old->wildcard || new->wildcard || old->datamatch == new->datamatch))
			return true;
	}
	return false;
}

static int ioeventfd_check(const struct kvm_ioeventfd *args)
{
	switch (args->len) {
	case 0:
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~IOEVENTFD_FLAGS_ALL)
		return -EINVAL;
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	return 0;
}

static int ioeventfd_assign(struct lodge_vm *vm, const struct kvm_ioeventfd *args)
{
	struct lodge_ioeventfd *ioeventfd;
	struct eventfd_ctx *eventfd;
	int ret = ioeventfd_check(args);

	if (ret)
		return ret;
	eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	ioeventfd = kzalloc(sizeof(*ioeventfd), GFP_KERNEL_ACCOUNT);
	if (!ioeventfd) {
		eventfd_ctx_put(eventfd);
		return -ENOMEM;
	}
	ioeventfd->dev.ops = &ioeventfd_ops;
	ioeventfd->dev.uncounted = true;
	ioeventfd->addr = args->addr;
	ioeventfd->len = args->len;
	ioeventfd->bus = ioeventfd_bus(args);
	ioeventfd->wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	ioeventfd->datamatch = args->datamatch;
	ioeventfd->eventfd = eventfd;

	mutex_lock(&vm->slots_lock);
	if (ioeventfd_collides(vm, ioeventfd))
		ret = -EEXIST;
	else
		ret = lodge_io_bus_register(vm, ioeventfd->bus, ioeventfd->addr, ioeventfd->len, &ioeventfd->dev);
	if (!ret)
		list_add_tail(&ioeventfd->link, &vm->irqfds->ioeventfds);
	mutex_unlock(&vm->slots_lock);
	if (ret)
		ioeventfd_release(&ioeventfd->dev);
	return ret;
}

static struct lodge_ioeventfd *ioeventfd_find(struct lodge_vm *vm, const struct kvm_ioeventfd *args,
					      struct eventfd_ctx *eventfd)
{
	bool wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	struct lodge_ioeventfd *ioeventfd;

	lockdep_assert_held(&vm->slots_lock);
	list_for_each_entry(ioeventfd, &vm->irqfds->ioeventfds, link)
		if (ioeventfd->bus == ioeventfd_bus(args) && ioeventfd->eventfd == eventfd &&
		    ioeventfd->addr == args->addr && ioeventfd->len == args->len &&
		    ioeventfd->wildcard == wildcard && (wildcard || ioeventfd->datamatch == args->datamatch))
			return ioeventfd;
	return NULL;
}

static int ioeventfd_deassign(struct lodge_vm *vm, const struct kvm_ioeventfd *args)
{
	struct lodge_ioeventfd *ioeventfd;
	struct eventfd_ctx *eventfd;

	if (args->flags & ~IOEVENTFD_FLAGS_ALL)
		return -EINVAL;
	eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	mutex_lock(&vm->slots_lock);
	ioeventfd = ioeventfd_find(vm, args, eventfd);
	if (ioeventfd) {
		list_del(&ioeventfd->link);
		lodge_io_bus_unregister(vm, ioeventfd->bus, &ioeventfd->dev);
	}
	mutex_unlock(&vm->slots_lock);
	eventfd_ctx_put(eventfd);
	return ioeventfd ? 0 : -ENOENT;
}

int lodge_ioeventfd_set(struct lodge_vm *vm, const struct kvm_ioeventfd *args)
{
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return ioeventfd_deassign(vm, args);
	return ioeventfd_assign(vm, args);
}

int lodge_irqfds_create(struct lodge_vm *vm)
{
	struct lodge_irqfds *irqfds = kzalloc(sizeof(*irqfds), GFP_KERNEL_ACCOUNT);

	if (!irqfds)
		return -ENOMEM;
	mutex_init(&irqfds->mutex);
	spin_lock_init(&irqfds->lock);
	INIT_LIST_HEAD(&irqfds->list);
	INIT_LIST_HEAD(&irqfds->resamplers);
	INIT_LIST_HEAD(&irqfds->ioeventfds);
	vm->irqfds = irqfds;
	return 0;
}

void lodge_irqfds_release(struct lodge_vm *vm)
{
	if (READ_ONCE(vm->irqfds->used))
		irqfds_deactivate(vm->irqfds, NULL, 0);
}

void lodge_irqfds_drain(struct lodge_vm *vm)
{
	if (vm->irqfds && READ_ONCE(vm->irqfds->used))
		flush_workqueue(irqfd_leaving);
}

void lodge_irqfds_destroy(struct lodge_vm *vm)
{
	kfree(vm->irqfds);
	vm->irqfds = NULL;
}

int lodge_eventfd_init(void)
{
	irqfd_cleanup = alloc_workqueue("lodge-irqfd", WQ_UNBOUND, 0);
	if (!irqfd_cleanup)
		return -ENOMEM;
	/* Waited for by the worker that frees VMs, and with that when there is no memory. */
	irqfd_leaving = alloc_workqueue("lodge-irqfd-leave", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!irqfd_leaving) {
		destroy_workqueue(irqfd_cleanup);
		return -ENOMEM;
	}
	return 0;
}

void lodge_eventfd_exit(void)
{
	destroy_workqueue(irqfd_cleanup);
	destroy_workqueue(irqfd_leaving);
}
