// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk (virtio 1.1, 5.2): requests go from the queue into an io_uring
 * and come back from it, on one worker thread that owns the ring. The device
 * lock (virtio->lock) guards the queue and the request slots; it is not held
 * while the worker sleeps. Opening images is in disk.c.
 */
#include "blk.h"

#include <errno.h>
#include <liburing.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "iov.h"
#include "virtio.h"
#include "vm.h"

#define CLASS_STORAGE_OTHER	0x018000
#define SECTOR			512
#define SEGMENTS_MAX		(LODGE_CHAIN_SEGMENTS - 4)
#define IN_FLIGHT_MAX		64
#define RING_ENTRIES		(2 * IN_FLIGHT_MAX)	/* and the doorbell's poll */

/**
 * struct blk_request - one request between queue and ring
 * @next: free list
 * @chain: the driver's buffer, cut down to the data that is still to move
 * @status: where the driver wants the status
 * @written: bytes that the driver's buffer has received
 * @offset: where in the image the rest goes
 * @type: what the driver asked for
 */
struct blk_request {
	struct blk_request *next;
	struct lodge_chain chain;
	uint8_t *status;
	uint32_t written;
	uint64_t offset;
	uint32_t type;
};

/**
 * struct lodge_blk - one disk
 * @virtio: the device
 * @disk: its image (immutable)
 * @serial: its serial number (immutable)
 * @name: for messages (immutable)
 * @worker: its thread (immutable)
 * @ring: the worker's own
 * @stopping: the worker should end once nothing is in flight
 * @idle: signalled when @in_flight falls to zero; with virtio->lock
 * @in_flight: requests in the ring (virtio->lock)
 * @free: slots not in use (virtio->lock)
 * @slots: all of them
 */
struct lodge_blk {
	struct lodge_virtio virtio;
	const struct lodge_disk *disk;
	char serial[VIRTIO_BLK_ID_BYTES + 1];
	char name[32];
	pthread_t worker;
	struct io_uring ring;
	atomic_bool stopping;
	pthread_cond_t idle;
	unsigned int in_flight;
	struct blk_request *free;
	struct blk_request slots[IN_FLIGHT_MAX];
};

static void blk_finish(struct lodge_blk *blk, struct blk_request *request, uint8_t status)
{
	struct lodge_virtio *virtio = &blk->virtio;

	/* A device that was reset meanwhile owns no buffer any more. */
	if (lodge_virtio_is_live(virtio)) {
		*request->status = status;
		lodge_virtqueue_push(&virtio->queues[0], request->chain.head,
				     request->written + 1);
		lodge_virtio_interrupt(virtio, 0);
	}
	request->next = blk->free;
	blk->free = request;
}

/* Segments of the data that a request moves; header and status are cut off. */
static struct iovec *request_data(struct blk_request *request, unsigned int *count)
{
	bool read = request->type == VIRTIO_BLK_T_IN;

	*count = read ? request->chain.writable : request->chain.readable;
	return request->chain.segments + (read ? request->chain.readable : 0);
}

/* The ring has room for every slot, so an entry is always there. */
static void blk_submit(struct lodge_blk *blk, struct blk_request *request)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&blk->ring);
	unsigned int count;
	struct iovec *data = request_data(request, &count);

	switch (request->type) {
	case VIRTIO_BLK_T_IN:
		io_uring_prep_readv(sqe, blk->disk->fd, data, count, request->offset);
		break;
	case VIRTIO_BLK_T_OUT:
		io_uring_prep_writev(sqe, blk->disk->fd, data, count, request->offset);
		break;
	default:
		io_uring_prep_fsync(sqe, blk->disk->fd, IORING_FSYNC_DATASYNC);
	}
	io_uring_sqe_set_data(sqe, request);
}

static void blk_send(struct lodge_blk *blk, struct blk_request *request)
{
	blk->in_flight++;
	blk_submit(blk, request);
}

static bool blk_range_valid(const struct lodge_blk *blk, uint64_t sector, size_t length)
{
	uint64_t sectors = blk->disk->size / SECTOR;

	return length % SECTOR == 0 && sector <= sectors && length / SECTOR <= sectors - sector;
}

