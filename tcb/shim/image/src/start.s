/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the entry of the PVH boot protocol (Xen, docs/misc/pvh.pandoc) to 64-bit code on a stack of our own.
 * Comes in: 32-bit protected mode without paging, interrupts off, ebx = physical address of the start info,
 * esi = what this is to be a guest of (`machine::entry`).
 */

    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18                  /* name, value, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_start
    .popsection

    .pushsection .note.Enarx, "a", @note
    .balign 4
    .long 6, 16, {NOTE_SNP_PAGES}
    .asciz "Enarx"
    .balign 4
    .long {SNP_CPUID}, {SNP_SECRETS}, {SNP_HOST_START}, {SNP_HOST_END}
    .popsection

    .pushsection .text.pvh, "ax", @progbits
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    mov esp, offset main_stack_top
    xor ebp, ebp                    /* upper half of what marks memory as private in page tables */
    cmp esi, {TDX}
    je not_here
    cmp esi, {SNP}
    je snp_start

tables:
    /* The first 4 GiB, one to one, in pages of 2 MiB that may be everything. The final tables replace these. */
    mov edi, offset start_pml4
    lea eax, [edi + 0x1000 + 0x3]
    mov [edi], eax
    mov [edi + 4], ebp
    lea edi, [edi + 0x1000]
    lea eax, [edi + 0x1000 + 0x3]
    mov ecx, 4
1:  mov [edi], eax
    mov [edi + 4], ebp
    add eax, 0x1000
    add edi, 8
    loop 1b
    mov edi, offset start_pml4 + 0x2000
    mov eax, 0x83
    mov ecx, 2048
1:  mov [edi], eax
    mov [edi + 4], ebp
    add eax, 0x200000
    add edi, 8
    loop 1b

    mov eax, offset start_pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x620                   /* PAE, OSFXSR, OSXMMEXCPT */
    mov cr4, eax
    mov ecx, 0xc0000080             /* EFER */
    rdmsr
    or eax, 0x900                   /* LME, NXE */
    wrmsr
    mov eax, cr0
    and eax, 0x9ffffff3             /* no CD, NW, TS, EM */
    or eax, 0x80010023              /* PG, WP, NE, MP, PE */
    mov cr0, eax
    lgdt [start_gdt_pointer]
    push 8
    mov eax, offset long_start
    push eax
    retf

    /*
     * As a guest of SEV-SNP all memory is private while there is no paging, and with it only what the tables mark. Which
     * bit does that is in the CPUID page: entries of 48 bytes after 16 bytes, leaf at 0, EBX at 28 (56860, 8.17).
     */
snp_start:
    mov ecx, 0xc0010131             /* SEV_STATUS, which no hypervisor can intercept: SEV, SEV-ES and SNP */
    rdmsr
    and eax, 7
    cmp eax, 7
    jne not_here
    mov edi, {SNP_CPUID}
    mov ecx, [edi]
    cmp ecx, 64
    ja snp_stop
    add edi, 16
1:  test ecx, ecx
    jz snp_stop
    cmp dword ptr [edi], 0x8000001f
    je 2f
    add edi, 48
    dec ecx
    jmp 1b
2:  mov ecx, [edi + 28]
    and ecx, 63
    sub ecx, 32
    jb snp_stop
    cmp ecx, 20                     /* addresses have 52 bits */
    jae snp_stop
    mov ebp, 1
    shl ebp, cl
    jmp tables

    /* Nobody handles exceptions yet: the first one ends the machine. */
not_here:
    ud2

snp_stop:
    mov ecx, 0xc0010130             /* termination request of the GHCB MSR protocol (56421, 2.3.1) */
    mov eax, {SNP_STOP}
    xor edx, edx
    wrmsr
    rep vmmcall
    jmp snp_stop

    .balign 8
start_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 64-bit code */
    .quad 0x00cf93000000ffff        /* data */
start_gdt_pointer:
    .word 23
    .long start_gdt

    .code64
long_start:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov edi, ebx
    mov esi, esi
    mov edx, ebp
    lea rsp, [rip + main_stack_top]
    xor ebp, ebp
    call keep_main
    ud2
    .popsection

    .pushsection .bss.start, "aw", @nobits
    .balign 4096
    .globl start_pml4
start_pml4:
    .skip 0x6000
    .popsection

    /* Below each stack is a page that is mapped nowhere. */
    .pushsection .stacks, "aw", @nobits
    .balign 4096
    .globl main_stack_guard
main_stack_guard:
    .skip 0x1000
    .skip 0x80000
    .globl main_stack_top
main_stack_top:
    .globl fault_stack_guard
fault_stack_guard:
    .skip 0x1000
    .skip 0x4000
    .globl fault_stack_top
fault_stack_top:
    .globl interrupt_stack_guard
interrupt_stack_guard:
    .skip 0x1000
    .skip 0x4000
    .globl interrupt_stack_top
interrupt_stack_top:
    .popsection
