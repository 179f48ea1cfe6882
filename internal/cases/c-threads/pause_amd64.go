package main

import "syscall"

// pause is the system call in which pause(3) waits.
const pause = syscall.SYS_PAUSE
