//go:build !linux

package app

import "os/exec"

// lower cannot ask for less here.
func lower(*exec.Cmd) {}

func expendable(int) {}

func firstThread() bool { return false }
