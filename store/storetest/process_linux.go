package storetest

import "syscall"

// attributes make a child run as owner and end with this process, however that
// ends.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
}
