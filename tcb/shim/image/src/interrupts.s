/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU calls. All of it runs on stacks of its own, so that code in the red zone of another is safe. */

    .pushsection .text.interrupts, "ax", @progbits
    .code64

    /* One entry of 16 bytes for each exception: its number, its error code or 0, then the common part. */
    .globl exception_entries
    .balign 16
exception_entries:
    .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .balign 16
    .if \number == 8 || (\number >= 10 && \number <= 14) || \number == 17 || \number == 21 || \number == 29 || \number == 30
    .else
    push 0
    .endif
    push \number
    jmp exception_common
    .endr

exception_common:
    cld
    mov rdi, [rsp]
    mov rsi, [rsp + 8]
    mov rdx, [rsp + 16]
    mov rcx, cr2
    and rsp, -16
    call keep_exception
    ud2

    .macro save_scratch
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    .endm

    .macro restore_scratch
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    .endm

    /* #VC (APM, section 15.35.5). The CPU pushed six words on an aligned stack and ten follow: aligned again. */
    .globl communication_entry
    .balign 16
communication_entry:
    save_scratch
    push rbx
    cld
    mov rdi, rsp
    sub rsp, 512
    fxsave64 [rsp]
    call keep_communication
    fxrstor64 [rsp]
    add rsp, 512
    pop rbx
    restore_scratch
    add rsp, 8                      /* the error code */
    iretq

    /* The CPU pushed five words on an aligned stack and nine follow: aligned again. The handler is compiled for SSE2
       and so changes nothing beyond what fxsave keeps. */
    .globl timer_entry
    .balign 16
timer_entry:
    save_scratch
    cld
    sub rsp, 512
    fxsave64 [rsp]
    call keep_timer
    fxrstor64 [rsp]
    add rsp, 512
    restore_scratch
    iretq

    /* A device, or a vector that nobody uses: it woke the CPU, which is all it is for. */
    .globl other_entry
    .balign 16
other_entry:
    save_scratch
    cld
    sub rsp, 512
    fxsave64 [rsp]
    call keep_woken
    fxrstor64 [rsp]
    add rsp, 512
    restore_scratch
    iretq

    .globl spurious_entry
    .balign 16
spurious_entry:
    iretq
    .popsection
