package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/yaml"

	"github.com/chenxilol/gohub/config/crd"
	"github.com/chenxilol/gohub/controllers"
)

// applyCRDs installs the CRD, or updates it, and waits until it is served.
func applyCRDs(ctx context.Context, args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("crds apply", flag.ContinueOnError)
	timeout := fs.Duration("timeout", time.Minute, "how long it may take in all")
	if err := parse(fs, args, stdout); err != nil {
		return err
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("make the scheme: %w", err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	want := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(crd.GoHubCluster(), want); err != nil {
		return fmt.Errorf("read the CRD: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	err = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(want), client.FieldOwner(controllers.Manager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply the CRD %s: %w", want.GetName(), err)
	}
	if err := awaitServed(ctx, c, want.GetName()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is installed\n", want.GetName())
	return nil
}

func awaitServed(ctx context.Context, c client.Reader, name string) error {
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		have := &apiextensionsv1.CustomResourceDefinition{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, have); err != nil {
			return false, err
		}
		for _, condition := range have.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait until the CRD %s is served: %w", name, err)
	}
	return nil
}
