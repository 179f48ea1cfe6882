// Command host does what the lines of its input ask for, with the plugin that it is started with, and
// prints an object for each.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"plugin"
	"syscall"
)

func main() {
	out := json.NewEncoder(os.Stdout)
	var plug *plugin.Plugin
	lookup := func(name string) plugin.Symbol {
		symbol, err := plug.Lookup(name)
		if err != nil {
			panic(err)
		}
		return symbol
	}
	print := func(v map[string]any) {
		if err := out.Encode(v); err != nil {
			panic(err)
		}
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "load":
			p, err := plugin.Open(os.Args[1])
			if err != nil {
				panic(err)
			}
			plug = p
			print(map[string]any{"pid": syscall.Getpid()})
		case "pin":
			tids, function := lookup("Pin").(func(int) ([]int, string))(2)
			print(map[string]any{"tids": tids, "function": function})
		case "churn":
			print(map[string]any{"function": lookup("Churn").(func(int) string)(25)})
		}
	}
}
