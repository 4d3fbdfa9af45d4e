// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files on the host that a guest is made from. No state.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

int lodge_file_open(const char *path, const char *what, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;

	if (fd < 0)
		lodge_fail(STATUS_FILE, "cannot open %s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
		lodge_fail(STATUS_FILE, "%s %s is not a regular file", what, path);
	*size = (uint64_t)stat.st_size;
	return fd;
}

int lodge_file_read(int fd, void *buffer, size_t size, uint64_t offset)
{
	char *to = buffer;
	ssize_t got;

	while (size) {
		got = pread(fd, to, size, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (!got)
				errno = EIO;
			return -1;
		}
		to += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}
