// Command plughost reads a line, loads the plugin that it was started with, calls its Pin and prints
// the results. Any Go since 1.13 builds it.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"plugin"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	pin, err := p.Lookup("Pin")
	if err != nil {
		panic(err)
	}
	function, entry, lock := pin.(func() (string, uintptr, uintptr))()
	json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"function": function, "entry": entry, "lock": lock})
	for {
		if _, err := in.ReadByte(); err != nil {
			return
		}
	}
}
