// Package netlink stands in for github.com/vishvananda/netlink.
package netlink

func LinkList() ([]string, error) { return nil, nil }
