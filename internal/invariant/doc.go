// Package invariant is the form in which a domain package declares what must
// always be true of its rows. `panshi check` runs what all packages declare;
// nothing here knows a database.
package invariant
