package localcsv

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// abandoned is the age at which a hidden file is taken for a left-over where
// directories can't be locked.
const abandoned = time.Hour

// recover takes over the hidden files that an earlier process has left behind.
// What can't be read is passed over: whoever lists it will hear of that.
func (b *Backend) recover() {
	projects := []string{"."}
	if !b.rootIsProject {
		names, err := b.names(".")
		if err != nil {
			b.log.Warn("the root can't be searched for left-over files", "path", b.path, "err", err)
			return
		}
		projects = names
	}
	for _, project := range projects {
		for _, kind := range backends.Kinds {
			relative := filepath.Join(project, string(kind))
			if is, err := b.isDir(relative); err != nil || !is {
				continue
			}
			if f, err := b.openFolder(relative); err == nil {
				b.recoverFolder(f)
				f.close()
			}
		}
	}
}

func (b *Backend) recoverFolder(f *folder) {
	files, err := f.dir.Readdirnames(-1)
	if err != nil {
		b.log.Warn("a folder can't be searched for left-over files", "path", f.path, "err", err)
		return
	}
	tables := map[uint32]string{}
	left := map[string]hiddenName{}
	for _, file := range files {
		if _, isTable := csvstore.TableName(file); isTable {
			tables[tableHash(file)] = file
		} else if hidden, ours := parseHidden(file); ours {
			left[file] = hidden
		}
	}
	if len(left) == 0 {
		return
	}
	alone, err := f.claimAlone()
	if err != nil && !noLocks(err) {
		b.log.Warn("a folder can't be locked", "path", f.path, "err", err)
		return
	}
	if err == nil && !alone {
		return // another process is at work here
	}
	for file, hidden := range left {
		b.recoverFile(f, file, hidden, tables[hidden.table], alone)
	}
	if err := f.claim(); err != nil { // what is still looked after is not for others
		b.log.Warn("a folder can't be locked", "path", f.path, "err", err)
	}
}

// recoverFile goes on where the process that made the hidden file was ended.
// table is the file name that it belongs to, if that is still there. certain:
// that process is not there any more.
func (b *Backend) recoverFile(f *folder, name string, hidden hiddenName, table string, certain bool) {
	path := f.pathOf(name)
	file, err := f.open(name, unix.O_RDONLY, 0)
	if err != nil {
		b.log.Warn("a left-over file can't be opened", "path", path, "err", err)
		return
	}
	taken := false
	defer func() {
		if !taken {
			_ = file.Close() // only read from
		}
	}()
	st, err := fstat(file)
	if err != nil {
		b.log.Warn("a left-over file can't be looked at", "path", path, "err", err)
		return
	}
	if !certain && time.Since(time.Unix(st.Ctim.Unix())) < abandoned {
		return
	}
	if st.Ino != hidden.ino {
		// A content that never got its name: who wrote it still has it.
		b.log.Info("an unfinished file of an earlier run is removed", "path", path)
		if err := f.unlink(name); err != nil {
			b.log.Warn("a left-over file can't be removed", "path", path, "err", err)
		}
		return
	}
	own, err := f.duplicate()
	if err != nil {
		b.log.Warn("a left-over file can't be looked after", "path", path, "err", err)
		return
	}
	taken = true
	if table == "" {
		table = "recovered" + csvstore.Suffix
	}
	b.late.mu.Lock()
	defer b.late.mu.Unlock()
	l := &lateFile{
		folder: own, table: table, hidden: name, file: file,
		size: hidden.size, mtime: unix.NsecToTimespec(hidden.mtime), sum: hidden.sum,
	}
	b.late.add(l)
	if b.late.look(l) {
		b.late.remove(l)
	}
}
