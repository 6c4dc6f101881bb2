package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The Dockerfile makes what this program makes: the same build, the same place,
// the same user.
func TestDockerfileMakesTheSameImage(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM `).Split(string(text), -1)
	last := stages[len(stages)-1]
	for _, line := range []string{"scratch\n", "USER 65532:65532\n", `ENTRYPOINT ["/usr/local/bin/hub"]` + "\n", "COPY --from=build /hub /usr/local/bin/hub\n"} {
		if !strings.Contains(last, line) {
			t.Errorf("the last stage has no %q", line)
		}
	}
	for _, part := range []string{"CGO_ENABLED=0", "-trimpath", `-ldflags="-s -w"`, "PACKAGE=./cmd/hub"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the build has no %s", part)
		}
	}
}
