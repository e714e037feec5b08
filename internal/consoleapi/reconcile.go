package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/reconcile"
	"panshi/internal/web"
)

type dayView struct {
	ID           string    `json:"id" doc:"The day."`
	AccountID    string    `json:"account_id" doc:"The payment account, the oldest of those that share a bill."`
	Date         string    `json:"date" doc:"The platform's date, such as 2026-05-03."`
	Currency     string    `json:"currency" doc:"Of all amounts."`
	State        string    `json:"state" enum:"open,differs,closed" doc:"open: no bill yet; differs: compared, and something does not agree; closed: agrees to the fen."`
	BillCount    int64     `json:"bill_count" doc:"Lines of the bill."`
	BillPaid     int64     `json:"bill_paid" doc:"Payments in the bill."`
	BillRefunded int64     `json:"bill_refunded" doc:"Refunds in the bill."`
	OurCount     int64     `json:"our_count" doc:"What the shop has of the day."`
	OurPaid      int64     `json:"our_paid" doc:"Payments that the shop has."`
	OurRefunded  int64     `json:"our_refunded" doc:"Refunds that the shop has."`
	LedgerNet    int64     `json:"ledger_net" doc:"What the books gained at the platform, before fees."`
	DecidedPaid  int64     `json:"decided_paid" doc:"Payments that people took over from the bill; negative: that they took back."`
	DecidedBack  int64     `json:"decided_refunded" doc:"Refunds, as decided_paid."`
	DecidedNet   int64     `json:"decided_net" doc:"What was booked for that at the platform."`
	Difference   int64     `json:"difference" doc:"The bill less the shop and what people decided."`
	Fees         int64     `json:"fees" doc:"What the platform keeps; booked when the day closes."`
	Digest       string    `json:"digest" doc:"SHA-256 of the bill, nothing without one."`
	Problem      string    `json:"problem" doc:"The code of what ended the last run early, or nothing."`
	FetchedAt    time.Time `json:"fetched_at" doc:"When the bill was fetched."`
	ClosedAt     time.Time `json:"closed_at" doc:"When the day closed."`
}

type caseView struct {
	ID            string    `json:"id" doc:"The case."`
	DayID         string    `json:"day_id" doc:"Its day."`
	Kind          string    `json:"kind" enum:"ours_only,theirs_only,amount,state,fee,ledger" doc:"What does not agree."`
	LineKind      string    `json:"line_kind" enum:"payment,refund" doc:"What it is about."`
	Number        string    `json:"number" doc:"Our number of the payment or refund."`
	TransactionID string    `json:"transaction_id" doc:"The platform's number."`
	BillAmount    int64     `json:"bill_amount" doc:"In the bill; 0 if it has nothing. For fee: the fee."`
	OurAmount     int64     `json:"our_amount" doc:"In the shop; 0 if it has nothing. For ledger: in the books."`
	LedgerAmount  int64     `json:"ledger_amount" doc:"In the books."`
	Currency      string    `json:"currency" doc:"Of both amounts."`
	Remedy        string    `json:"remedy" doc:"What to do: ask_again, hold_desk, check_platform, record_refund, check_amount, await_refund, check_fee, check_ledger."`
	CreatedAt     time.Time `json:"created_at" doc:"When it was found."`
	State         string    `json:"state" enum:"open,agreed,decided" doc:"open: nobody decided; agreed: agrees by now; decided: a person did."`
	Decisions     []string  `json:"decisions" doc:"What may be decided: accept_fee, accept_state (book nothing), book_payment, book_refund, write_off, void_refund, book_difference, correct_books (book missing)."`
	Missing       int64     `json:"missing" doc:"What the books gain at the platform when they follow the bill."`
	Decision      string    `json:"decision" doc:"What was decided, or nothing."`
	Adjusted      int64     `json:"adjusted" doc:"What that booked at the platform."`
	Resolved      bool      `json:"resolved" doc:"Whether somebody decided, or it agrees by now."`
	ResolvedAt    time.Time `json:"resolved_at" doc:"When."`
	ResolvedBy    string    `json:"resolved_by" doc:"A member of staff; system if it agrees by now."`
	Reason        string    `json:"reason" doc:"As it was told."`
}

