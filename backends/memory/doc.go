// Package memory is the reference row store: the smallest store that keeps the
// whole contract of package backends, with every optional ability.
//
// Here live Store (projects, tables, typed columns, rows with ids and with
// missing cells told from empty ones), and Client, which uses a Store in
// another process over HTTP (integration/emulator serves one). What the two
// say to each other is in memoryapi. Nothing here keeps anything on disk: it is
// for tests of everything above, for trying things out, and to be read by those
// who write a real store.
package memory
