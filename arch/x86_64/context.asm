; SPDX-License-Identifier: MIT
;
; arch/x86_64/context.asm - from one kernel stack to another
;
; Room:   arch.
; Owns:   what a resting kernel stack looks like.
; Locks:  the scheduler's; IRQs off.
; Always: (1) only callee-saved registers are kept: to C this is an ordinary call.
; Source: System V AMD64 psABI, "Registers".
; Tour:   with arch/x86_64/context.c.

section .text
bits 64

; void context_swap(uint64_t *save_rsp, uint64_t load_rsp)
;
; Entry:    RDI = where the old stack pointer goes, RSI = the new one, IRQs off
; Exit:     returns on the new stack
; Clobbers: as a C call
; Stack:    | return address | rbx | rbp | r12 | r13 | r14 | r15 | <- saved rsp
global context_swap
context_swap:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [rdi], rsp
        mov     rsp, rsi
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

; Where a new context begins, by the RET above.
;
; Entry:    R12 = function, R13 = its argument, IRQs off, stack 16-byte aligned
; Exit:     the function never returns
; Clobbers: -
; Stack:    empty but for the room of a struct trap_frame
global context_entry
context_entry:
        xor     ebp, ebp
        mov     rdi, r13
        call    r12
        ud2

section .note.GNU-stack noalloc noexec nowrite progbits
