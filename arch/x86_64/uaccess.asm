; SPDX-License-Identifier: MIT
;
; arch/x86_64/uaccess.asm - the instructions that touch a program's memory
;
; Room:   arch.
; Owns:   every place where SMAP is open; each may fault, and each has its fixup.
; Locks:  none.
; Always: (1) AC is clear again on every way out; (2) these five are all.
; Source: Intel SDM 3A, "Access Rights"; SDM 2B, "STAC".
; Tour:   before arch/x86_64/uaccess.c.

%include "percpu.inc"

section .text
bits 64

; %1 may fault; then go on at %2.
%macro EX_TABLE 2
        [section .ex_table progbits alloc noexec nowrite align=8]
        dq      %1, %2
        __?SECT?__
%endmacro

; size_t user_copy(void *to, const void *from, size_t len): one side is the user's
;
; Entry:    RDI, RSI, RDX
; Exit:     RAX = bytes not copied
; Clobbers: RCX, RDI, RSI
; Stack:    unused
global user_copy
user_copy:
        STAC
        mov     rcx, rdx
        shr     rcx, 3
        and     edx, 7
.quads: rep movsq
        mov     ecx, edx
.bytes: rep movsb
        CLAC
        xor     eax, eax
        ret
.quads_refused:                         ; the rest once more byte by byte, up to the page's edge
        lea     rcx, [rdx + rcx * 8]
.tail:  rep movsb
.refused:
        CLAC
        mov     rax, rcx
        ret
EX_TABLE .quads, .quads_refused
EX_TABLE .bytes, .refused
EX_TABLE .tail, .refused

; size_t user_clear(void *to, size_t len)
;
; Entry:    RDI, RSI
; Exit:     RAX = bytes not cleared
; Clobbers: RCX, RDI
; Stack:    unused
global user_clear
user_clear:
        STAC
        mov     rcx, rsi
        xor     eax, eax
.bytes: rep stosb
.refused:
        CLAC
        mov     rax, rcx
        ret
EX_TABLE .bytes, .refused

; long user_copy_string(char *to, const char *from, size_t size): up to and with the first NUL
;
; Entry:    RDI (kernel), RSI (user), RDX
; Exit:     RAX = bytes copied before the NUL; RDX, if there is none in so many; or -EFAULT
; Clobbers: RCX
; Stack:    unused
global user_copy_string
user_copy_string:
        STAC
        xor     eax, eax
.next:  cmp     rax, rdx
        je      .done
.byte:  mov     cl, [rsi + rax]
        mov     [rdi + rax], cl
        inc     rax
        test    cl, cl
        jnz     .next
        dec     rax                     ; the NUL does not count
.done:  CLAC
        ret
.refused:
        CLAC
        mov     rax, -14
        ret
EX_TABLE .byte, .refused

; int user_cmpxchg32(uint32_t *at, uint32_t *expected, uint32_t new)
; Atomically: if *at == *expected then *at = new; *expected = what was there.
;
; Entry:    RDI (user), RSI (kernel), EDX
; Exit:     EAX = 0, or -EFAULT
; Clobbers: ECX
; Stack:    unused
global user_cmpxchg32
user_cmpxchg32:
        mov     eax, [rsi]
        STAC
.swap:  lock cmpxchg [rdi], edx
        CLAC
        mov     [rsi], eax
        xor     eax, eax
        ret
.refused:
        CLAC
        mov     eax, -14
        ret
EX_TABLE .swap, .refused

section .note.GNU-stack noalloc noexec nowrite progbits
