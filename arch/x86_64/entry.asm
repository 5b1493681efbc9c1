; SPDX-License-Identifier: MIT
;
; arch/x86_64/entry.asm - every way into the kernel, and the ways back
;
; Room:   arch.
; Owns:   the frame layout of asm/trap.h, SWAPGS, SYSCALL and SYSRET.
; Locks:  none; IRQs are off on all these paths, C switches them on.
; Always: (1) C runs with GS at struct cpu, DF clear and AC clear (SMAP shut);
;         (2) SYSRET never meets a non-canonical RIP, which would fault in ring 0 on the user's
;             stack: it only goes back to where SYSCALL was, and USER_END is below the last page.
; Source: Intel SDM 3A, "Interrupt and Exception Handling"; SDM 2B, "SYSRET".
; Tour:   after asm/trap.h, before arch/x86_64/trap.c.

%include "percpu.inc"

extern trap_dispatch
extern trap_dispatch_ist
extern syscall_table
extern upcall_syscall
extern upcall_exit
extern tlb_requests
extern apic_registers
; Debug builds look at locks on every way out, so that no value of the flag is the right one.
%if DEBUG >= 1
NO_EXIT_WORK    equ 2
%else
NO_EXIT_WORK    equ 0
%endif

section .text
bits 64

; Stack at entry_common, low addresses last:
;   | ss | rsp | rflags | cs | rip | error or 0 | -1 - vector | <- rsp
;
; Entry:    an exception or interrupt, IRQs off; from ring 3 GS is the user's
; Exit:     trap_return
; Clobbers: nothing: all registers are in the frame
entry_common:
        PUSH_REGISTERS
        cld
        CLAC
        test    byte [rsp + FRAME_CS], 3
        jz      .from_kernel
        swapgs
.from_kernel:
        xor     ebp, ebp                ; backtraces of traps from ring 3 end here
        test    byte [rsp + FRAME_CS], 3
        jnz     .dispatch
        mov     rbp, [rsp + FRAME_RBP]  ; from ring 0 they go on: rbp as it was
.dispatch:
        mov     rdi, rsp
        call    trap_dispatch

; Entry:    RSP = struct trap_frame, IRQs off, exit work done when it leads to ring 3
; Exit:     IRET to whatever was interrupted
; Clobbers: -
; Stack:    the frame, at the top of the stack if it leads to ring 3
global trap_return
trap_return:
        test    byte [rsp + FRAME_CS], 3
        jz      .registers
        swapgs
.registers:
        POP_REGISTERS
        add     rsp, 16                 ; orig_rax, error
        iretq

; Entry:    SYSCALL: RCX = return address, R11 = RFLAGS, RSP and GS still the user's, IRQs off
; Exit:     SYSRET, or trap_return where SYSRET could not restore everything
; Clobbers: RCX, R11 (as the architecture does)
; Stack:    switched to the top of the task's kernel stack, where the frame is built
global entry_syscall
entry_syscall:
        swapgs
        mov     [gs:CPU_USER_RSP], rsp
        mov     rsp, [gs:CPU_KERNEL_RSP]
        push    SEL_USER_DATA
        push    qword [gs:CPU_USER_RSP]
        push    r11
        push    SEL_USER_CODE
        push    rcx
        push    0                       ; error
        push    rax                     ; orig_rax: the number
        PUSH_REGISTERS
        xor     ebp, ebp
        sti
        mov     rbx, [gs:CPU_TASK]
        cmp     byte [rbx + TASK_TRACED], 0
        jne     .by_upcall
        cmp     rax, SYSCALL_ENTRIES
        jae     .by_upcall
        mov     rax, [syscall_table + rax * 8]
        test    rax, rax
        jz      .by_upcall
        mov     rcx, r10                ; the other arguments stand where C wants them
        call    rax
        mov     [rsp + FRAME_RAX], rax
.called:
        cli
        cmp     byte [rbx + TASK_EXIT_WORK], NO_EXIT_WORK
        jne     .exit_work
.sysret:
        test    dword [rsp + FRAME_R11], 0x10100
        jnz     trap_return             ; TF or RF: only IRET restores them in order
        mov     rbp, [rsp + FRAME_RBP]
        mov     rbx, [rsp + FRAME_RBX]
        add     rsp, FRAME_R11          ; C has kept r15 ... r12
        POP_CALL_CLOBBERED
        mov     rsp, [rsp + FRAME_RSP - FRAME_ORIG_RAX]
        swapgs
        o64 sysret
.by_upcall:
        mov     rdi, rsp
        call    upcall_syscall
        jmp     .called
.exit_work:
        mov     rdi, rsp
        call    upcall_exit
        test    al, al
        jz      .sysret
        jmp     trap_return             ; other registers: exec, signal, ptrace

; Entry:    SYSCALL from 32-bit code, which Bulla does not run: answered with -ENOSYS
; Exit:     SYSRET to 32-bit code
; Clobbers: EAX
; Stack:    untouched
global entry_syscall_compat
entry_syscall_compat:
        mov     eax, -38
        sysret

