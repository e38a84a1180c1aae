// Package integration tests the whole program: the binary as it is shipped, on
// real mounts, with the programs that people use.
//
// What lives here: those tests, the harness they share (harness_test.go), and in
// emulator/ the services they run against. What may not live here: tests that a
// package can do alone, and anything that the program needs.
package integration
