package procfs

import _ "embed"

//go:embed syscalls_arm64.txt
var syscallList string
