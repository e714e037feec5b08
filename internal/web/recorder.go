package web

import "net/http"

// recorder notes what was answered. Unwrap lets http.ResponseController reach
// the real writer.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the header is written
	bytes  int64

	unclaimed bool // no row has the request yet: nothing goes out
	refused   int  // the status that http.ServeMux would have given meanwhile
}

func (w *recorder) WriteHeader(status int) {
	if w.unclaimed {
		w.refused = status
		return
	}
	if w.status == 0 && status >= 200 { // an informational answer is not the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.unclaimed {
		return len(p), nil
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush sends what was written so far.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // a writer that cannot flush has nothing to lose
}

// Unwrap gives the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
