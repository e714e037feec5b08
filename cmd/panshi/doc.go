// Command panshi is the shop and everything that is done to it from the
// command line, a file per command. It holds no business rules: a command
// parses its flags, finds the shop (the running one by its admin socket, else
// it opens the data directory itself) and prints what Operations answered.
//
// Results go to stdout, as text or, with --json, as one JSON document; progress
// and errors go to stderr, an error as exactly one line. The exit code is 0 for
// done, 1 for findings or failure, 2 for usage, 3 for not permitted, 4 for an
// integrity violation.
package main
