// SPDX-License-Identifier: GPL-2.0-only
/*
 * The initrd of a guest that brings none: the host's static busybox, the init
 * script guest-init, and the virtio drivers of the guest's kernel with what
 * they depend on, in the order in which libkmod would load them.
 */
#include "initrd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blobs.h"
#include "cpio.h"
#include "file.h"
#include "tool.h"

#define BUSYBOX		"/bin/busybox"
#define MODULES_MAX	32

static const char *const drivers[] = { "virtio_pci", "virtio_blk", "virtio_rng" };

/**
 * struct initrd_modules - modules that are in the archive already
 * @archive: the archive
 * @names: their names
 * @count: how many
 */
struct initrd_modules {
	struct archive *archive;
	char names[MODULES_MAX][64];
	unsigned int count;
};

/* A program that wants a loader would end the guest with a panic. */
static void busybox_check(void)
{
	Elf64_Phdr program;
	Elf64_Ehdr elf;
	uint64_t size;
	int fd;

	if (access(BUSYBOX, R_OK))
		lodge_fail(STATUS_FILE,
			   "the guest's initrd needs " BUSYBOX ": install busybox-static, or give --initrd");
	fd = lodge_file_open(BUSYBOX, "program", &size);
	if (lodge_file_read(fd, &elf, sizeof(elf), 0))
		lodge_fail(STATUS_FILE, "cannot read " BUSYBOX ": %s", strerror(errno));
	for (unsigned int i = 0; i < elf.e_phnum; i++) {
		if (lodge_file_read(fd, &program, sizeof(program),
				    elf.e_phoff + (uint64_t)i * sizeof(program)))
			break;
		if (program.p_type == PT_INTERP)
			lodge_fail(STATUS_FILE,
				   BUSYBOX " is not static: install busybox-static, or give --initrd");
	}
	close(fd);
}

static bool module_is_new(struct initrd_modules *modules, const char *name)
{
	for (unsigned int i = 0; i < modules->count; i++)
		if (!strcmp(modules->names[i], name))
			return false;
	if (modules->count == MODULES_MAX)
		lodge_fail(STATUS_FAILED, "the virtio drivers depend on too many modules");
	snprintf(modules->names[modules->count], sizeof(modules->names[0]), "%s", name);
	modules->count++;
	return true;
}

/* Numbered, because the guest loads them in the order of their names. */
static void module_add(struct initrd_modules *modules, struct kmod_module *module)
{
	const char *name = kmod_module_get_name(module);
	const char *source = kmod_module_get_path(module);
	char path[128];

	if (!source || !module_is_new(modules, name))
		return;		/* built in, or there already */
	snprintf(path, sizeof(path), "modules/%02u-%s.ko", modules->count, name);
	lodge_cpio_add_file(modules->archive, path, 0644, source);
}

/* Return: whether the kernel has the driver, as a module or built in. */
static bool driver_add(struct initrd_modules *modules, struct kmod_ctx *kmod, const char *driver)
{
	struct kmod_list *found = NULL, *dependencies, *item, *inner;
	bool known;

	if (kmod_module_new_from_lookup(kmod, driver, &found) < 0)
		return false;
	known = found != NULL;
	kmod_list_foreach(item, found) {
		struct kmod_module *module = kmod_module_get_module(item);

		dependencies = kmod_module_get_dependencies(module);
		kmod_list_foreach(inner, dependencies) {
			struct kmod_module *dependency = kmod_module_get_module(inner);

			module_add(modules, dependency);
			kmod_module_unref(dependency);
		}
		kmod_module_unref_list(dependencies);
		module_add(modules, module);
		kmod_module_unref(module);
	}
	kmod_module_unref_list(found);
	return known;
}

static void modules_add(struct archive *archive, const char *release)
{
	struct initrd_modules modules = { .archive = archive };
	struct kmod_ctx *kmod;
	char directory[256];

	snprintf(directory, sizeof(directory), "/lib/modules/%s", release);
	if (access(directory, R_OK | X_OK))
		lodge_fail(STATUS_FILE,
			   "the guest's initrd needs the kernel's drivers and there is no %s: "
			   "install that kernel's modules, or give --initrd",
			   directory);
	kmod = kmod_new(directory, NULL);
	if (!kmod)
		lodge_fail(STATUS_FAILED, "cannot read the modules in %s: %s", directory,
			   strerror(errno));
	for (unsigned int i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!driver_add(&modules, kmod, drivers[i]))
			lodge_warn("kernel %s has no driver %s: the guest goes without", release,
				   drivers[i]);
	kmod_unref(kmod);
}

int lodge_initrd_make(const char *release, uint64_t *size)
{
	static const char *const directories[] = { "bin", "dev", "modules" };
	struct archive *archive;
	struct stat stat;
	int fd;

	busybox_check();
	fd = memfd_create("lodge-initrd", MFD_CLOEXEC);
	if (fd < 0)
		lodge_fail(STATUS_MEMORY, "the host gives no memory for an initrd: %s",
			   strerror(errno));
	archive = lodge_cpio_open(fd);
	for (unsigned int i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		lodge_cpio_add_node(archive, directories[i], S_IFDIR | 0755, 0);
	/* What init's standard streams are, before devtmpfs is mounted. */
	lodge_cpio_add_node(archive, "dev/console", S_IFCHR | 0600, makedev(5, 1));
	lodge_cpio_add_file(archive, "bin/busybox", 0755, BUSYBOX);
	lodge_cpio_add_bytes(archive, "init", 0755, lodge_blob_init,
			     (size_t)(lodge_blob_init_end - lodge_blob_init));
	modules_add(archive, release);
	lodge_cpio_close(archive);
	if (fstat(fd, &stat))
		lodge_fail(STATUS_FAILED, "cannot use the guest's initrd: %s", strerror(errno));
	*size = (uint64_t)stat.st_size;
	return fd;
}
