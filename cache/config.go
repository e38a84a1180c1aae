package cache

import (
	"log/slog"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// Config is everything a cache needs to know. The zero value of a field that
// says so means its default.
type Config struct {
	StateDir   string          // directory of all stores, made 0700 if missing
	Source     string          // the backend's registry name
	Store      backends.Opened // closed by Cache.Close
	Project    string          // only this project, shown at the top; empty: all
	Mountpoint string          // for messages and for the next mount that is refused
	ReadOnly   bool

	Settle      time.Duration // -o write_back; 0: the backend's default
	Manual      bool          // -o write_back=manual
	DeleteAfter time.Duration // -o delete_after; 0: 60s
	TTL         time.Duration // -o ttl; 0: 5s
	Timeout     time.Duration // of one store call as seen by a file operation; 0: 30s
	Drain       time.Duration // -o drain; 0: 5m
	Guard       judge.Guard
	OnConflict  table.Resolution
	SyncRemote  bool          // -o sync=remote
	HideRowID   bool          // -o row_id=hide
	History     time.Duration // 0: 7d
	HistorySize int64         // bytes; 0: 2G
	CacheSize   int64         // bytes; 0: 10G

	vanishWait time.Duration // tests make it shorter

	Options map[string]string // as given at mount, without secrets, for the next mount to be told
	Disk    *disk.FS          // nil: the real one
	Log     *slog.Logger      // nil: discard
}
