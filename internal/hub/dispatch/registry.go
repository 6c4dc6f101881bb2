package dispatch

import (
	"errors"
	"fmt"
	"sync"
)

// Errors of Registry.Add.
var (
	ErrBuiltin    = errors.New("is built in")
	ErrRegistered = errors.New("is registered already")
	ErrSealed     = errors.New("server has started")
	ErrEmptyType  = errors.New("message type is empty")
)

// Registry finds the handler of a message type. It is filled before the
// server starts and sealed then, so that looking up takes no lock.
type Registry[H any] struct {
	mu       sync.Mutex // guards sealed, and handlers until it is set
	sealed   bool
	handlers map[string]entry[H]
}

type entry[H any] struct {
	name    string
	handler H
	builtin bool
}

// NewRegistry returns a registry with the hub's own message types.
func NewRegistry[H any](builtin map[string]H) *Registry[H] {
	r := &Registry[H]{handlers: make(map[string]entry[H], len(builtin))}
	for name, h := range builtin {
		r.handlers[name] = entry[H]{name, h, true}
	}
	return r
}

// Add registers a handler.
func (r *Registry[H]) Add(messageType string, h H) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, taken := r.handlers[messageType]
	switch {
	case messageType == "":
		return ErrEmptyType
	case r.sealed:
		return fmt.Errorf("register %q: %w", messageType, ErrSealed)
	case taken && old.builtin:
		return fmt.Errorf("register %q: the message type %w", messageType, ErrBuiltin)
	case taken:
		return fmt.Errorf("register %q: the message type %w", messageType, ErrRegistered)
	}
	r.handlers[messageType] = entry[H]{name: messageType, handler: h}
	return nil
}

// Seal ends registration. Find and Intern may be used from then on.
func (r *Registry[H]) Seal() {
	r.mu.Lock()
	r.sealed = true
	r.mu.Unlock()
}

// Find returns the handler of a message type.
func (r *Registry[H]) Find(messageType string) (h H, ok bool) {
	e, ok := r.handlers[messageType]
	return e.handler, ok
}

// Intern returns name as a string, without allocating where it is registered.
func (r *Registry[H]) Intern(name []byte) string {
	if e, ok := r.handlers[string(name)]; ok {
		return e.name
	}
	return string(name)
}
