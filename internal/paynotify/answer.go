package paynotify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/web"
)

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a platform that has gone will come again
}

// refusal is a body that acknowledges nothing, in the words of the platform at
// whose address the callback came. Alipay's is one word and no code.
func refusal(provider, code string) (contentType string, body []byte) {
	if provider == "alipay" {
		return "text/plain; charset=utf-8", []byte("failure")
	}
	body, err := json.Marshal(map[string]string{"code": "FAIL", "message": code})
	if err != nil {
		panic("paynotify: an answer cannot be encoded: " + err.Error())
	}
	return "application/json", body
}

// trouble makes of any failure below us one that has the platform come again.
// Only what the platform itself said wrongly keeps its kind.
func trouble(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return errs.Wrap(err, errs.Unavailable, "timeout", "this took too long")
	}
	switch errs.KindOf(err) {
	case errs.Malformed, errs.NotFound, errs.Unavailable:
		return err
	default:
		return errs.Wrap(err, errs.Internal, errs.CodeOf(err), "the report could not be dealt with")
	}
}

// refuse answers whatever went wrong with a callback, before or in take, and
// writes the one line about it.
func (n *notify) refuse(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	status, code := web.StatusOf(err), errs.CodeOf(err)
	attrs := []slog.Attr{
		slog.String("code", code),
		slog.Int("status", status),
		slog.String("account", accountOf(r)),
		slog.String("client", web.ClientAddr(ctx).String()),
		slog.String("request_id", web.RequestID(ctx)),
	}
	if status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.String("cause", err.Error()))
	}
	n.logger.LogAttrs(ctx, slog.LevelWarn, "callback refused", attrs...)
	contentType, body := refusal(r.PathValue("provider"), code)
	write(w, status, contentType, body)
}

// accountOf gives the account's id of the address if it is one: what else a
// stranger writes there stays out of the log.
func accountOf(r *http.Request) string {
	accountID, err := id.Parse(r.PathValue("account"))
	if err != nil {
		return ""
	}
	return accountID.String()
}
