package localcsv_test

import (
	"os"
	"testing"

	"github.com/ragasfs/ragasfs/backends/backendtest"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(t *testing.T) backendtest.Store {
		return backendtest.Store{Opened: open(t, t.TempDir(), false).Opened()}
	}})
}

func TestContractRootIsProject(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{Project: ".", New: func(t *testing.T) backendtest.Store {
		return backendtest.Store{Opened: open(t, memoryDir(t), true).Opened()}
	}})
}

// On a file system that knows no flags of renameat2 (NFS, some FUSE).
func TestContractWithoutExchange(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(t *testing.T) backendtest.Store {
		b := open(t, memoryDir(t), false)
		b.WithoutExchange()
		return backendtest.Store{Opened: b.Opened()}
	}})
}

func open(t *testing.T, root string, rootIsProject bool) *localcsv.Backend {
	t.Helper()
	b, err := localcsv.Open(root, rootIsProject, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memoryDir is a directory in memory, where the system has such a place: one
// run of the kit with real fsyncs is enough.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ragasfs-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
