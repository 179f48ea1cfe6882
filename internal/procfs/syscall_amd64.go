package procfs

import _ "embed"

//go:embed syscalls_amd64.txt
var syscallList string