type daysOut struct {
	Body struct {
		Items      []dayView `json:"items" doc:"Days, the newest first."`
		NextCursor string    `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

type casesOut struct {
	Body struct {
		Items      []caseView `json:"items" doc:"Cases as they were found, resolved ones too."`
		NextCursor string     `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

type (
	listDaysIn struct{ web.Page }
	dayOut     struct{ Body dayView }
	caseOut    struct{ Body caseView }
	dayIn      struct {
		ID string `path:"id" format:"uuid" maxLength:"36" doc:"The day."`
	}
	dayCasesIn struct {
		ID string `path:"id" format:"uuid" maxLength:"36" doc:"The day."`
		web.Page
	}
	caseIn struct {
		ID string `path:"id" format:"uuid" maxLength:"36" doc:"The case."`
	}
	resolveCaseIn struct {
		ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The case."`
		Body struct {
			Decision string `json:"decision" enum:"accept_fee,accept_state" doc:"What is decided."`
			Reason   string `json:"reason" minLength:"1" maxLength:"500" doc:"What was found and done, for the record."`
		}
	}
	adjustCaseIn struct {
		ID   string `path:"id" format:"uuid" maxLength:"36" doc:"The case."`
		Body struct {
			Decision string `json:"decision" enum:"book_payment,book_refund,write_off,void_refund,book_difference,correct_books" doc:"What is decided."`
			Amount   int64  `json:"amount" doc:"What it books: the case's missing, as it was shown."`
			Reason   string `json:"reason" minLength:"1" maxLength:"500" doc:"What was found and done, for the record."`
		}
	}
)

func (a *api) addReconcile() {
	read := func(path, name, summary string) web.Operation {
		return web.Operation{
			Method: http.MethodGet, Path: "/console/api/v1/reconcile/" + path, ID: name, Tag: tagReconcile, Summary: summary,
			Permission: perm.ReconcileRead, Priority: perm.Normal, Limit: web.LimitStaff,
			Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}, errs.NotFound: {"reconcile_day_unknown", "reconcile_case_unknown"}},
		}
	}
	register(a, read("days", "list_reconcile_days", "List days and their sums"), a.listDays)
	register(a, read("days/{id}", "get_reconcile_day", "Show a day"), a.showDay)
	register(a, read("days/{id}/cases", "list_reconcile_cases", "List what differs on a day"), a.listCases)
	register(a, read("cases/{id}", "get_reconcile_case", "Show a case"), a.showCase)
	decide := func(what, name, summary string, p perm.Permission) web.Operation {
		return web.Operation{
			Method: http.MethodPost, Path: "/console/api/v1/reconcile/cases/{id}/" + what, ID: name, Tag: tagReconcile,
			Summary: summary, Permission: p, Priority: perm.Normal, Limit: web.LimitStaff, Status: http.StatusNoContent,
			Errors: map[errs.Kind][]string{
				errs.NotFound: {"reconcile_case_unknown"}, errs.Invalid: {"reconcile_reason", "reconcile_decision"},
				errs.Conflict: {"reconcile_case_changed", "reconcile_still_moving", "approval_required"},
			},
		}
	}
	register(a, decide("resolve", "resolve_reconcile_case", "Decide about a case; it moves no money", perm.ReconcileResolve), a.resolveCase)
	register(a, decide("adjust", "adjust_reconcile_case", "Have the books follow the bill by a posting", perm.ReconcileAdjust), a.adjustCase)
	ask := decide("adjust/request", "request_reconcile_adjust", "Ask for approval to have the books follow the bill", perm.ReconcileAdjust)
	ask.Status = http.StatusCreated
	ask.Errors[errs.Conflict] = []string{"reconcile_case_changed", "reconcile_still_moving", "approval_pending"}
	register(a, ask, a.requestAdjust)
}