; NMI, double fault, machine check arrive at any instruction, even right before a SWAPGS. So GS is
; neither trusted nor swapped: the CPU's own pointer stands at the top of its IST stack.
;   | struct cpu * | 0 | ss | rsp | rflags | cs | rip | error | -1 - vector | <- rsp
;
; Entry:    an IST exception
; Exit:     IRET with GS.base as it was
; Clobbers: -
entry_ist:
        PUSH_REGISTERS
        cld
        CLAC
        mov     ecx, 0xc0000101         ; GS.base
        rdmsr
        mov     r12d, eax
        mov     r13d, edx
        mov     eax, [rsp + FRAME_SIZE + 8]
        mov     edx, [rsp + FRAME_SIZE + 12]
        wrmsr
        mov     rbp, [rsp + FRAME_RBP]
        mov     rdi, rsp
        call    trap_dispatch_ist
        mov     ecx, 0xc0000101
        mov     eax, r12d
        mov     edx, r13d
        wrmsr
        POP_REGISTERS
        add     rsp, 16
        iretq

; A shootdown as it mostly is: one CPU asks for a few pages of the loaded space, of which this one
; has missed nothing. It is answered here; all else is left for tlb_answer(), by way of a frame.
;   | ss | rsp | rflags | cs | rip | rax | rcx | rdx | rsi | <- rsp
;
; Entry:    VECTOR_TLB, IRQs off; from ring 3 GS is the user's
; Exit:     IRET to whatever was interrupted, or the general entry
; Clobbers: -
%define INTERRUPTED_CS rsp + 5 * 8
entry_tlb:
        push    rax
        push    rcx
        push    rdx
        push    rsi
        test    byte [INTERRUPTED_CS], 3
        jz      .from_kernel
        swapgs
.from_kernel:
        xor     esi, esi
        xchg    [gs:CPU_TLB_WANTED], rsi
        bsf     rcx, rsi
        jz      .otherwise              ; nobody: an earlier interrupt found the request
        lea     rax, [rsi - 1]
        test    rax, rsi
        jnz     .otherwise              ; more than one
        shl     ecx, REQUEST_SHIFT
        lea     rdx, [tlb_requests + rcx]
        cmp     dword [rdx + REQUEST_WISH], TLB_FORGET
        jne     .otherwise
        mov     rax, [rdx + REQUEST_PGT]
        cmp     rax, [gs:CPU_PGT]
        jne     .otherwise
        mov     rax, [gs:CPU_TLB_SEEN]
        inc     rax
        cmp     rax, [rdx + REQUEST_GENERATION]
        jne     .otherwise
        cmp     qword [rdx + REQUEST_END], -1
        je      .otherwise              ; so many that all go at once
        mov     rcx, [rdx + REQUEST_START]
.page:
        invlpg  [rcx]
        inc     qword [gs:CPU_TLB_ONES]
        add     rcx, [rdx + REQUEST_STRIDE]
        cmp     rcx, [rdx + REQUEST_END]
        jb      .page
        mov     [gs:CPU_TLB_SEEN], rax
        inc     qword [gs:CPU_TLB_HANDLED]
        mov     eax, [gs:CPU_ID]
        lock btr [rdx + REQUEST_PENDING], rax
        mov     rdx, [apic_registers]
        test    rdx, rdx
        jz      .x2apic
        mov     dword [rdx + APIC_EOI], 0
.back:
        test    byte [INTERRUPTED_CS], 3
        jz      .registers
        swapgs
.registers:
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        iretq
.x2apic:
        mov     ecx, MSR_X2APIC_EOI
        xor     eax, eax
        xor     edx, edx
        wrmsr
        jmp     .back
.otherwise:
        lock or [gs:CPU_TLB_WANTED], rsi
        test    byte [INTERRUPTED_CS], 3
        jz      .as_others
        swapgs
.as_others:
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        jmp     entry_vector_ %+ VECTOR_TLB

; void return_to_user(struct trap_frame *frame)
;
; Entry:    RDI = frame at the top of this task's stack, complete; IRQs off
; Exit:     ring 3
; Clobbers: -
global return_to_user
return_to_user:
        mov     rsp, rdi
        jmp     trap_return

; One stub per vector: make all frames alike. Vectors 8, 10-14, 17, 21, 29, 30 push an error code.
%define HAS_ERROR_CODE 0x60227d00
%assign vector 0
%rep 0x30
entry_vector_ %+ vector:
%if vector < 32 && ((HAS_ERROR_CODE >> vector) & 1)
%else
        push    0
%endif
        push    -1 - vector
%if vector == 2 || vector == 8 || vector == 18
        jmp     entry_ist
%else
        jmp     entry_common
%endif
%assign vector vector + 1
%endrep

section .rodata
; Data: the address of each vector's entry, for the IDT.
global entry_vectors
align 8
entry_vectors:
%assign vector 0
%rep 0x30
%if vector == VECTOR_TLB && !BUGS       ; switches of bugs are in C
        dq      entry_tlb
%else
        dq      entry_vector_ %+ vector
%endif
%assign vector vector + 1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
