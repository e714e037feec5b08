// Package disk is a disk that loses power. It is a file system in memory,
// mounted by FUSE, that knows of every file and directory what was synced and
// what was only written:
//
//	write, truncate ──▶ live content ── fsync of the file ───────▶ kept content
//	create, rename, unlink ──▶ names ── fsync of the directory ──▶ kept names
//
// Programs see the live side. Cut takes the power away: from that moment
// every request fails. Reboot then makes the live side anew from what was kept
// and, if asked to, from any part of what was not, torn at sectors of 512 B: a
// disk may write what it was never told to sync, in any order.
//
// It promises less than real file systems do. The fsync of a new file does not
// keep its name, that of a directory keeps nothing of the files in it, and a
// failed fsync drops what it should have written while readers go on seeing it,
// as Linux does.
//
// The kernel keeps locks and shared memory maps itself. Pages that were
// written through a map reach the disk when the kernel likes, and are never
// kept unless synced.
package disk
