package consoleapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/imports"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// Limits of an upload. The file is kept in memory, never in a temporary file:
// cards must not lie on the disk in clear. So one file at a time is taken.
const (
	maxUpload  = 64 << 20
	uploadTime = 10 * time.Minute
)

type reportView struct {
	BatchID    string            `json:"batch_id" doc:"Nothing after a dry run."`
	DryRun     bool              `json:"dry_run" doc:"Nothing was stored."`
	Lines      int64             `json:"lines" doc:"Lines that were not empty."`
	Accepted   int64             `json:"accepted" doc:"New cards."`
	Duplicates int64             `json:"duplicates" doc:"Cards that the shop has already, or that stood earlier in the file."`
	Bad        int64             `json:"bad" doc:"Lines that are no card."`
	Findings   []imports.Finding `json:"findings" doc:"The first 1,000 duplicates and bad lines, by line number."`
	Truncated  bool              `json:"truncated" doc:"There were more findings."`
	Resumed    bool              `json:"resumed" doc:"An interrupted import of the same file was continued."`
}

func (a *api) addCards() error {
	return web.RegisterUpload(a.described, web.Upload{
		Operation: web.Operation{
			Method: http.MethodPost, Path: "/console/api/v1/skus/{code}/cards", ID: "import_cards", Tag: tagProducts,
			Summary:     "Import card keys, one a line",
			Description: "Send the file as text/plain, or as the part \"file\" of multipart/form-data. UTF-8 and GB18030 are understood.",
			Permission:  perm.CardsImport, Priority: perm.Normal, Limit: web.LimitStaff, Auth: schemeSession, MaxBody: maxUpload,
			Errors: withCommon(map[errs.Kind][]string{
				errs.Forbidden: {"forbidden"}, errs.NotFound: {"sku_not_found"}, errs.Conflict: {"import_busy", "file_changed"},
				errs.Invalid:     {"sku_not_cards", "file_empty", "file_utf16", "file_not_text", "unsupported_media_type", "unknown_parameter"},
				errs.Unavailable: {"upload_busy"},
			}),
		},
		Types: []string{"text/plain", "multipart/form-data"},
		Params: []web.Parameter{
			{Name: "code", In: "path", Type: "string", Doc: "The SKU's code."},
			{Name: "dry_run", In: "query", Type: "boolean", Doc: "Only tell what would be."},
			{Name: "file_name", In: "query", Type: "string", Doc: "Of text/plain, for the report; at most 200 bytes."},
		},
		Answer: reportView{},
	}, a.importCards)
}

func (a *api) importCards(w http.ResponseWriter, r *http.Request) error {
	p, err := principal(r.Context())
	if err != nil {
		return err
	}
	req := imports.CardsRequest{MerchantID: p.MerchantID, SKUCode: r.PathValue("code")}
	if err := readUploadQuery(r, &req); err != nil {
		return err
	}
	select {
	case a.importing <- struct{}{}:
		defer func() { <-a.importing }()
	default:
		return errs.New(errs.Unavailable, "upload_busy", "another file is being imported; try again when it is done")
	}
	allowTime(w)
	file, err := readUpload(r, &req)
	if err != nil {
		return err
	}
	req.Source = bytes.NewReader(file)
	report, err := a.deps.Imports.Cards(r.Context(), req, nil)
	clear(file)
	if err != nil {
		return err
	}
	return a.writeReport(w, report, req.DryRun, web.Lang(r.Context()))
}

// allowTime lifts the listener's time-outs for this request; a test's writer
// has none.
func allowTime(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	until := time.Now().Add(uploadTime) //nolint:forbidigo // the connection compares with the machine's time
	_ = c.SetReadDeadline(until)
	_ = c.SetWriteDeadline(until)
}

// readUploadQuery reads dry_run and file_name and checks the code.
func readUploadQuery(r *http.Request, req *imports.CardsRequest) error {
	if !utf8.ValidString(req.SKUCode) || strings.ContainsRune(req.SKUCode, 0) || len(req.SKUCode) > 80 {
		return errs.Field("code", "invalid_format", "this is no code of a SKU")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errs.New(errs.Malformed, "malformed_query", "the query of the address is malformed")
	}
	for name, values := range query {
		if len(values) != 1 {
			return errs.Field("query", "duplicate_field", "this parameter may come once")
		}
		if err := takeParameter(req, name, values[0]); err != nil {
			return err
		}
	}
	return nil
}

func takeParameter(req *imports.CardsRequest, name, value string) error {
	switch name {
	case "dry_run":
		if value != "true" && value != "false" {
			return errs.Field(name, "invalid_type", "true or false")
		}
		req.DryRun = value == "true"
	case "file_name":
		if len(value) > 200 || !utf8.ValidString(value) {
			return errs.Field(name, "too_long", "a file name has at most 200 bytes")
		}
		req.FileName = value
	default:
		return errs.Field("query", "unknown_parameter", "there is no such parameter")
	}
	return nil
}

// readUpload reads the file into memory.
func readUpload(r *http.Request, req *imports.CardsRequest) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "text/plain":
		return readFile(r.Body, r.ContentLength)
	case err == nil && kind == "multipart/form-data":
		return readPart(r, req)
	}
	return nil, errs.New(errs.Invalid, "unsupported_media_type", "send text/plain or multipart/form-data")
}

// readPart reads the part "file"; other parts are refused.
func readPart(r *http.Request, req *imports.CardsRequest) ([]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "malformed_body", "the form cannot be read")
	}
	part, err := parts.NextRawPart()
	if errors.Is(err, io.EOF) {
		return nil, errs.Field("file", "required", "the form has no file")
	}
	if err != nil {
		return nil, brokenUpload(err)
	}
	if part.FormName() != "file" {
		return nil, errs.Field("body", "unknown_field", "the form may have one part, named file")
	}
	req.FileName = part.FileName()
	file, err := readFile(part, r.ContentLength)
	if err != nil {
		return nil, err
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		return nil, errs.Field("body", "unknown_field", "the form may have one part, named file")
	}
	return file, nil
}

// readFile reads to the end; size is a guess that spares copies, or -1.
func readFile(from io.Reader, size int64) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, max(512, min(size, maxUpload)+bytes.MinRead)))
	if _, err := buf.ReadFrom(from); err != nil {
		return nil, brokenUpload(err)
	}
	return buf.Bytes(), nil
}

// brokenUpload tells a file that is too large from one whose sender stopped.
func brokenUpload(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return errs.Wrap(err, errs.Malformed, "malformed_body", "the upload broke off or is malformed")
}

// writeReport answers with the report, its findings in words of lang.
func (a *api) writeReport(w http.ResponseWriter, report imports.Report, dryRun bool, lang i18n.Lang) error {
	out := reportView{
		BatchID: report.BatchID.String(), DryRun: dryRun, Lines: report.Lines, Accepted: report.Accepted,
		Duplicates: report.Duplicates, Bad: report.Bad, Findings: make([]imports.Finding, len(report.Findings)), Truncated: report.Truncated, Resumed: report.Resumed,
	}
	for i, f := range report.Findings {
		f.Text = a.deps.Texts.Text(lang, "console.finding."+f.Code, nil)
		out.Findings[i] = f
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a caller who has gone is no fault of ours
	return nil
}
