// Package boxcsv keeps tables as CSV files in a Box folder:
//
//	root_folder_id/PROJECT/{datasets,experiments}/NAME.csv
//
// as Ragas' own Box backend does. It is a small typed client of the Box API on
// resty, and the backend over it. No Box SDK for Go exists.
//
// What decides its shape:
//   - A new version of a file is written only if nobody else has written one
//     (If-Match). The etag is the lock token, never the identity of a content:
//     it moves with renames, and can come back. A table's version is the id of
//     the file version with its checksum.
//   - Writes are not repeated here when their answer is lost. The file is read
//     once; if that does not settle it, the outcome is unknown and the caller
//     decides. Reads are repeated, a bounded number of times.
//   - Nothing that comes down is believed before its size and SHA-1 are checked.
//   - Every push is a file version, of which Box keeps a limited number, and
//     every call counts against a quota: changes are learned from the event
//     stream, and what is known is not asked again.
//
// Secrets (tokens, assertions, download addresses) are in no error and no log.
package boxcsv
