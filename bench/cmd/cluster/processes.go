package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type config struct {
	hub, bus, broker                string
	port                            int
	messages, joins, rooms, appends int
}

// bench is the processes of one run.
type bench struct {
	config
	dir       string
	processes []*exec.Cmd
	hubs      []hub
}

// hub is one hub's process and its ports.
type hub struct {
	pid  int
	addr string
}

const hubs = 3

func (b *bench) brokerPort() int  { return b.port }
func (b *bench) monitorPort() int { return b.port + 1 }

// start starts the broker and the hubs, and waits until these know each other.
func (b *bench) start() error {
	var err error
	if b.dir, err = os.MkdirTemp("", "gohub-bench-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := b.startBroker(); err != nil {
		return err
	}
	for i := range hubs {
		if err := b.startHub(i); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for i := range b.hubs {
		for {
			n, err := b.metric(i, "gohub_cluster_nodes")
			if err == nil && int(n) == hubs {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("hub %d knows %v hubs (%w)", i, n, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	time.Sleep(3 * time.Second) // owners decide once their view has stood for a while
	return nil
}

func (b *bench) startBroker() error {
	switch b.bus {
	case "embedded":
		return nil
	case "redis":
		return b.spawn(b.brokerPort(), nil, b.broker, "--port", strconv.Itoa(b.brokerPort()), "--bind", "127.0.0.1", "--save", "", "--dir", b.dir)
	default:
		args := []string{"-a", "127.0.0.1", "-p", strconv.Itoa(b.brokerPort()), "-m", strconv.Itoa(b.monitorPort())}
		if b.bus == "jetstream" {
			args = append(args, "-js", "-sd", filepath.Join(b.dir, "js"))
		}
		return b.spawn(b.brokerPort(), nil, b.broker, args...)
	}
}

func (b *bench) startHub(i int) error {
	port := b.port + 10 + i
	rules, err := json.Marshal([]map[string]any{{"pattern": "h.*", "historySize": 200, "create": true}, {"pattern": "*", "create": true}})
	if err != nil {
		return err
	}
	env := []string{
		"GOHUB_ADDRESS=127.0.0.1:" + strconv.Itoa(port), "GOHUB_ENABLE_CLUSTER=true", "GOHUB_NODE_ID=hub-" + strconv.Itoa(i+1),
		"GOHUB_ROOMS=" + string(rules), "GOHUB_MAX_ROOMS=-1", "GOHUB_MAX_ROOMS_PER_CLIENT=-1", "GOHUB_MAX_ROOMS_CREATED_PER_CLIENT=-1",
		"GOHUB_RATE_LIMIT_MESSAGES_PER_SECOND=-1", "GOHUB_LOG_LEVEL=warn", "GOHUB_DRAIN_DELAY=-1s", "GOHUB_DRAIN_WINDOW=-1s",
		"GOHUB_MAX_CONNECTIONS=-1",
	}
	switch b.bus {
	case "redis":
		env = append(env, "GOHUB_BUS_TYPE=redis", "GOHUB_REDIS_ADDR=127.0.0.1:"+strconv.Itoa(b.brokerPort()))
	case "embedded":
		env = append(env, "GOHUB_BUS_TYPE=embedded", "GOHUB_EMBEDDED_CLUSTER_ADDRESS=127.0.0.1:"+strconv.Itoa(b.port+20+i),
			fmt.Sprintf(`GOHUB_EMBEDDED_ROUTES=["127.0.0.1:%d","127.0.0.1:%d","127.0.0.1:%d"]`, b.port+20, b.port+21, b.port+22))
	default:
		env = append(env, "GOHUB_BUS_TYPE=nats", fmt.Sprintf(`GOHUB_NATS_URLS=["nats://127.0.0.1:%d"]`, b.brokerPort()))
		if b.bus == "jetstream" {
			env = append(env, "GOHUB_NATS_JET_STREAM_ENABLE=true")
		}
	}
	if err := b.spawn(port, env, b.hub); err != nil {
		return err
	}
	b.hubs = append(b.hubs, hub{b.processes[len(b.processes)-1].Process.Pid, "127.0.0.1:" + strconv.Itoa(port)})
	return nil
}

// spawn starts a program and waits until it listens.
func (b *bench) spawn(port int, env []string, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	b.processes = append(b.processes, cmd)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not listen: %s", program, out.Bytes())
		}
	}
}

func (b *bench) close() {
	for i := len(b.processes) - 1; i >= 0; i-- {
		_ = b.processes[i].Process.Kill()
		_ = b.processes[i].Wait()
	}
	b.processes = nil
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}

// get returns what a hub or broker serves.
func get(url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	return body.Bytes(), err
}

// metric reads one of a hub's metrics.
func (b *bench) metric(i int, name string) (float64, error) {
	body, err := get("http://" + b.hubs[i].addr + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// atBroker returns the messages that have come into the broker; false where it
// does not count them.
func (b *bench) atBroker() (uint64, bool) {
	switch b.bus {
	case "nats", "jetstream":
		body, err := get(fmt.Sprintf("http://127.0.0.1:%d/varz", b.monitorPort()))
		var v struct {
			In uint64 `json:"in_msgs"`
		}
		return v.In, err == nil && json.Unmarshal(body, &v) == nil
	case "redis":
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(b.brokerPort()))
		if err != nil {
			return 0, false
		}
		defer c.Close()
		fmt.Fprint(c, "INFO commandstats\r\nQUIT\r\n")
		for lines := bufio.NewScanner(c); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "cmdstat_publish:calls="); ok {
				n, err := strconv.ParseUint(rest[:strings.IndexByte(rest, ',')], 10, 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}

// memory returns a process's resident memory.
func memory(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
