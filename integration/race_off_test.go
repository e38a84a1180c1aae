//go:build !race

package integration

// raceBuild: the program under test is built like the test.
const raceBuild = false
