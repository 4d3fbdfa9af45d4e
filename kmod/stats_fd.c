// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD: a file that describes and gives the statistics of a VM or a vCPU; its form is KVM's (api.rst of
 * the kernel, "KVM_GET_STATS_FD"), and so are its ID and the names of what KVM counts too. A read makes the whole image
 * anew from single words that their owners write. The file holds its VM. No locks.
 */
#include "stats_fd.h"

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "mmu/mmu.h"

#define STATS_NAME_SIZE	48
#define STATS_MAX	4

struct stats_row {
	const char *name;
	u32 flags;
	u64 (*get)(struct lodge_vm *vm, struct lodge_vcpu *vcpu);
};

/* struct kvm_stats_desc as user space reads it, its name included; in newer kernels the name has a size there, too. */
struct stats_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[STATS_NAME_SIZE];
};
static_assert(offsetof(struct stats_desc, name) == offsetof(struct kvm_stats_desc, name));

struct stats_image {
	struct kvm_stats_header header;
	char id[STATS_NAME_SIZE];
	u8 rest[STATS_MAX * (sizeof(struct stats_desc) + sizeof(u64))];
};

static u64 stats_tlb_flushes(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return atomic64_read(&vm->tlb_generation);
}

static u64 stats_nested_tables(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return lodge_mmu_nr_tables(vm);
}

static u64 stats_exits(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return READ_ONCE(vcpu->nr_exits);
}

static u64 stats_vcpu_tlb_flushes(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return READ_ONCE(vcpu->nr_tlb_flushes);
}

static u64 stats_kicks(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return atomic64_read(&vcpu->nr_kicks);
}

static u64 stats_guest_mode(struct lodge_vm *vm, struct lodge_vcpu *vcpu)
{
	return READ_ONCE(vcpu->mode) == LODGE_IN_GUEST;
}

static const struct stats_row stats_vm_rows[] = {
	{ "remote_tlb_flush", KVM_STATS_TYPE_CUMULATIVE, stats_tlb_flushes },
	{ "nested_tables", KVM_STATS_TYPE_INSTANT, stats_nested_tables },
};

static const struct stats_row stats_vcpu_rows[] = {
	{ "exits", KVM_STATS_TYPE_CUMULATIVE, stats_exits },
	{ "tlb_flush", KVM_STATS_TYPE_CUMULATIVE, stats_vcpu_tlb_flushes },
	{ "kicks", KVM_STATS_TYPE_CUMULATIVE, stats_kicks },
	{ "in_guest", KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_BOOLEAN, stats_guest_mode },
};

/* Header, ID, descriptors, values, in this order. Its length. */
static size_t stats_fill(struct stats_image *image, const struct stats_row *rows, u32 nr, struct lodge_vm *vm,
			 struct lodge_vcpu *vcpu)
{
	struct stats_desc *desc = (struct stats_desc *)image->rest;
	u64 *value = (u64 *)(desc + nr);
	u32 i;

	image->header = (struct kvm_stats_header){
		.name_size = STATS_NAME_SIZE,
		.num_desc = nr,
		.id_offset = offsetof(struct stats_image, id),
		.desc_offset = offsetof(struct stats_image, rest),
		.data_offset = offsetof(struct stats_image, rest) + nr * sizeof(*desc),
	};
	for (i = 0; i < nr; i++) {
		desc[i].flags = rows[i].flags;
		desc[i].size = 1;
		desc[i].offset = i * sizeof(*value);
		strscpy(desc[i].name, rows[i].name, sizeof(desc[i].name));
		value[i] = rows[i].get(vm, vcpu);
	}
	return image->header.data_offset + nr * sizeof(*value);
}

static ssize_t stats_read(struct lodge_vm *vm, struct lodge_vcpu *vcpu, char __user *user, size_t size, loff_t *pos)
{
	struct stats_image *image = kzalloc(sizeof(*image), GFP_KERNEL);
	size_t len;
	ssize_t ret;

	if (!image)
		return -ENOMEM;
	if (vcpu) {
		snprintf(image->id, sizeof(image->id), "kvm-%d/vcpu-%u", vm->pid, vcpu->id);
		len = stats_fill(image, stats_vcpu_rows, ARRAY_SIZE(stats_vcpu_rows), vm, vcpu);
	} else {
		snprintf(image->id, sizeof(image->id), "kvm-%d", vm->pid);
		len = stats_fill(image, stats_vm_rows, ARRAY_SIZE(stats_vm_rows), vm, NULL);
	}
	ret = simple_read_from_buffer(user, size, pos, image, len);
	kfree(image);
	return ret;
}

static ssize_t stats_vm_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	return stats_read(file->private_data, NULL, user, size, pos);
}

static ssize_t stats_vcpu_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	struct lodge_vcpu *vcpu = file->private_data;

	return stats_read(vcpu->vm, vcpu, user, size, pos);
}

static int stats_vm_release(struct inode *inode, struct file *file)
{
	lodge_vm_put(file->private_data);
	return 0;
}

static int stats_vcpu_release(struct inode *inode, struct file *file)
{
	struct lodge_vcpu *vcpu = file->private_data;

	lodge_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations stats_vm_fops = {
	.owner = THIS_MODULE,
	.read = stats_vm_read,
	.release = stats_vm_release,
	.llseek = noop_llseek,
};

static const struct file_operations stats_vcpu_fops = {
	.owner = THIS_MODULE,
	.read = stats_vcpu_read,
	.release = stats_vcpu_release,
	.llseek = noop_llseek,
};

static int stats_fd_create(struct lodge_vm *vm, const char *name, const struct file_operations *fops, void *object)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, object, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->f_mode |= FMODE_PREAD;
	lodge_vm_get(vm);
	fd_install(fd, file);
	return fd;
}

int lodge_vm_stats_fd(struct lodge_vm *vm)
{
	return stats_fd_create(vm, "lodge-vm-stats", &stats_vm_fops, vm);
}

int lodge_vcpu_stats_fd(struct lodge_vcpu *vcpu)
{
	return stats_fd_create(vcpu->vm, "lodge-vcpu-stats", &stats_vcpu_fops, vcpu);
}
