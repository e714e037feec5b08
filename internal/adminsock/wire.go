package adminsock

import (
	"context"
	"encoding/json"
	"errors"

	"panshi/internal/errs"
)

// event is one line of an answer: progress, or the end.
type event struct {
	Progress json.RawMessage `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Errors   []problem       `json:"errors,omitempty"`
}

func (e event) last() bool { return e.Result != nil || len(e.Errors) > 0 }

// problem is an errs.Error on the wire.
type problem struct {
	Kind   errs.Kind         `json:"kind"`
	Code   string            `json:"code"`
	Msg    string            `json:"msg"`
	Field  string            `json:"field,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Cause  string            `json:"cause,omitempty"`
}

// Wire forms of progress and of what SetupLink takes and gives.
type (
	checkProgress struct {
		Name  string `json:"name"`
		Done  int    `json:"done"`
		Total int    `json:"total"`
	}
	demoProgress struct {
		Text string `json:"text"`
	}
	setupLink struct {
		Merchant string `json:"merchant,omitempty"`
		URL      string `json:"url,omitempty"`
	}
)

// problemsOf takes err apart: an error that joins several becomes several.
func problemsOf(err error) []problem {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself
	case nil:
		return nil
	case *errs.Error:
		p := problem{Kind: e.Kind, Code: e.Code, Msg: e.Msg, Field: e.Field, Params: e.Params}
		if e.Err != nil {
			p.Cause = e.Err.Error()
		}
		return []problem{p}
	case interface{ Unwrap() []error }:
		var out []problem
		for _, sub := range e.Unwrap() {
			out = append(out, problemsOf(sub)...)
		}
		return out
	}
	if known, ok := errors.AsType[*errs.Error](err); ok {
		p := problemsOf(known)[0]
		p.Cause = err.Error() // the words around it are lost otherwise
		return []problem{p}
	}
	if errors.Is(err, context.Canceled) {
		return problemsOf(errStopping)
	}
	return []problem{{Kind: errs.Internal, Code: "internal", Msg: "something went wrong in the shop", Cause: err.Error()}}
}

// errorOf puts together again what problemsOf took apart.
func errorOf(list []problem) error {
	all := make([]error, 0, len(list))
	for _, p := range list {
		e := &errs.Error{Kind: p.Kind, Code: p.Code, Msg: p.Msg, Field: p.Field, Params: p.Params}
		if p.Cause != "" {
			e.Err = errors.New(p.Cause)
		}
		all = append(all, e)
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