func (a *api) listDays(ctx context.Context, p access.Principal, in *listDaysIn) (*daysOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Reconcile.Days(ctx, p.MerchantID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &daysOut{}
	list, out.Body.NextCursor = pageOf(list, in.Limit, func(d reconcile.Day) id.ID { return d.ID })
	out.Body.Items = make([]dayView, len(list))
	for i, d := range list {
		out.Body.Items[i] = viewOfDay(d)
	}
	return out, nil
}

func viewOfDay(d reconcile.Day) dayView {
	return dayView{
		ID: d.ID.String(), AccountID: d.AccountID.String(), Date: d.Date, Currency: d.Currency, State: string(d.State),
		BillCount: d.BillCount, BillPaid: d.BillPaid, BillRefunded: d.BillRefunded, OurCount: d.OurCount, OurPaid: d.OurPaid,
		OurRefunded: d.OurRefunded, LedgerNet: d.LedgerNet, DecidedPaid: d.Decided.Paid, DecidedBack: d.Decided.Refunded, DecidedNet: d.Decided.Net, Difference: d.Difference(), Fees: d.Fees, Digest: d.Digest,
		Problem: d.Problem, FetchedAt: d.FetchedAt, ClosedAt: d.ClosedAt,
	}
}

func (a *api) showDay(ctx context.Context, p access.Principal, in *dayIn) (*dayOut, error) {
	dayID, err := id.Parse(in.ID)
	if err != nil {
		return nil, reconcile.ErrDayUnknown
	}
	d, err := a.deps.Reconcile.Day(ctx, p.MerchantID, dayID)
	return &dayOut{viewOfDay(d)}, err
}

func (a *api) listCases(ctx context.Context, p access.Principal, in *dayCasesIn) (*casesOut, error) {
	dayID, err := id.Parse(in.ID)
	if err != nil {
		return nil, reconcile.ErrDayUnknown
	}
	after, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Reconcile.Cases(ctx, p.MerchantID, dayID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &casesOut{}
	list, out.Body.NextCursor = pageOf(list, in.Limit, func(c reconcile.Case) id.ID { return c.ID })
	out.Body.Items = make([]caseView, len(list))
	for i, c := range list {
		out.Body.Items[i] = viewOfCase(c)
	}
	return out, nil
}

func viewOfCase(c reconcile.Case) caseView {
	decisions := make([]string, 0, 2)
	for _, d := range c.Decisions() {
		decisions = append(decisions, string(d))
	}
	return caseView{
		ID: c.ID.String(), DayID: c.DayID.String(), Kind: string(c.Kind), LineKind: string(c.LineKind), Number: c.Number,
		TransactionID: c.TransactionID, BillAmount: c.BillAmount, OurAmount: c.OurAmount, LedgerAmount: c.LedgerAmount, Currency: c.Currency,
		Remedy: string(c.Remedy), CreatedAt: c.CreatedAt, State: string(c.State()), Decisions: decisions, Missing: c.Missing(),
		Decision: string(c.Decision), Adjusted: c.Adjusted, Resolved: c.State() != reconcile.CaseOpen, ResolvedAt: c.ResolvedAt,
		ResolvedBy: c.ResolvedBy, Reason: c.Reason,
	}
}

func (a *api) showCase(ctx context.Context, p access.Principal, in *caseIn) (*caseOut, error) {
	caseID, err := id.Parse(in.ID)
	if err != nil {
		return nil, reconcile.ErrCaseUnknown
	}
	c, err := a.deps.Reconcile.Case(ctx, p.MerchantID, caseID)
	return &caseOut{viewOfCase(c)}, err
}

func (a *api) resolveCase(ctx context.Context, p access.Principal, in *resolveCaseIn) (*struct{}, error) {
	caseID, err := id.Parse(in.ID)
	if err != nil {
		return nil, reconcile.ErrCaseUnknown
	}
	return nil, a.deps.Reconcile.Resolve(ctx, p.MerchantID, caseID, reconcile.Verdict{
		Decision: reconcile.Decision(in.Body.Decision), Reason: in.Body.Reason,
	})
}

func (a *api) adjustCase(ctx context.Context, p access.Principal, in *adjustCaseIn) (*struct{}, error) {
	caseID, v, err := in.verdict()
	if err != nil {
		return nil, err
	}
	return nil, a.deps.Reconcile.Adjust(ctx, p.MerchantID, caseID, v)
}

func (a *api) requestAdjust(ctx context.Context, p access.Principal, in *adjustCaseIn) (*approvalOut, error) {
	caseID, v, err := in.verdict()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Reconcile.RequestAdjust(ctx, p.MerchantID, caseID, v))
}

func (in *adjustCaseIn) verdict() (caseID id.ID, v reconcile.Verdict, err error) {
	if caseID, err = id.Parse(in.ID); err != nil {
		return caseID, v, reconcile.ErrCaseUnknown
	}
	return caseID, reconcile.Verdict{Decision: reconcile.Decision(in.Body.Decision), Amount: in.Body.Amount, Reason: in.Body.Reason}, nil
}
