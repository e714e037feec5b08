package drill

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/i18n"
)

//go:embed page.html
var pageText string

// sheet is a report in one language.
type sheet struct {
	Report
	texts *i18n.Catalogue
	Lang  i18n.Lang
}

// Page writes a report as one page that needs nothing else, in all languages,
// to be read on a screen or on paper.
func Page(r Report, texts *i18n.Catalogue) ([]byte, error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, pageFailed(err)
	}
	var sheets []sheet
	for _, lang := range i18n.Languages() {
		sheets = append(sheets, sheet{r, texts, lang})
	}
	var out bytes.Buffer
	if err := t.Execute(&out, sheets); err != nil {
		return nil, pageFailed(err)
	}
	return out.Bytes(), nil
}

func pageFailed(err error) error {
	return errs.Wrap(err, errs.Internal, "drill_unwritable", "the report of a drill cannot be written")
}

// Text gives a text of the page.
func (s sheet) Text(key string) string { return s.texts.Text(s.Lang, "drill."+key, nil) }

// Title is what the disaster is called.
func (s sheet) Title() string { return s.Text("name." + strings.ReplaceAll(string(s.Drill), "-", "_")) }

// About says what was rehearsed.
func (s sheet) About() string {
	return s.Text("about." + strings.ReplaceAll(string(s.Drill), "-", "_"))
}

// Verdict says in a sentence whether the shop would have survived.
func (s sheet) Verdict() string {
	if s.Passed() {
		return s.Text("passed")
	}
	return s.Text("failed")
}

// Why says why it did not pass; "" if it did.
func (s sheet) Why() string { return reason(s.texts, s.Lang, s.Failure, s.Detail) }

// Did says what a step was.
func (s sheet) Did(step Step) string { return s.texts.Text(s.Lang, "drill.step."+step.Name, step.Args) }

// Fault says what went wrong in a step, "" if nothing did.
func (s sheet) Fault(step Step) string { return reason(s.texts, s.Lang, step.Failure, step.Args) }

// reason is the text of a code, and the code itself for who looks it up.
func reason(texts *i18n.Catalogue, lang i18n.Lang, code string, args map[string]string) string {
	if code == "" {
		return ""
	}
	text := texts.Text(lang, "error."+code, args)
	if text == "error."+code {
		return code
	}
	return text + " (" + code + ")"
}

// Length writes nanoseconds for people.
func (s sheet) Length(ns int64) string { return lengthOf(ns) }

// Time writes a time in the zone of the shops.
func (s sheet) Time(at time.Time) string {
	return at.In(time.FixedZone("UTC+8", 8*60*60)).Format("2006-01-02 15:04:05 -07:00")
}

// Money writes minor units of a currency.
func (s sheet) Money(o Order) string {
	return fmt.Sprintf("%d.%02d %s", o.Total/100, o.Total%100, o.Currency)
}

// Lost tells how much was lost, if that was measured.
func (s sheet) Lost() string {
	if !s.LossKnown {
		return s.Text("not_measured")
	}
	return lengthOf(s.Loss)
}

// Line is the report in one line of a language, for a terminal.
func Line(r Report, texts *i18n.Catalogue, lang i18n.Lang) string {
	s := sheet{r, texts, lang}
	if r.Passed() {
		return s.Verdict()
	}
	return s.Verdict() + " " + s.Why()
}

// StepLine is a step in one line of a language.
func StepLine(step Step, texts *i18n.Catalogue, lang i18n.Lang) string {
	s := sheet{texts: texts, Lang: lang}
	if step.Failure == "" {
		return s.Did(step)
	}
	return s.Did(step) + ": " + s.Fault(step)
}

// Title is what a disaster is called in a language.
func Title(name Name, texts *i18n.Catalogue, lang i18n.Lang) string {
	return sheet{Report: Report{Drill: name}, texts: texts, Lang: lang}.Title()
}
