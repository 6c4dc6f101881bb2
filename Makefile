# GoHub. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

GO      ?= go
TOOL    := $(GO) tool -modfile=hack/tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
# Of the images.
PLATFORMS ?= linux/amd64,linux/arm64
MANIFESTS ?= dist/install.yaml

.DEFAULT_GOAL := help

## Use

.PHONY: run
run: ## Start a hub with a page to try it, on http://localhost:8080 (ARGS="--address :9000")
	$(GO) build -o bin/ ./cmd/hub
	exec bin/hub --page --rooms '[{"pattern":"*","presence":true,"historySize":100}]' \
		--enable-cluster --bus-type embedded --embedded-cluster-address 127.0.0.1:0 $(ARGS)

.PHONY: run-cluster
run-cluster: ## Start three hubs that are one, on ports 8081 to 8083 (ARGS="9001 9002 --log-level debug")
	$(GO) build -o bin/ ./cmd/hub
	exec hack/run-cluster.sh $(ARGS)

.PHONY: build
build: ## Build the hub and the operator into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

.PHONY: image
image: ## Write images of the programs to dist/, without Docker (PLATFORMS=linux/amd64)
	$(GO) run ./hack/image -version $(VERSION) -platforms $(PLATFORMS)

## Kubernetes

.PHONY: cluster-up
cluster-up: ## Start a real Kubernetes of two nodes on this machine, without Docker, with these images
	$(GO) build -o bin/ ./hack/cluster
	$(GO) run ./hack/image -version $(VERSION) -platforms linux/$$($(GO) env GOARCH)
	bin/cluster up dist/gohub-*-$(VERSION).tar
	@echo "images have the tag $(subst +,-,$(VERSION)); bin/cluster exec kubectl ... talks to it"

.PHONY: cluster-down
cluster-down: ## End it, and leave nothing
	$(GO) build -o bin/ ./hack/cluster
	bin/cluster down

.PHONY: e2e
e2e: ## Test on such a cluster, and end it (ARGS="-test.run=Smoke", E2E_KEEP=1)
	hack/e2e.sh $(ARGS)

.PHONY: envtest
envtest: ## Build the API server that tests of the operator run on, and print its folder
	@$(GO) run ./hack/cluster assets

.PHONY: manifests
manifests: ## Write dist/install.yaml: the operator without Helm, for kubectl apply --server-side -f
	@mkdir -p $(dir $(MANIFESTS))
	(printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: gohub-system\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n'; \
		$(TOOL) helm template gohub charts/gohub --namespace gohub-system --include-crds --no-hooks --kube-version 1.30.0) >$(MANIFESTS)

.PHONY: kind-up
kind-up: ## Start a cluster in Docker with these images, the chart and a sample
	hack/kind/up.sh

.PHONY: kind-down
kind-down: ## Remove it
	hack/kind/down.sh

## Check

.PHONY: test
test: ## Run all tests, on both engines, with the race detector; installs what they need
	hack/test.sh

.PHONY: conformance
conformance: ## Replay the RFC 6455 cases on both engines
	$(GO) test -count=1 -v ./test/conformance -engine=auto | grep -v '^ *[-=]'
	$(GO) test -count=1 -v ./test/conformance -engine=goroutine | grep -v '^ *[-=]'

.PHONY: chaos
chaos: ## Break clusters on every bus, 200 times, and check what their clients saw (an hour; SEEDS=200 DURATION=20s)
	$(GO) test -v -count=1 -timeout=0 ./test/chaos -run 'TestChaos$$' -chaos.seeds=$(or $(SEEDS),200) $(if $(DURATION),-chaos.duration=$(DURATION)) | grep -Ev '^ *(=== |--- PASS)'

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME each (10s, or a number of inputs: 20000x)
	hack/fuzz.sh

.PHONY: lint
lint: ## Format, vet, staticcheck, errcheck
	hack/lint.sh

.PHONY: vuln
vuln: ## Look for known vulnerabilities (VULNDB=file://... for an offline database)
	$(TOOL) govulncheck $(if $(VULNDB),-db $(VULNDB)) ./...

.PHONY: generate
generate: ## Write the generated files anew
	$(GO) run ./internal/docgen
	$(TOOL) controller-gen object paths=./api/v1alpha1 # crdgen needs them to compile
	$(GO) run ./hack/crdgen

.PHONY: check-generated
check-generated: ## Fail when a generated file is not what the code says
	$(GO) run ./internal/docgen -check
	$(GO) run ./hack/crdgen -check

.PHONY: ci
ci: check-generated lint test ## What CI runs

## Measure

.PHONY: bench
bench: ## Measure beside a bare write loop and other libraries (about 20 minutes)
	bench/run.sh

.PHONY: bench-cluster
bench-cluster: ## Measure three hubs on NATS, JetStream, Redis and the embedded bus
	bench/cluster.sh

.PHONY: bench-go
bench-go: ## Go benchmarks of the hot paths
	$(GO) test -run='^$$' -bench=. -benchmem ./internal/... ./pkg/... ./server/...

.PHONY: bench-onebox
bench-onebox: ## 100,000 connections in one process, in an emulated machine
	bench/onebox/run.sh

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
