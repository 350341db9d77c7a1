/*
 * Names that the C library has had under an older version. A program that was linked long ago asks
 * for that version and takes no other, so each is here once more, under that version alone. What
 * the C library offers under the newest version stands in sio.map.
 *
 * Only the shared library that meson links has versions, so only that one has these. Versions
 * differ between machines; a version whose arguments differ from today's must not be here, as
 * timer_create of GLIBC_2.2.5 on x86-64, whose timers are numbers.
 */
#if defined(__linux__) && defined(__x86_64__)

    .macro old name, version
    .globl old_\name
    .type old_\name, @function
old_\name:
    .cfi_startproc
    endbr64
    jmp \name@PLT
    .cfi_endproc
    .size old_\name, . - old_\name
    .symver old_\name, \name@\version
    .endm

    /*
     * lio_listio(mode, list, count, event) of 2.2.5 knew no notification of a single request: it
     * says so in the blocks, SIGEV_NONE (1) where their aio_sigevent.sigev_notify is, unless
     * aio_lio_opcode is LIO_NOP (2).
     */
    .macro old_list name
    .globl oldest_\name
    .type oldest_\name, @function
oldest_\name:
    .cfi_startproc
    endbr64
    xorl %eax, %eax
1:  cmpl %edx, %eax
    jge 3f
    movslq %eax, %r8
    movq (%rsi,%r8,8), %r8
    testq %r8, %r8
    je 2f
    cmpl $2, 4(%r8)
    je 2f
    movl $1, 44(%r8)
2:  incl %eax
    jmp 1b
3:  jmp \name@PLT
    .cfi_endproc
    .size oldest_\name, . - oldest_\name
    .symver oldest_\name, \name@GLIBC_2.2.5
    .endm

    .text
    old timer_create, GLIBC_2.3.3
    old timer_settime, GLIBC_2.3.3
    old timer_gettime, GLIBC_2.3.3
    old timer_getoverrun, GLIBC_2.3.3
    old timer_delete, GLIBC_2.3.3
    old mq_notify, GLIBC_2.3.4
    old aio_cancel, GLIBC_2.2.5
    old aio_cancel64, GLIBC_2.2.5
    old aio_error, GLIBC_2.2.5
    old aio_error64, GLIBC_2.2.5
    old aio_fsync, GLIBC_2.2.5
    old aio_fsync64, GLIBC_2.2.5
    old aio_read, GLIBC_2.2.5
    old aio_read64, GLIBC_2.2.5
    old aio_return, GLIBC_2.2.5
    old aio_return64, GLIBC_2.2.5
    old aio_suspend, GLIBC_2.2.5
    old aio_suspend64, GLIBC_2.2.5
    old aio_write, GLIBC_2.2.5
    old aio_write64, GLIBC_2.2.5
    old aio_init, GLIBC_2.2.5
    old lio_listio, GLIBC_2.4
    old lio_listio64, GLIBC_2.4
    old_list lio_listio
    old_list lio_listio64

#endif

    .section .note.GNU-stack, "", %progbits
