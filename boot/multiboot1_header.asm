; SPDX-License-Identifier: MIT
;
; boot/multiboot1_header.asm - the multiboot 1 header, with address fields
;
; Room:   boot. Data only. Left out of bulla-pvh.elf: QEMU prefers this header to a PVH note.
; Owns:   the header.
; Locks:  none.
; Always: (1) the file holds load_addr .. load_end_addr as one piece in physical order (linker.ld);
;         (2) the header lies in the first 8 KiB of the file.
; Source: Multiboot specification 0.6.96, "The layout of Multiboot header".
; Tour:   after boot/headers.asm, before boot/entry.asm.

%include "boot/entry.inc"

extern multiboot1_entry, kernel_image_start, kernel_load_end, kernel_image_end

MB1_MAGIC          equ 0x1badb002
MB1_PAGE_ALIGN     equ 1 << 0
MB1_MEMORY_INFO    equ 1 << 1
MB1_ADDRESS_FIELDS equ 1 << 16 ; without it QEMU refuses a 64-bit ELF
MB1_FLAGS          equ MB1_PAGE_ALIGN | MB1_MEMORY_INFO | MB1_ADDRESS_FIELDS

section .boot.header progbits alloc noexec nowrite align=8
mb1_header:
        dd MB1_MAGIC
        dd MB1_FLAGS
        dd -(MB1_MAGIC + MB1_FLAGS)
        dd mb1_header               ; header_addr
        dd PHYS(kernel_image_start) ; load_addr
        dd PHYS(kernel_load_end)    ; load_end_addr
        dd PHYS(kernel_image_end)   ; bss_end_addr
        dd multiboot1_entry         ; entry_addr

section .note.GNU-stack noalloc noexec nowrite progbits
