// Package faults is what every emulator has outside the API that it emulates:
// a journal of calls, scripted faults, and latency, as one HTTP middleware.
//
//	GET    /_emulator/calls    the calls since the last DELETE, as a JSON list of Call
//	DELETE /_emulator/calls    forget them
//	POST   /_emulator/faults   a JSON list of Rule, added behind those there are
//	DELETE /_emulator/faults   no more faults
//	GET    /_emulator/state    the service's state (its own form of JSON)
//
// Nothing of what a service does lives here. Calls of /_emulator themselves are
// neither counted, delayed nor disturbed.
package faults
