package library

import "os"

func endTests() { os.Exit(1) }
