// Package dirdest keeps backups in a directory: another disk, a mounted share, a
// disk that is plugged in for an hour a week. It implements backup.Destination
// and backup.Swapper on whatever file system is there.
//
// An object is written under a temporary name, synced, linked to its own name,
// and its directory synced: so it is absent or whole, also after a power cut.
// A directory on the disk that holds the shop's data is refused, because one
// dead disk would take both; one whose disk was unmounted is too, because the
// empty mount point is on the data's disk as a rule.
package dirdest
