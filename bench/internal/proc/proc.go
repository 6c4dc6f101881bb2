// Package proc reads what Linux tells of a process and of the machine.
package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc/PID/stat (USER_HZ, 100 on every Linux that Go runs on).
const tick = 10 * time.Millisecond

// Usage is one reading of a process, memory in bytes.
type Usage struct {
	RSS  int64 // resident set
	Anon int64 // of that, private memory; the rest is program text
	User time.Duration
	CPU  time.Duration // user and system, in steps of 10 ms
	FDs  int
}

// Read reads a running process.
func Read(pid int) (Usage, error) {
	var u Usage
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	u.RSS, u.Anon = field(status, "VmRSS:")<<10, field(status, "RssAnon:")<<10
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	if u.User, u.CPU, err = parseStat(string(stat)); err != nil {
		return u, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return u, fmt.Errorf("count descriptors of process %d: %w", pid, err)
	}
	u.FDs = len(fds)
	return u, nil
}

// parseStat finds utime and stime, fields 14 and 15; the command in field 2 may hold blanks and brackets.
func parseStat(s string) (user, total time.Duration, err error) {
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0, 0, fmt.Errorf("stat has %d fields", len(f))
	}
	u, err1 := strconv.ParseInt(f[11], 10, 64)
	k, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("stat times %q and %q are not numbers", f[11], f[12])
	}
	return time.Duration(u) * tick, time.Duration(u+k) * tick, nil
}

// field is the number after a name at the start of a line, 0 when there is none.
func field(b []byte, name string) int64 {
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
			return n
		}
	}
	return 0
}

// Available is the memory in bytes the machine can still give out.
func Available() int64 {
	b, _ := os.ReadFile("/proc/meminfo")
	return field(b, "MemAvailable:") << 10
}

// Machine describes the computer in one line: processor, memory, kernel, Go.
func Machine() string {
	model := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if rest, ok := strings.CutPrefix(line, "model name"); ok {
			model = strings.TrimSpace(strings.TrimLeft(rest, " \t:"))
			break
		}
	}
	meminfo, _ := os.ReadFile("/proc/meminfo")
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d x %s, %d GiB, Linux %s, %s", runtime.NumCPU(), model,
		(field(meminfo, "MemTotal:")+1<<19)>>20, strings.TrimSpace(string(kernel)), runtime.Version())
}
