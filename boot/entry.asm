; SPDX-License-Identifier: MIT
;
; boot/entry.asm - from any loader's state to C in 64-bit mode
;
; Room:   boot. Runs at physical addresses until the last jump.
; Owns:   the first GDT, the first page tables and the boot stack.
; Locks:  none; one CPU, interrupts off.
; Always: (1) CR0, CR4 and EFER are written whole: firmware leaves surprising bits in them;
;         (2) every address of 32-bit code is EBP-relative: EBP = physical start - linked start,
;             a multiple of 2 MiB, zero for every door but EFI;
;         (3) a CPU without long mode gets one line on COM1 and screen, then a failing exit.
; Source: Intel SDM 3A, "Initializing IA-32e Mode"; the boot protocols named in boot/headers.asm.
; Tour:   after boot/headers.asm, before boot/doors.c.

%include "boot/entry.inc"

extern boot_enter

section .boot.text progbits alloc exec nowrite align=16
bits 32

; Entry:    flat 32-bit segments, paging off, EBX = start info, EAX = anything (microvm: 0x2badb002)
; Exit:     start32
; Clobbers: EBP, EDI
; Stack:    unknown, not used
global pvh_entry
pvh_entry:
        mov     edi, DOOR_PVH
        xor     ebp, ebp
        jmp     start32

; Entry:    flat 32-bit segments, paging off, EBX = information, EAX = 0x2badb002
; Exit:     start32
; Clobbers: EBP, EDI
; Stack:    unknown, not used
global multiboot1_entry
multiboot1_entry:
        mov     edi, DOOR_MULTIBOOT1
        xor     ebp, ebp
        jmp     start32

; Entry:    as multiboot 1 with EAX = 0x36d76289; from UEFI with WP, NXE and a stale CR3 left over
; Exit:     start32
; Clobbers: EBP, EDI
; Stack:    unknown, not used
global multiboot2_entry
multiboot2_entry:
        mov     edi, DOOR_MULTIBOOT2
        xor     ebp, ebp
        jmp     start32

; Goes back to 32-bit mode: so 5-level paging, which firmware may have on, can be left, and there is
; one way up for all doors.
;
; Entry:    64-bit mode, boot services ended, RDI = struct efi_handoff; that and this code below
;           4 GiB and identity mapped, the stack anywhere
; Exit:     start32
; Clobbers: RAX, RBX, RBP, RDI
; Stack:    | selector : address | the loader's; left behind
bits 64
global efi_entry
efi_entry:
        cli
        mov     ebx, edi
        lea     rbp, [rel efi_entry]
        sub     rbp, efi_entry
        lea     rax, [rel gdt]
        push    rax
        push    0
        mov     word [rsp + 6], gdt_end - gdt - 1
        lgdt    [rsp + 6]
        lea     rax, [rel .compatibility]
        push    SEL_CODE32
        push    rax
        retfq
bits 32
.compatibility:
        mov     eax, CR0_PROTECTED ; paging off ends long mode
        mov     cr0, eax
        mov     edi, DOOR_EFI
        jmp     start32

; Entry:    32-bit mode, paging off, EDI = door, EAX = magic, EBX = info, EBP = load offset
; Exit:     start64
; Clobbers: all
; Stack:    the boot stack, by its physical address:
;             | info | magic | load offset | door | cpuid edx | entry_tsc, 8 bytes | <- ESP
start32:
        cli
        cld
        lea     esp, [ebp + PHYS(boot_stack_top)]
        call    load_flat_segments
        push    ebx
        push    eax
        push    ebp
        push    edi
        call    require_long_mode
        push    edx
        rdtsc                      ; not earlier: a CPU without long mode may have no TSC
        push    edx
        push    eax
        call    build_page_tables

        mov     eax, CR0_PROTECTED
        mov     cr0, eax
        mov     eax, CR4_PAE
        mov     cr4, eax
        lea     eax, [ebp + PHYS(boot_pml4)]
        mov     cr3, eax
        mov     eax, EFER_LME
        test    dword [esp + 8], CPUID_EXT_NX
        jz      .no_nx
        or      eax, EFER_NXE
.no_nx:
        xor     edx, edx
        mov     ecx, MSR_EFER
        wrmsr
        mov     eax, CR0_LONG
        mov     cr0, eax

        lea     eax, [ebp + start64]
        push    SEL_CODE64
        push    eax
        retf

; Entry:    EBP = load offset. Preserves EAX, EBX, EBP, EDI.
load_flat_segments:
        lea     ecx, [ebp + gdt]
        push    ecx
        push    (gdt_end - gdt - 1) << 16
        lgdt    [esp + 2]
        add     esp, 8
        lea     ecx, [ebp + .reload]
        push    SEL_CODE32
        push    ecx
        retf
