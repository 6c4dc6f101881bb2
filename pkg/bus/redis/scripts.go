package redis

import (
	"context"
	_ "embed"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// The scripts of the log.
var (
	//go:embed append.lua
	appendSource string
	//go:embed read.lua
	readSource string
)

// scripts are those of the log, with their hashes.
type scripts struct{ append, read *goredis.Script }

func newScripts() *scripts {
	return &scripts{append: goredis.NewScript(appendSource), read: goredis.NewScript(readSource)}
}

// load has a Redis node learn the scripts, which it forgets at a restart.
func (s *scripts) load(ctx context.Context, c goredis.Scripter) error {
	for _, script := range []*goredis.Script{s.append, s.read} {
		if err := script.Load(ctx, c).Err(); err != nil {
			return fmt.Errorf("load script: %w", err)
		}
	}
	return nil
}
