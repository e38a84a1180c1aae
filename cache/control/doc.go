// Package control is the socket on which the command line talks to a running
// mount: a Unix socket named sock, mode 0600, in the directory of the store.
//
// One connection is one request. The client sends one line of JSON (Request);
// the server answers with lines of JSON (message): any number of progress and
// output lines, then exactly one last line with the result or the error. A client
// that goes away cancels its request. Requests do not wait for each other.
//
// Errors keep what they are: errors.Is on the sentinels of packages cache and
// backends gives the same answer at the client as in the daemon.
//
// What lives here: the form of requests and answers, server and client. What may
// not live here: what a request does (package cache), how it is shown
// (cmd/ragasfs), where a mount's socket is found (cmd/ragasfs/internal/mounts).
package control
