package mountopts

import (
	"fmt"
	"strings"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// Known is one option that every backend has.
type Known struct {
	Name  string
	Value string // form of the value, as in help; empty: the option takes none
	Help  string // one line
	set   func(o *Options, value string) error
}

func (k Known) takesValue() bool { return k.Value != "" }

// Form is how the option is written.
func (k Known) Form() string {
	if k.takesValue() {
		return k.Name + "=" + k.Value
	}
	return k.Name
}

func (k Known) wrongForm() error {
	what := "takes no value"
	if k.takesValue() {
		what = "needs a value"
	}
	return optionError("-o %s %s; it is %s", k.Name, what, k.Form())
}

// All returns the options that every backend has, for help.
func All() []Known { return known() }

func known() []Known {
	return append(mountOptions(), cacheOptions()...)
}

func mountOptions() []Known {
	return []Known{
		{"ro", "", "nothing can be changed", func(o *Options, _ string) error { o.ReadOnly = true; return nil }},
		{"rw", "", "the opposite of ro (default)", func(o *Options, _ string) error { o.ReadOnly = false; return nil }},
		{"allow_other", "", "other users may enter the mount", func(o *Options, _ string) error { o.AllowOther = true; return nil }},
		{"default_permissions", "", "the kernel checks file modes (always)", func(*Options, string) error { return nil }},
		{"nonempty", "", "the mount point may hold files; they are hidden", func(o *Options, _ string) error {
			o.NonEmpty = true
			return nil
		}},
		{"uid", "N", "owner of all files", func(o *Options, v string) error { return setID(&o.UID, v) }},
		{"gid", "N", "group of all files", func(o *Options, v string) error { return setID(&o.GID, v) }},
		{"umask", "OCTAL", "permission bits that files don't have", func(o *Options, v string) error { return setMask(&o.Umask, v) }},
		{"project", "NAME", "only this project, shown at the top", func(o *Options, v string) error {
			if v == "" {
				return errEmpty
			}
			o.Cache.Project = v
			return nil
		}},
	}
}

func cacheOptions() []Known {
	return []Known{
		{"write_back", "DURATION|manual", "quiet time after which a save is sent (default: the backend's)", setWriteBack},
		{"delete_after", "DURATION", "how long a deleted table can still come back (default 60s)",
			func(o *Options, v string) error { return setDuration(&o.Cache.DeleteAfter, v) }},
		{"ttl", "DURATION", "how old a table in use may be before it is checked (default 5s)",
			func(o *Options, v string) error { return setDuration(&o.Cache.TTL, v) }},
		{"timeout", "DURATION", "longest wait of a program for the store (default 30s)",
			func(o *Options, v string) error { return setDuration(&o.Cache.Timeout, v) }},
		{"drain", "DURATION", "longest time to send what is left after the mount has ended (default 5m)",
			func(o *Options, v string) error { return setDuration(&o.Cache.Drain, v) }},
		{"guard", "auto|empty|off", "which saves that lose rows are held (default auto)", setGuard},
		{"on_conflict", "hold|ours|theirs", "when a cell changed on both sides (default hold)", setOnConflict},
		{"sync", "remote|local", "whether close and fsync wait for the store (default local)", setSync},
		{"row_id", "show|hide", "whether row stores show _row_id (default show)", setRowID},
		{"history", "DURATION", "how long replaced content is kept (default 7d)",
			func(o *Options, v string) error { return setDuration(&o.Cache.History, v) }},
		{"history_size", "SIZE", "most bytes of replaced content (default 2G)",
			func(o *Options, v string) error { return setSize(&o.Cache.HistorySize, v) }},
		{"cache_size", "SIZE", "most bytes of the cache; unsent content always stays (default 10G)",
			func(o *Options, v string) error { return setSize(&o.Cache.CacheSize, v) }},
	}
}

func setWriteBack(o *Options, v string) error {
	o.Cache.Manual = v == "manual"
	if o.Cache.Manual {
		return nil
	}
	return setDuration(&o.Cache.Settle, v)
}

func setGuard(o *Options, v string) error {
	return choose(&o.Cache.Guard, v, choice[judge.Guard]{"auto", judge.GuardAuto},
		choice[judge.Guard]{"empty", judge.GuardEmpty}, choice[judge.Guard]{"off", judge.GuardOff})
}

func setOnConflict(o *Options, v string) error {
	return choose(&o.Cache.OnConflict, v, choice[table.Resolution]{"hold", table.Hold},
		choice[table.Resolution]{"ours", table.Ours}, choice[table.Resolution]{"theirs", table.Theirs})
}

func setSync(o *Options, v string) error {
	return choose(&o.Cache.SyncRemote, v, choice[bool]{"remote", true}, choice[bool]{"local", false})
}

func setRowID(o *Options, v string) error {
	return choose(&o.Cache.HideRowID, v, choice[bool]{"show", false}, choice[bool]{"hide", true})
}

type choice[T any] struct {
	name  string
	value T
}

func choose[T any](to *T, name string, choices ...choice[T]) error {
	var names []string
	for _, c := range choices {
		if c.name == name {
			*to = c.value
			return nil
		}
		names = append(names, c.name)
	}
	return fmt.Errorf("%q is none of %s", name, strings.Join(names, ", "))
}
