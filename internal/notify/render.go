package notify

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"panshi/internal/i18n"
	"panshi/internal/id"
)

// Names tells what people call a merchant; "" if nobody knows.
type Names func(merchantID id.ID) string

// writer puts messages into words.
type writer struct {
	texts *i18n.Catalogue
	names Names
	zone  *time.Location
}

// message says how an alert stands.
func (w writer) message(lang i18n.Lang, messageID id.ID, a Stored, e event) Message {
	m := Message{
		ID: messageID.String(), AlertID: a.ID.String(), Event: string(e), Code: a.Code, Severity: a.Severity,
		MerchantID: a.MerchantID.String(), Subject: a.Subject, Count: a.Count, Args: a.Args, At: a.LastAt,
	}
	text := func(key string, args map[string]string) string { return w.texts.Text(lang, key, args) }
	m.Title = clean(text("alert.mark", map[string]string{
		"severity": text("alert.severity."+string(a.Severity), nil), "event": text("alert.event."+string(e), nil),
		"title": text("alert."+a.Code+".title", a.Args),
	}), 200)
	lines := []string{text("alert."+a.Code+".text", a.Args)}
	if shop := w.shop(a.MerchantID); shop != "" {
		lines = append(lines, text("alert.line.shop", map[string]string{"shop": shop}))
	}
	lines = append(lines, w.course(lang, a)...)
	if e != eventResolved && !a.ID.IsZero() {
		lines = append(lines, text("alert.line.acknowledge", map[string]string{"id": a.ID.String()}))
	}
	m.Text = strings.Join(lines, "\n")
	return m
}

func (w writer) shop(merchantID id.ID) string {
	if merchantID.IsZero() {
		return ""
	}
	return clean(w.names(merchantID), 100)
}

// course tells since when, how often and until when.
func (w writer) course(lang i18n.Lang, a Stored) []string {
	args := map[string]string{"since": w.at(a.OpenedAt), "last": w.at(a.LastAt), "count": strconv.FormatInt(a.Count, 10)}
	key := "alert.line.once"
	if a.Count > 1 {
		key = "alert.line.often"
	}
	lines := []string{w.texts.Text(lang, key, args)}
	if !a.ResolvedAt.IsZero() {
		maps.Copy(args, map[string]string{"at": w.at(a.ResolvedAt)})
		lines = append(lines, w.texts.Text(lang, "alert.line.resolved", args))
	}
	return lines
}

func (w writer) at(t time.Time) string { return t.In(w.zone).Format("2006-01-02 15:04:05 -07:00") }
