package pgwal

// Flush writes what was added, without making the file whole.
func (w *Writer) Flush() error { return w.zip.Flush() }
