package main

// threadPointer returns TPIDR_EL0.
func threadPointer() uintptr
