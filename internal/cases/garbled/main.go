// Garbled hides its Go release, as obfuscators do: it executes a copy of itself whose build info
// names none.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// magic is put together at run time, so that the program holds it once.
var magic = append([]byte{0xff}, " Go buildinf:"...)

// garble overwrites the version in the build info, which follows a header of 32 bytes and its
// length, and ends the build info after it (debug/buildinfo).
func garble(program []byte) {
	const header = 32
	at := bytes.Index(program, magic)
	if at < 0 || bytes.Contains(program[at+1:], magic) {
		panic("not exactly one build info")
	}
	copy(program[at+header:], "\x07unknown\x00")
}

// become executes a changed copy of this program.
func become(name string, program []byte) {
	if err := os.WriteFile(name, program, 0o700); err != nil {
		panic(err)
	}
	panic(syscall.Exec(name, os.Args, append(os.Environ(), "GARBLED="+name)))
}

func pinned(up chan<- struct{}) {
	runtime.LockOSThread() // for good
	up <- struct{}{}
	select {}
}

func pinAndLeave(gone chan<- struct{}) {
	runtime.LockOSThread()
	gone <- struct{}{} // ends without UnlockOSThread: its thread ends, too
}

func main() {
	if name := os.Getenv("GARBLED"); name != "" {
		_ = os.Remove(name)
	} else {
		program, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			panic(err)
		}
		garble(program)
		become(os.TempDir()+"/garbled-"+strconv.Itoa(os.Getpid()), program)
	}
	up := make(chan struct{})
	for range 3 {
		go pinned(up)
		<-up
	}
	account := json.NewEncoder(os.Stdout)
	_ = account.Encode(map[string]any{"pinned": 3})
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	gone := make(chan struct{})
	for range 20 {
		go pinAndLeave(gone)
		<-gone
	}
	_, _ = io.Copy(io.Discard, in)
	_ = account.Encode(map[string]any{"exits": 20})
}
