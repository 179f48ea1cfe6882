// Plugin loads a plugin, which pins its goroutines. The host itself never does.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"plugin"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	dir, err := os.MkdirTemp("", "plugin")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "part.so")
	build := exec.Command("go", "build", "-buildmode=plugin", "-o", file, "./plugin/part")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	part, err := plugin.Open(file)
	if err != nil {
		panic(err)
	}
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	pin, err := part.Lookup("Pin")
	if err != nil {
		panic(err)
	}
	n, exits := pin.(func() (int, int))()
	in.Scan() // the end
	fmt.Printf(`{"pinned": %d, "exits": %d}`, n, exits)
}
