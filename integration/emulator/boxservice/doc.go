// Package boxservice behaves like the part of the Box API that box/csv and other
// clients of Box use: folders, files with versions, upload sessions, events, and
// the ways to authorise. All state is in memory.
//
// It enforces what Box enforces: an unknown token, a wrong shape, a stale
// If-Match and a wrong checksum fail. Beside the out-of-band calls of package
// faults it has
//
//	POST /_emulator/options   a JSON object of Knobs: rarer behaviours of Box (GET: as they are)
//	POST /_emulator/clock     {"advance":"10m"}: the service's clock goes forward
//	POST /_emulator/tokens    {"add":["..."],"revoke":["..."],"revoke_all":true}: access tokens
//
// Nothing of ragasfs itself is used here, so that a mistake in its client can't
// be made twice.
package boxservice
