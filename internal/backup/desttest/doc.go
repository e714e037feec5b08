// Package desttest is the suite that every backup.Destination passes: directories,
// object stores, SFTP servers, and each of them inside each wrapper. It says in
// code what the documentation of the interface says in words.
package desttest
