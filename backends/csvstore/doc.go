// Package csvstore is what stores of whole CSV documents share: how a table's
// name and a file's name belong together, and that a document which is read or
// written is whole.
//
// Only what two such stores really need lives here. How a store keeps its files
// and tells versions apart is its own business; what is in a document is that
// of package table. Nothing here touches a disk or a network by itself.
package csvstore
