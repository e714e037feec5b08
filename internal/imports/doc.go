// Package imports brings what merchants really have into the shop: files of
// card keys and catalogues saved by a spreadsheet. It owns the rows that tell
// how far an import came, and what was wrong with which line.
//
// # Encodings
//
// A file is UTF-8, with or without a byte order mark, or GB18030 (and so GBK
// and GB2312). UTF-16 and spreadsheets that were not saved as text are
// refused with a word on what to do. Without a mark, the lines that are not
// plain ASCII decide, first in the first 64 KiB and, while there was none, at
// the first that comes: if most of those in sight are valid UTF-8 the file is
// UTF-8. A line that does not fit the file's encoding is a bad line. Lines
// end in LF, CRLF or CR.
//
// # Card keys
//
// One card a line; blanks around it are cut, empty lines are skipped. A line
// of more than 4 KiB, with a control character other than a tab, or not in
// the file's encoding is bad and does not stop the import. A card that the
// merchant has already, in whatever SKU, or that stood earlier in the file, is
// a duplicate and is not added.
//
// The file is streamed: memory does not grow with it, and no card is written
// anywhere in clear, not even to a temporary file. 400 lines at a time are
// sealed, and then stored together with the progress of their batch by one
// transaction: all of them or none. A batch that was interrupted is resumed
// when the same file (by SHA-256) is imported again into the same SKU; it
// goes on at the next line, and what was counted before is counted in its
// report. A finished file imported again adds nothing: all its lines are
// duplicates.
//
//	running ──last line──▶ done
//	   └──the file changed meanwhile──▶ failed (what was stored stays)
//
// # Catalogues
//
// A CSV file with a header row, separated by commas, semicolons or tabs; rows
// with the same slug are the SKUs of one product. docs/import.md describes
// the columns for merchants; type column in columns.go is the list in code. A
// column that is not in the file leaves what is stored as it is; an unknown
// one is refused by name. The whole file is rehearsed first, in transactions
// that are rolled back, and if a single row is bad nothing is imported. Then
// products are stored, at most 50 in one transaction, resumable like cards.
// Cells that begin with =, +, - or @ are data here: a spreadsheet would
// calculate them, so it is exports that must defuse them.
package imports
