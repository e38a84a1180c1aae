// Package mountopts reads the options of a mount: `-o KEY=VALUE[,KEY=VALUE...]`.
//
// What lives here: which options there are besides a backend's own, the form of
// their values, and what the result means. What may not live here: what options
// do (fs, cache, the backends).
package mountopts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// Options is what a mount was asked to be.
type Options struct {
	ReadOnly   bool
	AllowOther bool
	NonEmpty   bool    // the mount point may hold files; they are hidden
	UID, GID   *uint32 // owner of everything shown; nil: who mounts
	Umask      *uint32 // nil: that of the process

	// Cache has those fields set that are options; the others are zero.
	Cache cache.Config
	// Backend holds the options that the backend lists, as given.
	Backend map[string]string
}

// Parse reads the values of all -o flags, in their order; of equal keys the last
// one counts. backend is what the backend knows besides.
//
// Every error wraps backends.ErrOption and names the option; that for an unknown
// one lists the known ones.
func Parse(values []string, backend []backends.Option) (Options, error) {
	opts := Options{Backend: map[string]string{}}
	for _, value := range values {
		for _, item := range split(value) {
			if err := opts.set(item, backend); err != nil {
				return Options{}, err
			}
		}
	}
	return opts, nil
}

// Given returns the options of all -o flags as they stand there, by key, without
// those that are no business of ours. An option without a value has an empty one.
func Given(values []string) map[string]string {
	given := map[string]string{}
	for _, value := range values {
		for _, item := range split(value) {
			key, value, _ := strings.Cut(item, "=")
			if key = strings.TrimSpace(key); !isGeneric(key) {
				given[key] = value
			}
		}
	}
	return given
}

// split cuts at commas. `\,` is a comma in a value; other backslashes are
// themselves.
func split(list string) []string {
	var items []string
	var item strings.Builder
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '\\' && i+1 < len(list) && list[i+1] == ',':
			i++
			item.WriteByte(',')
		case list[i] == ',':
			items = append(items, item.String())
			item.Reset()
		default:
			item.WriteByte(list[i])
		}
	}
	items = append(items, item.String())
	return slices.DeleteFunc(items, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// set takes one option. A key may mean something to the mount and to the backend
// (timeout): both get it.
func (o *Options) set(item string, backend []backends.Option) error {
	key, value, hasValue := strings.Cut(item, "=")
	key = strings.TrimSpace(key)
	mine := slices.IndexFunc(known(), func(k Known) bool { return k.Name == key })
	theirs := slices.IndexFunc(backend, func(b backends.Option) bool { return b.Name == key })
	if mine < 0 && theirs < 0 {
		if isGeneric(key) {
			return nil
		}
		return unknown(key, backend)
	}
	if mine >= 0 {
		option := known()[mine]
		if hasValue != option.takesValue() {
			return option.wrongForm()
		}
		if err := option.set(o, value); err != nil {
			return optionError("-o %s: %v; it is %s", item, err, option.Form())
		}
	}
	if theirs >= 0 {
		if !hasValue {
			return optionError("-o %s needs a value: %s=...", key, key)
		}
		o.Backend[key] = value
	}
	return nil
}

func unknown(key string, backend []backends.Option) error {
	var names []string
	for _, k := range known() {
		names = append(names, k.Name)
	}
	for _, b := range backend {
		if !slices.Contains(names, b.Name) {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return optionError("-o %s: unknown option; known: %s", key, strings.Join(names, ", "))
}

// isGeneric says whether mount(8), an fstab line or systemd may add the option to
// any mount. They are no business of ours.
func isGeneric(key string) bool {
	if strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "X-") || key == "comment" {
		return true
	}
	return slices.Contains([]string{
		"defaults", "_netdev", "nofail", "auto", "noauto",
		"user", "nouser", "users", "owner", "group",
		"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
		"lazytime", "nolazytime", "iversion", "noiversion",
		"exec", "noexec", "suid", "nosuid", "dev", "nodev", "async", "silent", "loud",
	}, key)
}

// badOption is a backends.ErrOption in words of its own.
type badOption struct{ text string }

func (e *badOption) Error() string { return e.text }

// Is makes it a backends.ErrOption.
func (e *badOption) Is(target error) bool { return target == backends.ErrOption }

func optionError(format string, args ...any) error {
	return &badOption{fmt.Sprintf(format, args...)}
}