.reload:
        mov     ecx, SEL_DATA
        mov     ds, ecx
        mov     es, ecx
        mov     fs, ecx
        mov     gs, ecx
        mov     ss, ecx
        ret

; Exit:     EDX = features of CPUID leaf 0x80000001, or never returns. Preserves EBP.
require_long_mode:
        pushfd                     ; CPUID exists where EFLAGS.ID can be flipped
        pop     eax
        mov     ecx, eax
        xor     eax, 1 << 21
        push    eax
        popfd
        pushfd
        pop     eax
        cmp     eax, ecx
        je      no_long_mode
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        jb      no_long_mode
        mov     eax, 0x80000001
        cpuid
        test    edx, CPUID_EXT_LM
        jz      no_long_mode
        ret

; Identity map of 0..4 GiB, and 1 GiB at KERNEL_IMAGE_BASE from the load offset on, all writable and
; executable: the kernel replaces both first thing. The tables lie in .bss: upper halves are zero.
;
; Entry:    EBP = load offset. Clobbers EAX, ECX, EDI.
build_page_tables:
        lea     edi, [ebp + PHYS(boot_pd_identity)]
        mov     eax, PTE_HUGE
        mov     ecx, 4 * 512
        call    .fill
        lea     edi, [ebp + PHYS(boot_pd_kernel)]
        lea     eax, [ebp + PTE_HUGE]
        mov     ecx, 512
        call    .fill

        lea     edi, [ebp + PHYS(boot_pdpt_identity)]
        lea     eax, [ebp + PHYS(boot_pd_identity) + PTE_TABLE]
        mov     ecx, 4
.next_gigabyte:
        mov     [edi], eax
        add     eax, 0x1000
        add     edi, 8
        dec     ecx
        jnz     .next_gigabyte
        lea     eax, [ebp + PHYS(boot_pd_kernel) + PTE_TABLE]
        mov     [ebp + PHYS(boot_pdpt_kernel) + 510 * 8], eax
        lea     eax, [ebp + PHYS(boot_pdpt_identity) + PTE_TABLE]
        mov     [ebp + PHYS(boot_pml4)], eax
        lea     eax, [ebp + PHYS(boot_pdpt_kernel) + PTE_TABLE]
        mov     [ebp + PHYS(boot_pml4) + 511 * 8], eax
        ret
.fill:
        mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        dec     ecx
        jnz     .fill
        ret

COM1     equ 0x3f8
LSR      equ COM1 + 5
LSR_THRE equ 0x20
VGA_TEXT equ 0xb8000
VGA_RED  equ 0x4f00

; One line on COM1 and on the first line of the text screen, then the exit code 35 of
; isa-debug-exit, then a halt where there is no such device.
no_long_mode:
        lea     esi, [ebp + .message]
        mov     edi, VGA_TEXT
.next:
        movzx   ebx, byte [esi]
        test    ebx, ebx
        jz      .done
        mov     ecx, 10000         ; a dead port must not hold the message back from the screen
        mov     edx, LSR
.wait:
        in      al, dx
        test    al, LSR_THRE
        jnz     .send
        pause
        dec     ecx
        jnz     .wait
.send:
        mov     edx, COM1
        mov     eax, ebx
        out     dx, al
        or      eax, VGA_RED
        mov     [edi], ax
        add     edi, 2
        inc     esi
        jmp     .next
.done:
        mov     eax, 17
        out     0xf4, eax
.halt:
        hlt
        jmp     .halt
.message:
        db      "bulla: this CPU has no 64-bit mode (long mode); Bulla needs one that has"
        db      13, 10, 0

; Entry:    64-bit mode on the boot page tables, the stack of start32
; Exit:     boot_enter(door, load offset, magic, info, entry_tsc), on the boot stack
; Clobbers: all
bits 64
start64:
        mov     esp, esp           ; the upper half is undefined after the switch
        pop     r8                 ; entry_tsc
        mov     edi, [rsp + 4]
        mov     esi, [rsp + 8]
        mov     edx, [rsp + 12]
        mov     ecx, [rsp + 16]
        mov     rax, start_high
        jmp     rax

align 8
gdt:                               ; accessed bits are set: the CPU never writes here
        dq      0
        dq      0x00af9b000000ffff ; SEL_CODE64
        dq      0x00cf93000000ffff ; SEL_DATA
        dq      0x00cf9b000000ffff ; SEL_CODE32
gdt_end:

section .text
bits 64
start_high:
        mov     rsp, boot_stack_top
        xor     ebp, ebp           ; the end of every backtrace
        call    boot_enter
        ud2

section .bss nobits alloc noexec write align=4096
boot_pml4:          resb 4096
boot_pdpt_identity: resb 4096
boot_pdpt_kernel:   resb 4096
boot_pd_identity:   resb 4 * 4096
boot_pd_kernel:     resb 4096
boot_stack:         resb 16384
boot_stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
