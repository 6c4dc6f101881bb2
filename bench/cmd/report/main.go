// Command report turns the load tool's JSON lines into tables: aligned text on
// standard output, and Markdown into the file of -md. Repetitions become their
// median; a ratio is taken within each repetition first. With -check it holds
// the hub's figures against what is required and fails when one is missed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/chenxilol/gohub/bench/internal/proc"
	"github.com/chenxilol/gohub/bench/internal/result"
)

func main() {
	md := flag.String("md", "", "file to write Markdown into")
	check := flag.Bool("check", false, "fail when a requirement is missed")
	machine := flag.String("machine", "", "description of the machine, instead of this one's")
	flag.Parse()
	missed, err := run(flag.Args(), *md, *machine)
	if err == nil && *check && missed > 0 {
		err = fmt.Errorf("%d requirements missed", missed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(files []string, md, machine string) (missed int, err error) {
	var runs []result.Run
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		got, err := parse(f)
		_ = f.Close()
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
		runs = append(runs, got...)
	}
	if len(runs) == 0 {
		return 0, errors.New("no results; give files of the load tool's JSON lines")
	}
	if machine == "" {
		machine = proc.Machine()
	}
	head := fmt.Sprintf("Measured %s on %s.", time.Now().Format(time.DateOnly), machine)
	tables := build(runs)
	checks, missed := judge(runs)
	if len(checks.rows) > 0 {
		tables = append(tables, checks)
	}
	fmt.Printf("%s\n", head)
	for _, t := range tables {
		t.text(os.Stdout)
	}
	if md == "" {
		return missed, nil
	}
	f, err := os.Create(md)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	_, _ = fmt.Fprintf(w, "%s\n", head) // a failed write comes out of Flush
	for _, t := range tables {
		t.markdown(w)
	}
	return missed, w.Flush()
}

// parse skips lines that are no JSON: a console log may stand around the results.
func parse(r io.Reader) (runs []result.Run, err error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Bytes()
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var one result.Run
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("result line %.60q: %w", line, err)
		}
		runs = append(runs, one)
	}
	return runs, in.Err()
}
