; SPDX-License-Identifier: MIT
;
; boot/headers.asm - how loaders recognise the image: multiboot 2 header, PVH and EFI notes
;
; Room:   boot. Data only.
; Owns:   the two ELF notes and the multiboot 2 header.
; Locks:  none.
; Always: (1) the header lies in the first 32 KiB of the file (linker.ld: in the first page);
;         (2) no EFI tags (7, 9): GRUB then enters in 32-bit mode on BIOS and UEFI alike;
;         (3) no framebuffer tag: GRUB then keeps text on BIOS, and gives a framebuffer on UEFI.
; Source: Multiboot2 specification 2.0, "Header layout"; Xen PVH ABI, XEN_ELFNOTE_PHYS32_ENTRY.
; Tour:   after linker.ld, before boot/entry.asm.

extern pvh_entry, efi_entry

MB2_MAGIC     equ 0xe85250d6
MB2_ARCH_I386 equ 0
MB2_TAG_END   equ 0

section .boot.header progbits alloc noexec nowrite align=8
mb2_header:
        dd MB2_MAGIC
        dd MB2_ARCH_I386
        dd mb2_header_end - mb2_header
        dd -(MB2_MAGIC + MB2_ARCH_I386 + (mb2_header_end - mb2_header))
        dw MB2_TAG_END, 0
        dd 8
mb2_header_end:

NOTE_XEN_PHYS32_ENTRY equ 18
NOTE_BULLA_EFI_ENTRY  equ 1 ; see boot/efi/handoff.h

section .boot.note note alloc noexec nowrite align=4
        dd 4, 4, NOTE_XEN_PHYS32_ENTRY
        db "Xen", 0
        dd pvh_entry

        dd 6, 4, NOTE_BULLA_EFI_ENTRY
        db "Bulla", 0, 0, 0
        dd efi_entry

section .note.GNU-stack noalloc noexec nowrite progbits
