// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk images: opening, and the lock that keeps two VMs from writing to one.
 * No state beyond the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk.h"
#include "tool.h"

#define SECTOR 512

/*
 * Locks of the open file description go with the process, whatever kills it.
 * File systems without locks (EINVAL, ENOLCK, ...) leave it to the user.
 */
static void disk_lock(const struct lodge_disk *disk)
{
	struct flock lock = {
		.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (fcntl(disk->fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES))
		lodge_fail(STATUS_FILE,
			   "disk %s is in use by another VM: stop that one, or share the disk with ,ro on both",
			   disk->path);
}

void lodge_disk_open(struct lodge_disk *disk, char *argument)
{
	size_t length = strlen(argument);
	struct stat stat;
	off_t end;

	if (length > 3 && !strcmp(argument + length - 3, ",ro")) {
		disk->read_only = true;
		argument[length - 3] = '\0';
	}
	disk->path = argument;
	disk->fd = open(argument, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (disk->fd < 0 && (errno == EROFS || errno == EACCES) && !disk->read_only)
		lodge_fail(STATUS_FILE, "disk %s cannot be written (%s): give it as %s,ro", argument,
			   strerror(errno), argument);
	if (disk->fd < 0)
		lodge_fail(STATUS_FILE, "cannot open disk %s: %s", argument, strerror(errno));
	if (fstat(disk->fd, &stat) || !(S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode)))
		lodge_fail(STATUS_FILE, "disk %s is neither a file nor a block device", argument);
	end = lseek(disk->fd, 0, SEEK_END);
	if (end <= 0 || end % SECTOR)
		lodge_fail(STATUS_FILE,
			   "disk %s has %lld bytes, not a multiple of 512: truncate -s %%512 %s",
			   argument, (long long)end, argument);
	disk->size = (uint64_t)end;
	disk_lock(disk);
}
