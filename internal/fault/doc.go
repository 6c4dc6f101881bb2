// Package fault plants bugs in a hub, so that the tests of clusters can show
// that they would find them. Only builds with the tag "faults" have any: in all
// others On is constant, and the compiler leaves no trace of what it guards.
//
//	go build -tags faults ./cmd/hub && GOHUB_FAULT=wrong-order ./hub
//
// The places of the faults are in internal/hub, each one line that asks On for
// its name; TestTeeth in test/chaos has the list, and the property that each
// breaks.
package fault
