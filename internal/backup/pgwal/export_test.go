package pgwal

// Abandon ends the compression and not the file.
func (w *Writer) Abandon() error { return w.zip.Close() }
