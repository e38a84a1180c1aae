package localcsv

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// recover takes over the hidden files that an earlier process has left behind.
// It fails silently where a directory can't be read: whoever lists it will hear
// of that.
func (b *Backend) recover() {
	projects := []string{"."}
	if !b.rootIsProject {
		projects, _ = b.names(".")
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
	for _, file := range files {
		if _, isTable := csvstore.TableName(file); isTable {
			tables[tableHash(file)] = file
		}
	}
	for _, file := range files {
		if hidden, ours := parseHidden(file); ours {
			b.recoverFile(f, file, hidden, tables[hidden.table])
		}
	}
}

// recoverFile goes on where the process that made the hidden file was ended.
// table is the file name that it belongs to, if that is still there.
func (b *Backend) recoverFile(f *folder, name string, hidden hiddenName, table string) {
	path := f.pathOf(name)
	file, err := f.open(name, unix.O_RDONLY, 0)
	if err != nil {
		b.log.Warn("a left-over file can't be opened", "path", path, "err", err)
		return
	}
	st, err := fstat(file)
	if err != nil || !claim(file) {
		_ = file.Close() // only read from
		return           // another process is at work with it
	}
	if st.Ino != hidden.ino {
		// A content that never got its name: who wrote it still has it.
		b.log.Info("an unfinished file of an earlier run is removed", "path", path)
		if err := f.unlink(name); err != nil {
			b.log.Warn("a left-over file can't be removed", "path", path, "err", err)
		}
		_ = file.Close() // only read from
		return
	}
	own, err := f.duplicate()
	if err != nil {
		b.log.Warn("a left-over file can't be looked after", "path", path, "err", err)
		_ = file.Close() // only read from
		return
	}
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