static void blk_transfer(struct lodge_blk *blk, struct blk_request *request, uint64_t sector)
{
	unsigned int count;
	struct iovec *data = request_data(request, &count);
	size_t length = lodge_iov_length(data, count);

	if (!blk_range_valid(blk, sector, length) ||
	    (request->type == VIRTIO_BLK_T_OUT && blk->disk->read_only)) {
		blk_finish(blk, request, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (!length) {
		blk_finish(blk, request, VIRTIO_BLK_S_OK);
		return;
	}
	request->offset = sector * SECTOR;
	blk_send(blk, request);
}

static void blk_identify(struct lodge_blk *blk, struct blk_request *request)
{
	struct iovec *segments = request->chain.segments + request->chain.readable;
	size_t room = lodge_iov_length(segments, request->chain.writable);

	lodge_iov_put(segments, request->chain.writable, blk->serial, VIRTIO_BLK_ID_BYTES);
	request->written = room < VIRTIO_BLK_ID_BYTES ? (uint32_t)room : VIRTIO_BLK_ID_BYTES;
	blk_finish(blk, request, VIRTIO_BLK_S_OK);
}

static void blk_request_start(struct lodge_blk *blk, struct blk_request *request)
{
	struct lodge_chain *chain = &request->chain;
	struct iovec *writable = chain->segments + chain->readable;
	struct virtio_blk_outhdr header;

	if (lodge_iov_length(chain->segments, chain->readable) < sizeof(header) ||
	    !lodge_iov_length(writable, chain->writable)) {
		lodge_virtio_break(&blk->virtio, "a request has no header or no status");
		request->next = blk->free;
		blk->free = request;
		return;
	}
	lodge_iov_take(chain->segments, chain->readable, &header, sizeof(header));
	request->status = lodge_iov_cut(writable, chain->writable);
	request->type = header.type;
	request->written = 0;

	switch (header.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		blk_transfer(blk, request, header.sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		blk_send(blk, request);
		break;
	case VIRTIO_BLK_T_GET_ID:
		blk_identify(blk, request);
		break;
	default:
		blk_finish(blk, request, VIRTIO_BLK_S_UNSUPP);
	}
}

/* Called with virtio->lock held: as many requests as there are slots. */
static void blk_queue_run(struct lodge_blk *blk)
{
	struct lodge_virtio *virtio = &blk->virtio;
	struct blk_request *request;

	while (blk->free && lodge_virtio_is_live(virtio) &&
	       lodge_virtqueue_pop(&virtio->queues[0], &blk->free->chain)) {
		request = blk->free;
		blk->free = request->next;
		blk_request_start(blk, request);
	}
	if (virtio->queues[0].error && lodge_virtio_is_live(virtio))
		lodge_virtio_break(virtio, virtio->queues[0].error);
}

/* Called with virtio->lock held. */
static void blk_complete(struct lodge_blk *blk, struct blk_request *request, int result)
{
	bool flush = request->type == VIRTIO_BLK_T_FLUSH;
	unsigned int count;
	struct iovec *data = request_data(request, &count);

	if (result == -EINTR || result == -EAGAIN) {
		blk_submit(blk, request);
		return;
	}
	if (result > 0 && !flush) {
		lodge_iov_take(data, count, NULL, (size_t)result);
		request->offset += (uint64_t)result;
		if (request->type == VIRTIO_BLK_T_IN)
			request->written += (uint32_t)result;
		if (lodge_iov_length(data, count)) {
			blk_submit(blk, request);
			return;
		}
	}
	/* Zero bytes: the image ends earlier than it did when it was opened. */
	blk_finish(blk, request,
		   result < 0 || (!result && !flush) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	if (!--blk->in_flight)
		pthread_cond_broadcast(&blk->idle);
}

/* Return: whether the doorbell rang. */
static bool blk_completions_run(struct lodge_blk *blk)
{
	struct io_uring_cqe *cqe;
	bool rang = false;

	while (!io_uring_peek_cqe(&blk->ring, &cqe)) {
		struct blk_request *request = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&blk->ring, cqe);
		if (request)
			blk_complete(blk, request, result);
		else
			rang = true;
	}
	return rang;
}

static void blk_doorbell_arm(struct lodge_blk *blk)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&blk->ring);

	io_uring_prep_poll_add(sqe, blk->virtio.kick[0], POLLIN);
	io_uring_sqe_set_data(sqe, NULL);
}

static void *blk_main(void *argument)
{
	struct lodge_blk *blk = argument;
	struct lodge_virtio *virtio = &blk->virtio;
	bool done = false;
	uint64_t rings;
	int ret;

	blk_doorbell_arm(blk);
	while (!done) {
		ret = io_uring_submit_and_wait(&blk->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY) {
			lodge_vm_end(blk->virtio.vm, STATUS_FAILED,
				     "%s cannot go on: %s", blk->name, strerror(-ret));
			break;
		}
		pthread_mutex_lock(&virtio->lock);
		if (blk_completions_run(blk)) {
			eventfd_read(virtio->kick[0], &rings);
			blk_doorbell_arm(blk);
		}
		if (!blk->stopping)
			blk_queue_run(blk);
		done = blk->stopping && !blk->in_flight;
		pthread_mutex_unlock(&virtio->lock);
	}
	return NULL;
}

/* Called with virtio->lock held and the device no longer live. */
static void blk_quiesce(struct lodge_virtio *virtio)
{
	struct lodge_blk *blk = (struct lodge_blk *)virtio;

	while (blk->in_flight)
		pthread_cond_wait(&blk->idle, &virtio->lock);
}

static const struct lodge_virtio_ops blk_ops = { .quiesce = blk_quiesce };

struct lodge_blk *lodge_blk_create(struct lodge_vm *vm, struct lodge_pci *bus,
				   const struct lodge_disk *disk, unsigned int index)
{
	struct lodge_blk *blk = calloc(1, sizeof(*blk));
	struct virtio_blk_config config = {
		.capacity = disk->size / SECTOR,
		.seg_max = SEGMENTS_MAX,
		.blk_size = SECTOR,
	};
	int ret;

	if (!blk)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for disk %s", disk->path);
	ret = io_uring_queue_init(RING_ENTRIES, &blk->ring, 0);
	if (ret)
		lodge_fail(STATUS_UNSUPPORTED,
			   "disks need io_uring, which the host refuses (%s): look at sysctl kernel.io_uring_disabled, "
			   "ulimit -l and the container's seccomp profile",
			   strerror(-ret));
	pthread_cond_init(&blk->idle, NULL);
	for (unsigned int i = 0; i < IN_FLIGHT_MAX; i++) {
		blk->slots[i].next = blk->free;
		blk->free = &blk->slots[i];
	}
	blk->disk = disk;
	snprintf(blk->serial, sizeof(blk->serial), "lodge-disk-%u", index);
	snprintf(blk->name, sizeof(blk->name), "disk %u", index);

	blk->virtio.vm = vm;
	blk->virtio.name = blk->name;
	blk->virtio.ops = &blk_ops;
	blk->virtio.queue_count = 1;
	blk->virtio.offered = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			      1ULL << VIRTIO_BLK_F_FLUSH;
	if (disk->read_only)
		blk->virtio.offered |= 1ULL << VIRTIO_BLK_F_RO;
	memcpy(blk->virtio.config, &config, sizeof(config));
	blk->virtio.config_size = sizeof(config);
	lodge_virtio_add(&blk->virtio, bus, VIRTIO_ID_BLOCK, CLASS_STORAGE_OTHER);
	return blk;
}

void lodge_blk_start(struct lodge_blk *blk)
{
	int error = pthread_create(&blk->worker, NULL, blk_main, blk);

	if (error)
		lodge_fail(STATUS_FAILED, "the host gives no thread for %s: %s", blk->name,
			   strerror(error));
}

void lodge_blk_stop(struct lodge_blk *blk)
{
	blk->stopping = true;
	eventfd_write(blk->virtio.kick[0], 1);
	pthread_join(blk->worker, NULL);
	io_uring_queue_exit(&blk->ring);
	free(blk);
}
