// Package backends is the contract between the cache and the places where
// tables are kept, in prose first: read Backend in backend.go.
//
// Here live the vocabulary (Ref, Entry, Batch, ...), the sentinel errors and
// the registry value. Stores themselves live in sub-packages (localcsv, memory,
// ...), their common parts in csvstore, the check that a store keeps the
// contract in backendtest, and the list of all stores in all. Nothing in
// backends or below imports cache or fs.
//
// To add a backend: implement Backend, run backendtest.Run from its test, add
// one line to all.
package backends
