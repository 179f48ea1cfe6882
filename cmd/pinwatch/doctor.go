package main

import "github.com/urfave/cli/v2"

func doctorCommand(s streams) *cli.Command { return &cli.Command{Name: "doctor", Usage: "what this machine allows"} }
func completionCommand(s streams) *cli.Command { return &cli.Command{Name: "completion"} }
