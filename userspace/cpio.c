// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing a cpio archive by libarchive, which also unpacks what goes into it:
 * busybox's insmod takes no .ko.xz or .ko.zst. No state of its own.
 */
#include "cpio.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tool.h"

#define READ_BLOCK	65536
#define FILE_MAX	(256u << 20)	/* larger than any module, smaller than trouble */

static void __attribute__((noreturn)) cpio_fail(struct archive *archive)
{
	const char *why = archive_error_string(archive);

	lodge_fail(STATUS_FAILED, "cannot make the guest's initrd: %s", why ?: "unknown error");
}

struct archive *lodge_cpio_open(int fd)
{
	struct archive *archive = archive_write_new();

	if (!archive)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for an initrd");
	if (archive_write_set_format_cpio_newc(archive) != ARCHIVE_OK ||
	    archive_write_add_filter_none(archive) != ARCHIVE_OK ||
	    archive_write_open_fd(archive, fd) != ARCHIVE_OK)
		cpio_fail(archive);
	return archive;
}

static void cpio_add_header(struct archive *archive, const char *path, mode_t mode, dev_t device,
			    size_t size)
{
	struct archive_entry *entry = archive_entry_new();

	if (!entry)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for an initrd");
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_rdev(entry, device);
	archive_entry_set_nlink(entry, S_ISDIR(mode) ? 2 : 1);
	archive_entry_set_size(entry, (la_int64_t)size);
	if (archive_write_header(archive, entry) != ARCHIVE_OK)
		cpio_fail(archive);
	archive_entry_free(entry);
}

void lodge_cpio_add_node(struct archive *archive, const char *path, mode_t mode, dev_t device)
{
	cpio_add_header(archive, path, mode, device, 0);
}

void lodge_cpio_add_bytes(struct archive *archive, const char *path, mode_t mode,
			  const void *bytes, size_t size)
{
	cpio_add_header(archive, path, S_IFREG | mode, 0, size);
	if (archive_write_data(archive, bytes, size) != (la_ssize_t)size)
		cpio_fail(archive);
}

static void __attribute__((noreturn)) source_fail(struct archive *source, const char *path)
{
	const char *why = archive_error_string(source);

	lodge_fail(STATUS_FILE, "cannot read %s for the guest's initrd: %s", path,
		   why ?: "unknown error");
}

/* Return: the file's bytes, to be freed. */
static char *source_read(const char *path, size_t *size)
{
	struct archive *source = archive_read_new();
	struct archive_entry *entry;
	char *bytes = NULL;
	la_ssize_t got;

	if (!source)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for an initrd");
	archive_read_support_format_raw(source);
	archive_read_support_filter_all(source);
	if (archive_read_open_filename(source, path, READ_BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(source, &entry) != ARCHIVE_OK)
		source_fail(source, path);
	*size = 0;
	do {
		bytes = *size < FILE_MAX ? realloc(bytes, *size + READ_BLOCK) : NULL;
		if (!bytes)
			lodge_fail(STATUS_MEMORY, "%s is too large for the guest's initrd", path);
		got = archive_read_data(source, bytes + *size, READ_BLOCK);
		if (got < 0)
			source_fail(source, path);
		*size += (size_t)got;
	} while (got);
	archive_read_free(source);
	return bytes;
}

void lodge_cpio_add_file(struct archive *archive, const char *path, mode_t mode,
			 const char *source)
{
	size_t size;
	char *bytes = source_read(source, &size);

	lodge_cpio_add_bytes(archive, path, mode, bytes, size);
	free(bytes);
}

void lodge_cpio_close(struct archive *archive)
{
	if (archive_write_close(archive) != ARCHIVE_OK)
		cpio_fail(archive);
	archive_write_free(archive);
}
