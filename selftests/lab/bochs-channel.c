// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs inside the Bochs machines: carries what is written to its named pipes out
 * of the machine, byte by byte through port 0xe9, which Bochs copies to its
 * standard output. Pipe number N becomes channel N; a frame is the mark, the
 * channel, the length in two bytes and the data. bochs-split takes it apart.
 * The first pipe decides: when its writers are gone, what is left in the others is
 * sent and the program ends.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/io.h>
#include <unistd.h>

#define CHANNELS_MAX	8
#define CHANNEL_PORT	0xe9

static void port_write(const void *data, unsigned long len)
{
	asm volatile("rep outsb" : "+S"(data), "+c"(len) : "d"((unsigned short)CHANNEL_PORT) : "memory");
}

static void frame_write(unsigned char channel, const void *data, unsigned int len)
{
	const unsigned char head[] = {
		0xff, 'L', 'a', 'b', channel, len & 0xff, len >> 8,
	};

	port_write(head, sizeof(head));
	port_write(data, len);
}

/* Sends what one read gives. Returns what read returned. */
static ssize_t pipe_forward(int fd, int channel)
{
	static char data[32768];
	ssize_t len = read(fd, data, sizeof(data));

	if (len > 0)
		frame_write(channel, data, len);
	return len < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : len;
}

int main(int argc, char **argv)
{
	struct pollfd fds[CHANNELS_MAX];
	int n = argc - 1, i;

	if (n < 1 || n > CHANNELS_MAX)
		return 2;
	if (ioperm(CHANNEL_PORT, 1, 1)) {
		perror("ioperm");
		return 1;
	}
	for (i = 0; i < n; i++) {
		/* Not blocking, so that a pipe nobody writes to yet holds up no other. */
		fds[i].fd = open(argv[i + 1], O_RDONLY | O_NONBLOCK);
		fds[i].events = POLLIN;
		if (fds[i].fd < 0) {
			perror(argv[i + 1]);
			return 1;
		}
	}
	while (fds[0].fd >= 0) {
		if (poll(fds, n, -1) < 0 && errno != EINTR) {
			perror("poll");
			return 1;
		}
		for (i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (pipe_forward(fds[i].fd, i) == 0) {
				close(fds[i].fd);
				fds[i].fd = -1;
			}
		}
	}
	for (i = 1; i < n; i++) {
		while (fds[i].fd >= 0 && pipe_forward(fds[i].fd, i) > 0)
			;
	}
	return 0;
}
