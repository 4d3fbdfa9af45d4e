// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-rng (virtio 1.1, 5.4). One worker thread fills buffers from
 * getrandom(); the device lock (virtio->lock) is held over each buffer, which
 * is cut short so that a guest cannot hold the lock for long.
 */
#include "rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "iov.h"
#include "virtio.h"
#include "vm.h"

#define CLASS_OTHER	0xff0000
#define BUFFER_MAX	4096

/**
 * struct lodge_rng - the device
 * @virtio: the device
 * @worker: its thread (immutable)
 * @stopping: the worker should end
 */
struct lodge_rng {
	struct lodge_virtio virtio;
	pthread_t worker;
	atomic_bool stopping;
};

/* The device writes at least one byte, and may write less than it was given. */
static uint32_t rng_fill(const struct lodge_chain *chain)
{
	const struct iovec *segments = chain->segments + chain->readable;
	size_t size = lodge_iov_length(segments, chain->writable);
	uint8_t bytes[BUFFER_MAX];
	ssize_t got;

	got = getrandom(bytes, size < sizeof(bytes) ? size : sizeof(bytes), 0);
	if (got <= 0)
		return 0;
	lodge_iov_put(segments, chain->writable, bytes, (size_t)got);
	explicit_bzero(bytes, sizeof(bytes));
	return (uint32_t)got;
}

/* Called with virtio->lock held. */
static void rng_queue_run(struct lodge_virtio *virtio)
{
	struct lodge_virtqueue *queue = &virtio->queues[0];
	struct lodge_chain chain;

	while (lodge_virtio_is_live(virtio) && lodge_virtqueue_pop(queue, &chain)) {
		lodge_virtqueue_push(queue, chain.head, rng_fill(&chain));
		lodge_virtio_interrupt(virtio, 0);
	}
	if (queue->error && lodge_virtio_is_live(virtio))
		lodge_virtio_break(virtio, queue->error);
}

static void *rng_main(void *argument)
{
	struct lodge_rng *rng = argument;
	struct lodge_virtio *virtio = &rng->virtio;
	struct pollfd doorbell = { .fd = virtio->kick[0], .events = POLLIN };
	uint64_t rings;

	while (!rng->stopping) {
		if (poll(&doorbell, 1, -1) < 0)
			continue;
		eventfd_read(virtio->kick[0], &rings);
		pthread_mutex_lock(&virtio->lock);
		rng_queue_run(virtio);
		pthread_mutex_unlock(&virtio->lock);
	}
	return NULL;
}

struct lodge_rng *lodge_rng_create(struct lodge_vm *vm, struct lodge_pci *bus)
{
	struct lodge_rng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for an entropy source");
	rng->virtio.vm = vm;
	rng->virtio.name = "entropy source";
	rng->virtio.queue_count = 1;
	lodge_virtio_add(&rng->virtio, bus, VIRTIO_ID_RNG, CLASS_OTHER);
	return rng;
}

void lodge_rng_start(struct lodge_rng *rng)
{
	int error = pthread_create(&rng->worker, NULL, rng_main, rng);

	if (error)
		lodge_fail(STATUS_FAILED, "the host gives no thread for the entropy source: %s",
			   strerror(error));
}

void lodge_rng_stop(struct lodge_rng *rng)
{
	rng->stopping = true;
	eventfd_write(rng->virtio.kick[0], 1);
	pthread_join(rng->worker, NULL);
	free(rng);
}
