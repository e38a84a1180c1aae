// Package localcsv keeps tables as CSV files in a local directory, as Ragas'
// local/csv does:
//
//	root_dir/PROJECT/datasets/NAME.csv
//	root_dir/PROJECT/experiments/NAME.csv
//
// or, with project=., root_dir/datasets/NAME.csv: the layout of ragas 0.3 and
// later, where the root itself is a project, here called ".".
//
// What lives here is how such a directory is listed, read, watched and changed
// beside other programs that do the same without asking: no file is ever seen
// half-written, a file that someone else has changed is not replaced, and what
// a late writer puts into a file that was replaced is brought after (late.go).
// What is in a document is no concern of this package.
//
// # What is a table
//
// Regular files whose name ends in ".csv" and does not begin with ".", "~" or
// "#". Everything else (other suffixes, directories named x.csv, symbolic links
// to files) is neither listed nor touched. A project is a directory that has a
// datasets or experiments directory in it, or nothing. Symbolic links to
// directories are followed inside root_dir only.
//
// A file that has further names (hard links) keeps its content under those when
// its table is replaced. Mode, owner, ACLs and extended attributes go over to
// the new file as far as the system allows.
//
// # Versions
//
// A version is device, inode, size, mtime and ctime of the file. It costs one
// stat, and every way of changing a file changes it (see version.go).
package localcsv
