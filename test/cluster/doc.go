// Package cluster tests a shop of several processes on one PostgreSQL server,
// behind the Nginx configuration that is shipped: processes and the database
// are killed under load, roles are shared out, a replica falls behind. Buyers
// ask once and repeat nothing, so that a failure which Nginx or the shop should
// have hidden is seen.
package cluster
