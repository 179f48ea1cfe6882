package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/urfave/cli/v2"
)

func versionCommand(s streams) *cli.Command {
	return &cli.Command{
		Name:     "version",
		Usage:    "print the version and how it was built",
		Category: "this machine, this tool",
		Before:   noArguments,
		Action: func(*cli.Context) error {
			return writeVersion(s.out)
		},
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
	}
}

func writeVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "pinwatch %s %s %s/%s\n", versionString(), runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
	return explainWrite(err)
}
