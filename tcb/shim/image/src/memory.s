/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four functions that compilers call without being asked. Eight bytes at a time where that is possible: the string
 * instructions are fast on every CPU with a TEE, and bytewise ones are slow where they are emulated.
 */

    .pushsection .text.memory, "ax", @progbits
    .code64

    .globl memcpy
    .balign 16
memcpy:
    mov rax, rdi
    mov rcx, rdx
    shr rcx, 3
    rep movsq
    mov ecx, edx
    and ecx, 7
    rep movsb
    ret

    .globl memmove
    .balign 16
memmove:
    mov rax, rdi
    mov rcx, rdi
    sub rcx, rsi
    cmp rcx, rdx
    jae memcpy
    /* The target begins within the source: from the end, bytes first. */
    lea rsi, [rsi + rdx - 1]
    lea rdi, [rdi + rdx - 1]
    mov ecx, edx
    and ecx, 7
    std
    rep movsb
    mov rcx, rdx
    shr rcx, 3
    sub rsi, 7
    sub rdi, 7
    rep movsq
    cld
    ret

    .globl memset
    .balign 16
memset:
    mov r8, rdi
    movzx eax, sil
    mov r9, 0x0101010101010101
    imul rax, r9
    mov rcx, rdx
    shr rcx, 3
    rep stosq
    mov ecx, edx
    and ecx, 7
    rep stosb
    mov rax, r8
    ret

    .globl memcmp
    .globl bcmp
    .balign 16
memcmp:
bcmp:
    xor ecx, ecx
1:  lea r8, [rcx + 8]
    cmp r8, rdx
    ja 2f
    mov rax, [rdi + rcx]
    cmp rax, [rsi + rcx]
    jne 2f
    mov rcx, r8
    jmp 1b
2:  cmp rcx, rdx
    jae 3f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    je 2b
    ret
3:  xor eax, eax
    ret

    .globl strlen
    .balign 16
strlen:
    xor eax, eax
1:  cmp byte ptr [rdi + rax], 0
    je 2f
    inc rax
    jmp 1b
2:  ret
    .popsection
