package db

import "sync"

// Message is what Tx.Tell sends.
type Message struct {
	Topic string // [a-z_]; few in a program
	Text  string // at most 200 bytes, no secrets: servers log it
	Far   bool   // to other processes too
}

// Subscriber hands out messages. Both engines are one, by their Board.
type Subscriber interface {
	// Subscribe calls hear with the text of every message of topic until stop
	// is called: those of this process's commits and, on an engine that several
	// processes share, those of theirs. An empty text means that messages may
	// have been lost: look at everything. Hear must return at once and is never
	// called under a lock of the engine's.
	//
	// A message is a hint to look at the database sooner. It is lost when a
	// process dies between commit and message, when the connection to the
	// server breaks, and when too many come at once; so who subscribes also
	// looks by itself from time to time.
	Subscribe(topic string, hear func(text string)) (stop func())
}

// Board keeps an engine's subscriptions. The zero value is ready for use, by
// many goroutines.
type Board struct {
	mu   sync.RWMutex
	last int
	ears map[string]map[int]func(string) // by topic; guarded by mu
}

// Subscribe implements Subscriber.
func (b *Board) Subscribe(topic string, hear func(text string)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	n := b.last
	if b.ears == nil {
		b.ears = make(map[string]map[int]func(string))
	}
	if b.ears[topic] == nil {
		b.ears[topic] = make(map[int]func(string))
	}
	b.ears[topic][n] = hear
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears[topic], n)
	}
}

// Post is for engines: it calls who subscribed to topic.
func (b *Board) Post(topic, text string) {
	for _, hear := range b.listeners(topic) {
		hear(text)
	}
}

// PostAll is for engines: messages may have been lost.
func (b *Board) PostAll() {
	b.mu.RLock()
	topics := make([]string, 0, len(b.ears))
	for topic := range b.ears {
		topics = append(topics, topic)
	}
	b.mu.RUnlock()
	for _, topic := range topics {
		b.Post(topic, "")
	}
}

func (b *Board) listeners(topic string) []func(string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]func(string), 0, len(b.ears[topic]))
	for _, hear := range b.ears[topic] {
		all = append(all, hear)
	}
	return all
}
