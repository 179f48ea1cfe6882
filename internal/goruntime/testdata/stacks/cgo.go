//go:build withcgo
// +build withcgo

package main

/*
#include <unistd.h>
void callback(void);
static void wait_for_ever(void) { for (;;) pause(); }
static void call_back(void) { callback(); }
*/
import "C"

// inC returns functions that call C.
func inC() []func() {
	return []func(){waitInC, locked(waitInC), func() { C.call_back() }}
}

func waitInC() { C.wait_for_ever() }

//export callback
func callback() { deep(3) }
