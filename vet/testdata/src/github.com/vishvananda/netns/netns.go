// Package netns stands in for github.com/vishvananda/netns.
package netns

type NsHandle int

func (ns NsHandle) Close() error           { return nil }
func Get() (NsHandle, error)               { return 0, nil }
func Set(ns NsHandle) error                { return nil }
func New() (NsHandle, error)               { return 0, nil }
func GetFromPid(pid int) (NsHandle, error) { return 0, nil }
