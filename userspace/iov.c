// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays of segments. Pure code, no state.
 */
#include "iov.h"

#include <string.h>

size_t lodge_iov_length(const struct iovec *segments, unsigned int count)
{
	size_t length = 0;

	for (unsigned int i = 0; i < count; i++)
		length += segments[i].iov_len;
	return length;
}

void lodge_iov_take(struct iovec *segments, unsigned int count, void *buffer, size_t size)
{
	char *to = buffer;

	for (unsigned int i = 0; i < count && size; i++) {
		size_t step = segments[i].iov_len < size ? segments[i].iov_len : size;

		if (to) {
			memcpy(to, segments[i].iov_base, step);
			to += step;
		}
		segments[i].iov_base = (char *)segments[i].iov_base + step;
		segments[i].iov_len -= step;
		size -= step;
	}
}

void lodge_iov_put(const struct iovec *segments, unsigned int count, const void *buffer,
		   size_t size)
{
	const char *from = buffer;

	for (unsigned int i = 0; i < count && size; i++) {
		size_t step = segments[i].iov_len < size ? segments[i].iov_len : size;

		memcpy(segments[i].iov_base, from, step);
		from += step;
		size -= step;
	}
}

void *lodge_iov_cut(struct iovec *segments, unsigned int count)
{
	while (!segments[count - 1].iov_len)
		count--;
	segments[count - 1].iov_len--;
	return (char *)segments[count - 1].iov_base + segments[count - 1].iov_len;
}
