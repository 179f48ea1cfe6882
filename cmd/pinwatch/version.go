package main

import (
	"fmt"
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
			_, err := fmt.Fprintf(s.out, "pinwatch %s %s %s/%s\n",
				versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
		OnUsageError:    onUsageError,
		HideHelpCommand: true,
	}
}
