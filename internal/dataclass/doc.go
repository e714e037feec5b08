// Package dataclass names the classes of stored data. Every column of every
// table has one; encryption, masking, export, retention and backup follow from
// it, and a column without a class fails the build (a test reads the schema of
// a migrated database and compares).
package dataclass
