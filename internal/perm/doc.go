// Package perm is the permissions that routes demand and roles grant, and the
// priority classes by which an overloaded shop decides what to shed. Both are
// typed constants, so that a route without either does not compile into a
// table.
package perm
