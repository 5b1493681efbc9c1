; SPDX-License-Identifier: MIT
;
; arch/x86_64/trampoline.asm - the first instructions of every CPU but the first
;
; Room:   arch. Runs as a copy, in a page below 1 MiB; never where it is linked.
; Owns:   the way from real mode to a C function on a kernel stack.
; Locks:  none; one CPU at a time.
; Always: (1) position independent: EBX = physical address of the copy;
;         (2) control registers are written whole: INIT leaves caches switched off in CR0.
; Source: Intel SDM 3A, "Multiple-Processor Initialization"; "Initializing IA-32e Mode".
; Tour:   with arch/x86_64/smp.c.

MSR_EFER       equ 0xc0000080
CR0_PROTECTED  equ 0x00010033           ; PE, MP, ET, NE, WP
CR0_LONG       equ 0x80010033           ; the same with PG
CR4_PAE        equ 0x20

%define AT(label) (label - trampoline_start)

section .rodata

; Entry:    start-up IPI: real mode, CS:IP = (page << 8):0, interrupts off
; Exit:     entry(argument) of struct trampoline_data, 64-bit mode, on its stack and root
; Clobbers: all
; Stack:    none until the very end
; Data:     from here to trampoline_end, copied by smp.c
global trampoline_start
align 16
trampoline_start:
bits 16
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        movzx   ebx, ax
        shl     ebx, 4
        lea     eax, [ebx + AT(gdt)]
        mov     [AT(gdt_pointer) + 2], eax
        lea     eax, [ebx + AT(start32)]
        mov     [AT(far32)], eax
        lea     eax, [ebx + AT(start64)]
        mov     [AT(far64)], eax
        o32 lgdt [AT(gdt_pointer)]
        mov     eax, CR0_PROTECTED
        mov     cr0, eax
        jmp     far dword [AT(far32)]

bits 32
start32:
        mov     eax, SEL_DATA
        mov     ds, eax
        mov     ss, eax
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     eax, [ebx + AT(data.root)]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, [ebx + AT(data.efer)]
        xor     edx, edx
        wrmsr
        mov     eax, CR0_LONG           ; from here on this page can only be read and executed
        mov     cr0, eax
        jmp     far dword [ebx + AT(far64)]

bits 64
start64:
        mov     ebx, ebx                ; the upper half is undefined after the switch
        mov     rsp, [rbx + AT(data.stack_top)]
        mov     rdi, [rbx + AT(data.argument)]
        xor     ebp, ebp                ; the end of every backtrace
        call    [rbx + AT(data.entry)]
        ud2

SEL_CODE64     equ 0x08
SEL_DATA       equ 0x10
SEL_CODE32     equ 0x18

align 8
gdt:                                    ; accessed bits are set: the CPU never writes here
        dq      0
        dq      0x00af9b000000ffff      ; SEL_CODE64
        dq      0x00cf93000000ffff      ; SEL_DATA
        dq      0x00cf9b000000ffff      ; SEL_CODE32
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      0
far32:
        dd      0
        dw      SEL_CODE32
far64:
        dd      0
        dw      SEL_CODE64

align 8
data:                                   ; struct trampoline_data of smp.h
.root:          dd      0
.efer:          dd      0
.stack_top:     dq      0
.entry:         dq      0
.argument:      dq      0
; Data:     where the copy ends
global trampoline_end
trampoline_end:

section .note.GNU-stack noalloc noexec nowrite progbits
