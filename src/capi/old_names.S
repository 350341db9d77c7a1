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

    .text
    old timer_create, GLIBC_2.3.3
    old timer_settime, GLIBC_2.3.3
    old timer_gettime, GLIBC_2.3.3
    old timer_getoverrun, GLIBC_2.3.3
    old timer_delete, GLIBC_2.3.3
    old mq_notify, GLIBC_2.3.4

#endif

    .section .note.GNU-stack, "", %progbits
