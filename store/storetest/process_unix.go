//go:build unix && !linux

package storetest

import "syscall"

// attributes make a child run as owner.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner}
}
