//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/chenxilol/gohub/api/v1alpha1"
)

// How long commands may take on a busy machine.
const patience = 4 * time.Minute

// setting is what hack/e2e.sh tells.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set; hack/e2e.sh runs this", name)
	}
	return value
}

// run runs a command and returns what it prints.
func run(stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// kubectl runs kubectl, which has to succeed.
func kubectl(t *testing.T, args ...string) string { return kubectlWith(t, "", args...) }

func kubectlWith(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := run(stdin, "kubectl", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run("", "helm", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// api reads objects from the API server. It may be used by many goroutines.
type api struct {
	client *http.Client
	url    string
}

func connect(t *testing.T) api {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", setting(t, "KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	config.Timeout = 30 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return api{client, config.Host}
}

// get reads the object at a path of the API.
func (a api) get(path string, into any) error {
	response, err := a.client.Get(a.url + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// pods lists those that have all labels.
func (a api) pods(namespace string, labels map[string]string) ([]corev1.Pod, error) {
	var selector []string
	for name, value := range labels {
		selector = append(selector, name+"="+value)
	}
	var list corev1.PodList
	err := a.get("/api/v1/namespaces/"+namespace+"/pods?labelSelector="+url.QueryEscape(strings.Join(selector, ",")), &list)
	return list.Items, err
}

func (a api) cluster(namespace, name string) (*v1alpha1.GoHubCluster, error) {
	c := &v1alpha1.GoHubCluster{}
	err := a.get("/apis/gohub.io/v1alpha1/namespaces/"+namespace+"/gohubclusters/"+name, c)
	return c, err
}

// await asks until the answer is nil, and returns how long that took.
func await(t *testing.T, what string, limit time.Duration, ask func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := ask()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// since is a time for a log.
func since(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// image returns the tag of an image that all nodes have.
func imageTag(t *testing.T, a api, repository string) string {
	t.Helper()
	var nodes corev1.NodeList
	var tag string
	await(t, "image "+repository+" on the nodes", time.Minute, func() error {
		if err := a.get("/api/v1/nodes", &nodes); err != nil {
			return err
		}
		for _, node := range nodes.Items {
			for _, image := range node.Status.Images {
				for _, name := range image.Names {
					if rest, ok := strings.CutPrefix(name, repository+":"); ok {
						tag = rest
						return nil
					}
				}
			}
		}
		return errors.New("no node names it")
	})
	return tag
}
