package library

import "os"

func end() { os.Exit(1) }
