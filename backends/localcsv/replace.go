package localcsv

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
)

// replacement is a content on its way to a file's name.
type replacement struct {
	backend *Backend
	folder  *folder
	file    string // the table's file name
	checked bool   // there is a base: what is replaced must be it

	old   *os.File // the file that is replaced
	was   unix.Stat_t
	temp  *tempFile // the new content
	fresh unix.Stat_t
}

func (b *Backend) replace(ctx context.Context, f *folder, file string, batch backends.Batch) (backends.Result, error) {
	path := f.pathOf(file)
	r := replacement{backend: b, folder: f, file: file, checked: batch.Base != ""}
	var err error
	if r.old, err = f.open(file, unix.O_RDONLY, 0); err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	defer func() {
		if r.old != nil {
			_ = r.old.Close() // only read from
		}
	}()
	if r.was, err = fstat(r.old); err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	if r.checked && versionOf(&r.was) != batch.Base {
		return backends.Result{}, conflict("replace", path)
	}
	if r.temp, err = b.writeTemp(ctx, f, nameAside(file, &r.was), batch.Document); err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	defer r.temp.discard()
	err = likeness(r.old, r.temp.file, &r.was)
	if err == nil {
		r.fresh, err = fstat(r.temp.file)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	return r.commit()
}

// commit gives the new content its name. No late file is looked at meanwhile.
func (r *replacement) commit() (backends.Result, error) {
	b, path := r.backend, r.folder.pathOf(r.file)
	b.late.mu.Lock()
	defer b.late.mu.Unlock()

	now, err := r.folder.stat(r.file)
	if err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	if r.checked && versionOf(&now) != versionOf(&r.was) {
		return backends.Result{}, conflict("replace", path)
	}
	b.calls.beforeChange()
	err = b.calls.exchange(r.folder.fd(), r.temp.name, r.file)
	if unsupported(err) {
		err = r.renameOver()
	} else if err == nil {
		err = r.checkSwapped()
	}
	if err != nil {
		return backends.Result{}, failed("replace", path, err)
	}
	if err := r.folder.sync(); err != nil {
		return backends.Result{}, uncertain("replace", path, err)
	}
	after, err := fstat(r.temp.file)
	if err != nil {
		return backends.Result{}, uncertain("replace", path, err)
	}
	result := backends.Result{ModTime: modTime(&after)}
	if sameContent(&after, &r.fresh) { // else someone has written into it already
		result.Version = versionOf(&after)
	}
	return result, nil
}

// checkSwapped looks at what came out of the exchange. If it is not the file at
// base, someone was quicker, and gets the name back.
func (r *replacement) checkSwapped() error {
	out, err := r.folder.stat(r.temp.name)
	if err == nil && (sameContent(&out, &r.was) || !r.checked) {
		r.keepOld(r.temp.name, &out)
		r.temp.name = ""
		return nil
	}
	if err := r.exchangeBack(&out); err != nil {
		return err
	}
	return backends.ErrConflict
}

// exchangeBack gives a foreign file its name back. What comes out then should
// be ours; if it is not, someone has just put a newer file there, which gets the
// name in the same way, until what comes out is what was put in.
func (r *replacement) exchangeBack(foreign *unix.Stat_t) error {
	const patience = 100
	lastPut, next := r.fresh, *foreign
	for range patience {
		if err := r.backend.calls.exchange(r.folder.fd(), r.temp.name, r.file); err != nil {
			left := r.temp.name
			r.temp.name = "" // it may hold the only copy
			return fmt.Errorf("someone else's content is now in %s: %w", r.folder.pathOf(left), err)
		}
		out, err := r.folder.stat(r.temp.name)
		if err != nil {
			return err
		}
		if sameFile(&out, &lastPut) {
			if !sameContent(&out, &r.fresh) {
				r.keepForeign(&lastPut)
			}
			return nil
		}
		lastPut, next = next, out
	}
	r.keepForeign(&next)
	return nil
}

// renameOver replaces the file where the file system can't exchange names. A
// second name keeps the old one in reach.
func (r *replacement) renameOver() error {
	f := r.folder
	second, err := nameAside(r.file, &r.was).free(func(name string) error {
		return retry(func() error { return unix.Linkat(f.fd(), r.file, f.fd(), name, 0) })
	})
	if err != nil {
		second = "" // no links here: the look in commit has to do
	}
	if err := retry(func() error { return unix.Renameat(f.fd(), r.temp.name, f.fd(), r.file) }); err != nil {
		if second != "" {
			_ = f.unlink(second) // only a second name
		}
		return err
	}
	if second == "" {
		r.temp.name = ""
		return nil
	}
	out, err := f.stat(second)
	if err != nil || r.checked && !sameContent(&out, &r.was) {
		r.temp.name = ""
		if err := retry(func() error { return unix.Renameat(f.fd(), second, f.fd(), r.file) }); err != nil {
			return fmt.Errorf("someone else's content is now in %s: %w", f.pathOf(second), err)
		}
		return backends.ErrConflict
	}
	r.temp.name = ""
	r.keepOld(second, &out)
	return nil
}

// keepOld leaves the file that was replaced to the keeper of late files.
func (r *replacement) keepOld(hidden string, st *unix.Stat_t) {
	r.backend.late.keep(r.folder, r.file, hidden, r.old, st)
	r.old = nil
}

// keepForeign does so with a file of someone else that is left under the hidden name.
func (r *replacement) keepForeign(st *unix.Stat_t) {
	hidden := r.temp.name
	r.temp.name = ""
	file, err := r.folder.open(hidden, unix.O_RDONLY, 0)
	if err != nil {
		r.backend.log.Warn("a content was left over", "path", r.folder.pathOf(hidden), "err", err)
		return
	}
	r.backend.late.keep(r.folder, r.file, hidden, file, st)
}
