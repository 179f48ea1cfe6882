package main

const setns = 308 // arch/x86/entry/syscalls/syscall_64.tbl
