package mountopts

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/judge"
)

func backendOptions() []backends.Option {
	return []backends.Option{{Name: "root_dir"}, {Name: "timeout"}}
}

func number(n uint32) *uint32 { return &n }

func TestParse(t *testing.T) {
	tests := map[string]struct {
		values []string
		want   Options
	}{
		"nothing":         {nil, Options{}},
		"empty items":     {[]string{"", ",,ro,"}, Options{ReadOnly: true}},
		"flags":           {[]string{"ro,allow_other,default_permissions,nonempty"}, Options{ReadOnly: true, AllowOther: true, NonEmpty: true}},
		"rw after ro":     {[]string{"ro", "rw"}, Options{}},
		"owner":           {[]string{"uid=1000,gid=0,umask=027"}, Options{UID: number(1000), GID: number(0), Umask: number(0o27)}},
		"backend":         {[]string{"root_dir=/srv/a"}, Options{Backend: map[string]string{"root_dir": "/srv/a"}}},
		"escaped comma":   {[]string{`root_dir=/srv/a\,b\c,ro`}, Options{ReadOnly: true, Backend: map[string]string{"root_dir": `/srv/a,b\c`}}},
		"equals in value": {[]string{"root_dir=a=b"}, Options{Backend: map[string]string{"root_dir": "a=b"}}},
		"empty value":     {[]string{"root_dir="}, Options{Backend: map[string]string{"root_dir": ""}}},
		"the last counts": {[]string{"root_dir=a,root_dir=b", "root_dir=c"}, Options{Backend: map[string]string{"root_dir": "c"}}},
		"both want timeout": {[]string{"timeout=10s"},
			Options{Cache: cache.Config{Timeout: 10 * time.Second}, Backend: map[string]string{"timeout": "10s"}}},
		"generic": {[]string{"defaults,_netdev,nofail,noauto,user,noatime,relatime,x-systemd.automount,x-gvfs-name=a,comment=b"}, Options{}},
		"cache": {
			[]string{"write_back=1m30s,delete_after=5s,ttl=100ms,drain=1h,history=30d,history_size=500M,cache_size=2G,project=a b"},
			Options{Cache: cache.Config{
				Settle: 90 * time.Second, DeleteAfter: 5 * time.Second, TTL: 100 * time.Millisecond, Drain: time.Hour,
				History: 30 * 24 * time.Hour, HistorySize: 500 << 20, CacheSize: 2 << 30, Project: "a b",
			}},
		},
		"choices": {
			[]string{"write_back=manual,guard=empty,on_conflict=theirs,sync=remote,row_id=hide"},
			Options{Cache: cache.Config{Manual: true, Guard: judge.GuardEmpty, OnConflict: table.Theirs, SyncRemote: true, HideRowID: true}},
		},
		"no longer manual": {[]string{"write_back=manual,write_back=3s"}, Options{Cache: cache.Config{Settle: 3 * time.Second}}},
		"zero is not the default": {[]string{"write_back=0,ttl=0s,history=0d,cache_size=0"},
			Options{Cache: cache.Config{Settle: 1, TTL: 1, History: 1, CacheSize: 1}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.values, backendOptions())
			if err != nil {
				t.Fatal(err)
			}
			if test.want.Backend == nil {
				test.want.Backend = map[string]string{}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("Parse(%q)\n got %+v\nwant %+v", test.values, got, test.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := map[string]struct{ option, want string }{
		"unknown":           {"rootdir=/x", "-o rootdir: unknown option; known: allow_other, cache_size, default_permissions,"},
		"unknown is sorted": {"x", "ro, root_dir, row_id"},
		"no value":          {"ttl", "-o ttl needs a value; it is ttl=DURATION"},
		"a value too many":  {"ro=yes", "-o ro takes no value; it is ro"},
		"backend, no value": {"root_dir", "-o root_dir needs a value"},
		"no duration":       {"ttl=5", `-o ttl=5: "5" is no duration`},
		"negative duration": {"drain=-1s", "is no duration"},
		"too many days":     {"history=99999999d", "is no duration"},
		"half days":         {"history=1.5d", "is no duration"},
		"no size":           {"cache_size=2X", `"2X" is no size`},
		"negative size":     {"cache_size=-2G", "is no size"},
		"size overflow":     {"cache_size=99999999T", "is no size"},
		"empty size":        {"cache_size=", "is no size"},
		"guard":             {"guard=on", `"on" is none of auto, empty, off`},
		"conflict":          {"on_conflict=mine", "is none of hold, ours, theirs"},
		"sync":              {"sync=yes", "is none of remote, local"},
		"row_id":            {"row_id=no", "is none of show, hide"},
		"uid":               {"uid=root", `"root" is no number`},
		"gid none":          {"gid=4294967295", "is no number"},
		"umask not octal":   {"umask=8", "is no octal number"},
		"umask too large":   {"umask=1777", "is no octal number"},
		"empty project":     {"project=", "the value is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]string{"ro", test.option}, backendOptions())
			if !errors.Is(err, backends.ErrOption) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse(%q) = %v, want ErrOption with %q", test.option, err, test.want)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "1k": 1 << 10, "3KiB": 3 << 10, "2M": 2 << 20, "2MB": 2 << 20, "1T": 1 << 40} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

// TestEveryOptionHasHelp: they are shown by `ragasfs mount --help`.
func TestEveryOptionHasHelp(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range All() {
		if k.Help == "" || seen[k.Name] {
			t.Errorf("option %q has no help, or stands there twice", k.Name)
		}
		seen[k.Name] = true
	}
}
