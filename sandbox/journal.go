package sandbox

import (
	"errors"
	"sync"
)

var errJournalClosed = errors.New("sandbox: state file is closed")

// logFile is what the journal needs of *os.File. Sync must return only when everything written is durable; an error
// from either method leaves the tail of the file undefined, which loading tolerates.
type logFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Close() error
}

// journal appends lines to a file and makes them durable in groups: lines that arrive while an fsync runs share the
// next one. Its first error is final, because after a failed fsync nobody knows what the file holds.
type journal struct {
	file logFile
	wake chan struct{}
	stop chan struct{}
	gone chan struct{}

	mu     sync.Mutex
	open   *batch // mu; collects lines, nil when there are none
	last   *batch // mu; the newest batch with lines, durable or not
	err    error  // mu; sticky
	closed bool   // mu
}

// batch is a group of lines that one fsync covers. err may be read once done is closed.
type batch struct {
	lines []byte
	done  chan struct{}
	err   error
}

func newJournal(file logFile) *journal {
	j := &journal{
		file: file,
		wake: make(chan struct{}, 1),
		stop: make(chan struct{}),
		gone: make(chan struct{}),
	}
	go j.loop()
	return j
}

// append queues one line (newline included) and returns at once; barrier tells when it is durable.
func (j *journal) append(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if j.closed {
		return errJournalClosed
	}
	if j.open == nil {
		j.open = &batch{done: make(chan struct{})}
		j.last = j.open
	}
	j.open.lines = append(j.open.lines, line...)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return nil
}

// barrier waits until every line appended before the call is durable, and returns the error that prevented it.
func (j *journal) barrier() error {
	j.mu.Lock()
	last, err := j.last, j.err
	j.mu.Unlock()
	if last == nil {
		return err
	}
	<-last.done
	return last.err
}

// failure returns the sticky error without waiting.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) loop() {
	defer close(j.gone)
	for {
		select {
		case <-j.wake:
			j.flush()
		case <-j.stop:
			j.flush()
			return
		}
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	b, err := j.open, j.err
	j.open = nil
	j.mu.Unlock()
	if b == nil {
		return
	}
	if err == nil {
		err = j.persist(b.lines)
	}
	j.mu.Lock()
	j.err = err
	j.mu.Unlock()
	b.err, b.lines = err, nil
	close(b.done)
}

func (j *journal) persist(lines []byte) error {
	if _, err := j.file.Write(lines); err != nil {
		return err
	}
	return j.file.Sync()
}

// close flushes what is queued and closes the file. It is called once.
func (j *journal) close() error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	<-j.gone
	return errors.Join(j.barrier(), j.file.Close())
}
