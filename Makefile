# Everything that CI runs is a target here; CI runs nothing else.
GO          ?= go
BIN         ?= bin
PREFIX      ?= /usr/local
CACHE       ?= $(CURDIR)/.cache
FUZZTIME    ?= 60s
SOAK        ?= 50
LINT_VERSION = v2.15.0
LINT         = $(CACHE)/bin/golangci-lint-$(LINT_VERSION)

# What the tests start, as Debian packages.
PACKAGES = fuse3 python3 python3-venv vim emacs-nox nano git file patch perl rsync sqlite3 unzip xxd zip

# The Python with pandas and ragas that tests start (scripts/venv.sh makes it).
export RAGASFS_PYTHON ?= $(CACHE)/venv/bin/python

.PHONY: build demo test race lint bench fuzz soak full cover install deps venv clean
.DEFAULT_GOAL := build

build:
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

demo:
	bash scripts/demo.sh

test: deps venv
	$(GO) test -count=1 -timeout 9m ./...

# The race detector needs a C compiler. The daemons under test are built with it too.
race: deps venv
	bash scripts/deps.sh gcc libc6-dev
	CGO_ENABLED=1 $(GO) test -count=1 -race -shuffle=on -timeout 60m ./...

lint: $(LINT)
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(LINT) run --allow-parallel-runners

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz:
	bash scripts/fuzz.sh $(FUZZTIME)

soak: deps venv
	RAGASFS_SOAK=$(SOAK) $(GO) test -run TestSoak -timeout 0 -v ./integration

# What takes an hour, or measures time: on a machine with nothing else to do.
full: deps venv
	RAGASFS_FULL=1 $(GO) test -run 'TestContract|TestColdLoad' -timeout 0 -v ./backends/ragasapp
	RAGASFS_FULL=1 $(GO) test -run 'TestRagasApp(Latency|Growth)|TestBoxTwoMounts' -timeout 0 -v ./integration
	RAGASFS_SOAK=6 $(GO) test -run TestRagasAppFaultMatrix -timeout 0 -v ./integration

cover: deps venv
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -n 1

install: build
	install -D -m 0755 $(BIN)/ragasfs $(DESTDIR)$(PREFIX)/bin/ragasfs

deps:
	bash scripts/deps.sh $(PACKAGES)

venv:
	bash scripts/venv.sh $(CACHE)/venv

clean:
	rm -rf $(BIN) cover.out

$(LINT):
	GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(CACHE)/bin/golangci-lint $(LINT)
