// Package backendtest is the definition of a backend: what passes Run keeps the
// contract of package backends.
//
// Each rule is one function, named after what it demands; Run runs each as a
// subtest on a store of its own. A rule that a store can't keep is skipped by
// Harness.Skip with a written reason, never by itself; rules for abilities
// (backends.Renamer, ...) run where the ability is there. Rules about failures
// run where the harness can cause them (Store.Inject).
//
// Use it in one line:
//
//	func TestContract(t *testing.T) {
//		backendtest.Run(t, backendtest.Harness{New: newStore})
//	}
//
// Nothing of any particular store lives here.
package backendtest
