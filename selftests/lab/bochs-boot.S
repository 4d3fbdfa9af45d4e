/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boot sector of the Bochs machines. It asks the BIOS for the memory map, enters
 * 32-bit mode, reads with programmed I/O what the table after it on the disk
 * lists, and jumps to Linux's PVH entry (Documentation/arch/x86/boot.rst of
 * Linux, xen/include/public/arch-x86/hvm/start_info.h for the registers).
 * bochs-disk writes the table and the fields at the sector's end; addresses that
 * both must know are marked so.
 */

#define MAP		0x8000		/* E820 entries, 24 bytes each (bochs-disk) */
#define MAP_MAX		128
#define START_INFO	0x10000		/* struct hvm_start_info (bochs-disk) */
#define MAP_ENTRIES	48		/* its memmap_entries */
#define TABLE		0x20000		/* the table: address, sector, sectors */
#define SMAP		0x534d4150

#define ATA_DATA	0x1f0
#define ATA_COUNT	0x1f2
#define ATA_STATUS	0x1f7
#define ATA_CONTROL	0x3f6
#define ATA_READ	0x20
#define ATA_ERR		0x01
#define ATA_DRQ		0x08
#define ATA_BSY		0x80

	.code16
	.globl	_start
_start:
	cli
	cld
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	$MAP, %di
	xorl	%ebx, %ebx
	xorw	%bp, %bp
map_next:
	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$SMAP, %edx
	movl	$0, 20(%di)
	int	$0x15
	jc	map_end
	cmpl	$SMAP, %eax
	jne	map_end
	incw	%bp
	addw	$24, %di
	cmpw	$MAP_MAX, %bp
	je	map_end
	testl	%ebx, %ebx
	jnz	map_next
map_end:
	cli
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $protected

	.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x7c00, %esp
	movzwl	%bp, %ebp
	movw	$ATA_CONTROL, %dx	/* no interrupts from the disk */
	movb	$2, %al
	outb	%al, %dx

	movl	$TABLE, %edi
	movl	$1, %ebx
	movl	table_sectors, %esi
	call	disk_read
	pushl	$TABLE
run_next:
	movl	(%esp), %eax
	movl	(%eax), %edi
	movl	4(%eax), %ebx
	movl	8(%eax), %esi
	addl	$12, (%esp)
	testl	%esi, %esi
	jz	start
	call	disk_read
	jmp	run_next

start:
	movl	$START_INFO, %ebx
	movl	%ebp, MAP_ENTRIES(%ebx)
	movl	entry, %eax
	jmp	*%eax

/* Reads %esi sectors from sector %ebx on to %edi, by 28-bit LBA. */
disk_read:
	call	disk_ready
	movl	%esi, %ecx
	cmpl	$128, %ecx
	jbe	1f
	movl	$128, %ecx
1:	subl	%ecx, %esi
	pushl	%ecx
	movw	$ATA_COUNT, %dx
	movb	%cl, %al
	outb	%al, %dx
	movl	%ebx, %eax
	addl	%ecx, %ebx
	movb	$3, %cl
2:	incw	%dx			/* three bytes of the address */
	outb	%al, %dx
	shrl	$8, %eax
	decb	%cl
	jnz	2b
	incw	%dx
	orb	$0xe0, %al		/* LBA, first drive */
	outb	%al, %dx
	incw	%dx
	movb	$ATA_READ, %al
	outb	%al, %dx
	popl	%eax
3:	pushl	%eax
	call	disk_ready
	testb	$ATA_DRQ, %al
	jz	failed
	movw	$ATA_DATA, %dx
	movl	$256, %ecx
	rep insw
	popl	%eax
	decl	%eax
	jnz	3b
	testl	%esi, %esi
	jnz	disk_read
	ret

disk_ready:
	movw	$ATA_STATUS, %dx
1:	inb	%dx, %al
	testb	$ATA_BSY, %al
	jnz	1b
	testb	$ATA_ERR, %al
	jnz	failed
	ret

failed:
	movl	$message, %esi
	movl	$message_end - message, %ecx
	movw	$0xe9, %dx		/* the emulator's standard output */
	rep outsb
1:	hlt
	jmp	1b

message:
	.ascii	"the boot disk cannot be read\n"
message_end:

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.org	0x1f0
entry:
	.long	0
table_sectors:
	.long	0
	.org	0x1fe
	.word	0xaa55
