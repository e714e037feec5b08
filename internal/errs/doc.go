// Package errs is the one error type that crosses package borders. An Error
// carries a kind (which decides the HTTP status and the exit code), a stable
// machine-readable code, a message that is safe to show to a stranger, and the
// cause, which only the log may see.
package errs
