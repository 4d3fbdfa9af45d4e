// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device, VMs, memory slots and vCPUs over plain ioctls. Operating modes
 * are in modes.c, running in run.c, register state in state.c.
 * Locking: none; one thread sets a VM up.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <lodge.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

/* The library's own pages: above the first MiB, below the program's image. */
#define ALLOC_START	0x100000ul
#define ALLOC_END	0x400000ul
#define STACK_PAGES	4

long xioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;
	long r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	r = ioctl(fd, cmd, arg);
	return r < 0 ? -errno : r;
}

const char *device_path(void)
{
	const char *path = getenv("LODGE_DEVICE");

	return path && *path ? path : "/dev/lodge";
}

int device_open(void)
{
	const char *path = device_path();
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		ktap_skip("cannot open %s: %s", path, strerror(errno));
	return fd;
}

/* By the ioctl that only lodge has: an administrator may link any path to it. */
bool device_is_lodge(void)
{
	struct lodge_query query = { .size = sizeof(query) };
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);
	long r;

	if (fd < 0)
		return false;
	r = xioctl(fd, LODGE_QUERY, &query);
	close(fd);
	return !r;
}

void require_lodge(void)
{
	if (!device_is_lodge())
		ktap_skip("%s is not lodge's", device_path());
}

/*
 * QEMU's emulation of AMD-V has defects that a test must not blame on the
 * hypervisor: 7.2 ignores the XSETBV intercept, for one.
 */
bool host_is_tcg(void)
{
	struct cpuid_regs r = cpuid(0x40000000, 0);
	u32 text[3] = { r.ebx, r.ecx, r.edx };

	return !memcmp(text, "TCGTCGTCGTCG", 12);
}

long cap(int fd, long nr)
{
	return xioctl(fd, KVM_CHECK_EXTENSION, nr);
}

long require_cap(int fd, long nr, const char *name)
{
	long val = cap(fd, nr);

	if (val <= 0)
		ktap_skip("%s is not offered", name);
	return val;
}

long cap_enable(int fd, u32 nr, u64 arg)
{
	struct kvm_enable_cap args = { .cap = nr, .args = { arg } };

	return xioctl(fd, KVM_ENABLE_CAP, &args);
}

/* As the kernel's api.rst lays them out. */
u64 stats_get(int fd, const char *name)
{
	struct kvm_stats_header header;
	static struct {
		struct kvm_stats_desc desc;
		char name[256];
	} entry;
	int file = CHECK_OK(xioctl(fd, KVM_GET_STATS_FD, 0));
	u64 value;
	u32 i;

	CHECK_EQ(pread(file, &header, sizeof(header), 0), sizeof(header));
	CHECK_LE(header.name_size, sizeof(entry.name) - 1);
	for (i = 0; i < header.num_desc; i++) {
		size_t size = sizeof(entry.desc) + header.name_size;

		CHECK_EQ(pread(file, &entry, size, header.desc_offset + i * size), size);
		if (strcmp(entry.name, name))
			continue;
		CHECK_EQ(pread(file, &value, sizeof(value), header.data_offset + entry.desc.offset), sizeof(value));
		close(file);
		return value;
	}
	FAIL("there is no statistic %s", name);
}

struct vm *vm_create_bare(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	CHECK(vm);
	vm->sys = device_open();
	vm->fd = (int)CHECK_OK(xioctl(vm->sys, KVM_CREATE_VM, 0));
	vm->run_size = (size_t)CHECK_OK(xioctl(vm->sys, KVM_GET_VCPU_MMAP_SIZE, 0));
	vm->next_page = ALLOC_START;
	return vm;
}

void *pages_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int segment_copy(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct vm *vm = arg;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		u64 start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		CHECK_GE(start, ALLOC_END);
		CHECK_LE(start + ph->p_memsz, VM_MEM_SIZE);
		memcpy(vm->mem + start, (void *)start, ph->p_memsz);
	}
	return 1;	/* the program itself comes first; the vDSO is not wanted */
}

struct vm *vm_create(void)
{
	struct vm *vm = vm_create_bare();

	vm->mem = pages_map(VM_MEM_SIZE);
	slot_set(vm, 0, 0, 0, VM_MEM_SIZE, vm->mem);
	dl_iterate_phdr(segment_copy, vm);
	return vm;
}

void vm_free(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < VM_MAX_VCPUS; i++)
		if (vm->vcpus[i])
			vcpu_close(vm->vcpus[i]);
	CHECK_OK(close(vm->fd));
	CHECK_OK(close(vm->sys));
	if (vm->mem)
		CHECK_OK(munmap(vm->mem, VM_MEM_SIZE));
	free(vm);
}

long slot_try(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)(uintptr_t)hva,
	};

	return xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

void slot_set(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	CHECK_EQ(slot_try(vm, slot, flags, gpa, size, hva), 0);
}

void *vm_hva(struct vm *vm, u64 gpa)
{
	CHECK(vm->mem);
	CHECK_LE(gpa, VM_MEM_SIZE - 1);
	return vm->mem + gpa;
}

u64 vm_alloc_pages(struct vm *vm, unsigned int nr)
{
	u64 gpa = vm->next_page;

	vm->next_page += nr * PAGE_SIZE;
	CHECK_LE(vm->next_page, ALLOC_END);
	return gpa;
}

struct vcpu *vcpu_add_bare(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	unsigned int i;

	CHECK(vcpu);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = (int)CHECK_OK(xioctl(vm->fd, KVM_CREATE_VCPU, (long)id));
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	CHECK(vcpu->run != MAP_FAILED);
	for (i = 0; i < VM_MAX_VCPUS && vm->vcpus[i]; i++)
		;
	CHECK(i < VM_MAX_VCPUS);
	vm->vcpus[i] = vcpu;
	return vcpu;
}

struct vcpu *vcpu_add(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = vcpu_add_bare(vm, id);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);
	unsigned int i;

	/* The APIC id that the guest sees is the vCPU's id. */
	for (i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | id << 24;
	}
	cpuid_set(vcpu, table);
	free(table);

	vcpu->cpu_gpa = vm_alloc_pages(vm, 1);
	vcpu->cpu = vm_hva(vm, vcpu->cpu_gpa);
	vcpu->cpu->self = vcpu->cpu_gpa;
	vcpu->cpu->index = id;
	vcpu->cpu->exc.vector = NO_EXCEPTION;
	vcpu->stack = vm_alloc_pages(vm, STACK_PAGES) + STACK_PAGES * PAGE_SIZE;
	return vcpu;
}

void vcpu_close(struct vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < VM_MAX_VCPUS; i++)
		if (vcpu->vm->vcpus[i] == vcpu)
			vcpu->vm->vcpus[i] = NULL;
	CHECK_OK(munmap(vcpu->run, vcpu->vm->run_size));
	CHECK_OK(close(vcpu->fd));
	free(vcpu);
}
