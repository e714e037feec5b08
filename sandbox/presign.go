package sandbox

import "net/http"

// Callback is a callback ready to be sent.
type Callback struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Presign pays the trade with a number, as its buyer would, and returns the
// callback about it, sealed and signed, instead of sending it: whoever measures
// a shop signs before the clock starts. While Run is active the platform sends
// the same callback too.
func (s *Sandbox) Presign(outTradeNo string) (Callback, error) {
	ref := orderRef{OutTradeNo: outTradeNo}
	if err := ref.validate(); err != nil {
		return Callback{}, err
	}
	t, _, err := s.pay(ref)
	if err != nil {
		return Callback{}, err
	}
	var d *draft
	s.view(func(st *state) {
		n := st.notes[st.notesOf[t.Seq][0]]
		d = newDraft(st, t, nil, s.now())
		d.id = n.ID
	})
	m, err := s.compose(d)
	if err != nil {
		return Callback{}, err
	}
	return Callback{URL: m.url, Header: m.header, Body: m.body}, nil
}
