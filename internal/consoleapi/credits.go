package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/account"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/perm"
	"panshi/internal/vault"
	"panshi/internal/web"
)

// CreditSummary is what lists show of an account, embedded in the view of one.
type CreditSummary struct {
	ID        string        `json:"id" format:"uuid" doc:"The account, for addresses of this API."`
	NumberEnd string        `json:"number_end" doc:"The last four characters of its number."`
	Contact   maskedContact `json:"contact" doc:"Masked."`
	Balance   int64         `json:"balance" doc:"In minor units."`
	Currency  string        `json:"currency" doc:"ISO 4217."`
	State     string        `json:"state" enum:"open,frozen,closed" doc:"frozen: nothing can be spent; closed: nothing can be granted either."`
	CreatedAt time.Time     `json:"created_at" doc:"When it was opened."`
}

type creditView struct {
	CreditSummary
	Number     string           `json:"number" doc:"What the buyer names it by. It opens nothing without a code."`
	Movements  []creditMovement `json:"movements" doc:"The newest first."`
	NextCursor string           `json:"next_cursor" doc:"Of the movements; nothing on the last page."`
}

type creditMovement struct {
	At         time.Time `json:"at" doc:"When."`
	Kind       string    `json:"kind" enum:"granted,taken_back,spent,returned" doc:"Why the balance changed."`
	Amount     int64     `json:"amount" doc:"In minor units; below zero: it went out."`
	Balance    int64     `json:"balance" doc:"Afterwards."`
	OrderNo    string    `json:"order_no,omitempty" doc:"The order that was paid or given back."`
	ApprovalID string    `json:"approval_id,omitempty" doc:"Who allowed it; missing: one person decided, or the buyer."`
}

type (
	creditsOut struct {
		Body struct {
			Items      []CreditSummary `json:"items" doc:"The newest first."`
			NextCursor string          `json:"next_cursor" doc:"Nothing on the last page."`
		}
	}
	creditOut    struct{ Body CreditSummary }
	creditFull   struct{ Body creditView }
	listCredits  struct{ web.Page }
	creditPageIn struct {
		CreditPath
		web.Page
	}
)

// CreditPath is embedded in the input of an operation on an account of credit.
type CreditPath struct {
	ID string `path:"id" format:"uuid" maxLength:"36" doc:"The account."`
}

type findCreditsIn struct {
	Body struct {
		Number string `json:"number,omitempty" maxLength:"32" doc:"The whole number, or nothing."`
		Email  string `json:"email,omitempty" maxLength:"254" doc:"Of the contact, whole."`
		Phone  string `json:"phone,omitempty" maxLength:"32" doc:"Of the contact, whole."`
	}
}

type grantBody struct {
	CreditID string `json:"credit_id,omitempty" format:"uuid" maxLength:"36" doc:"Which account; nothing: a new one for the contact."`
	Email    string `json:"email,omitempty" maxLength:"254" doc:"Whose the new account is."`
	Phone    string `json:"phone,omitempty" maxLength:"32" doc:"Whose the new account is."`
	Amount   int64  `json:"amount" minimum:"1" maximum:"1000000000000" doc:"In minor units of the account's currency, which is the shop's for a new one."`
	Reason   string `json:"reason" minLength:"1" maxLength:"200" doc:"For the record and who approves. Nothing personal."`
}

type grantIn struct {
	web.IdempotencyHeader
	Body grantBody
}

type requestGrantIn struct{ Body grantBody }

type takeBackIn struct {
	CreditPath
	Body struct {
		Amount int64  `json:"amount" minimum:"1" maximum:"1000000000000" doc:"In minor units; at most the balance."`
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"For who approves."`
	}
}

type creditStateIn struct {
	CreditPath
	Body struct {
		State  string `json:"state" enum:"open,frozen,closed" doc:"What it is to be. Only an account without money can be closed."`
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"For the record."`
	}
}

type issueCodeIn struct {
	CreditPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"For the record."`
	}
}

type issueCodeOut struct {
	Body struct {
		Number string `json:"number" doc:"For the buyer, with the code."`
		Code   string `json:"code" doc:"Shown this once. Codes that were given out before open nothing any more."`
	}
}

func (a *api) addCredits() {
	const all, one = "/console/api/v1/credits", "/console/api/v1/credits/{id}"
	unknown := []string{account.ErrUnknown.Code}
	register(a, web.Operation{
		Method: http.MethodGet, Path: all, ID: "list_credits", Tag: tagCredit, Summary: "List accounts of store credit, contacts masked",
		Permission: perm.CreditsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listCredits)
	register(a, web.Operation{
		Method: http.MethodPost, Path: all + "/find", ID: "find_credits", Tag: tagCredit, Summary: "Find accounts of store credit by number or by contact",
		Permission: perm.CreditsRead, Priority: perm.Normal, Limit: web.LimitReveal,
		Errors: map[errs.Kind][]string{
			errs.NotFound: unknown, errs.Invalid: {"invalid_email", "invalid_phone", "contact_ambiguous"},
		},
	}, a.findCredits)
	register(a, web.Operation{
		Method: http.MethodGet, Path: one, ID: "get_credit", Tag: tagCredit, Summary: "Show an account of store credit with its movements",
		Permission: perm.CreditsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Invalid: {"invalid_cursor"}},
	}, a.getCredit)
	a.addGrants()
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/take_back/request", ID: "request_take_back", Tag: tagCredit, Status: http.StatusCreated,
		Summary:    "Ask for approval to take credit back",
		Permission: perm.CreditsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Conflict: {"approval_pending", "credit_insufficient"}},
	}, a.requestTakeBack)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/state", ID: "set_credit_state", Tag: tagCredit, Summary: "Freeze, close or open an account of store credit",
		Permission: perm.CreditsWrite, Priority: perm.Critical, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Conflict: {"credit_state"}},
	}, a.setCreditState)
	register(a, web.Operation{
		Method: http.MethodPost, Path: one + "/code", ID: "issue_credit_code", Tag: tagCredit, Summary: "Issue a new access code for the buyer; recorded",
		Description: "Codes that were given out before open nothing any more.",
		Permission:  perm.CreditsWrite, Priority: perm.Normal, Limit: web.LimitReveal,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.issueCode)
}

func (a *api) addGrants() {
	const grants = "/console/api/v1/credits/grants"
	contact := []string{"invalid_email", "invalid_phone", "contact_ambiguous", "contact_not_taken"}
	register(a, web.Operation{
		Method: http.MethodPost, Path: grants, ID: "grant_credit", Tag: tagCredit, Status: http.StatusCreated,
		Summary:     "Grant store credit at once",
		Description: "What single persons grant in 24 hours is limited by the refund limit; approval_required: ask for approval.",
		Permission:  perm.CreditsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: {account.ErrUnknown.Code}, errs.Conflict: {"approval_required", "credit_state", "idempotency_conflict"},
			errs.Invalid: append([]string{"idempotency_key_missing", "idempotency_key_invalid"}, contact...),
		},
	}, a.grant)
	register(a, web.Operation{
		Method: http.MethodPost, Path: grants + "/request", ID: "request_grant", Tag: tagCredit, Status: http.StatusCreated,
		Summary:    "Ask for approval to grant store credit",
		Permission: perm.CreditsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{
			errs.NotFound: {account.ErrUnknown.Code}, errs.Conflict: {"approval_pending", "credit_state"}, errs.Invalid: contact,
		},
	}, a.requestGrant)
}

func (a *api) listCredits(ctx context.Context, p access.Principal, in *listCredits) (*creditsOut, error) {
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Checkout.Credits(ctx, p.MerchantID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf(list, in.Limit, func(c account.Credit) id.ID { return c.ID })
	return a.showCredits(list, next)
}

func (a *api) showCredits(list []account.Credit, next string) (*creditsOut, error) {
	out := &creditsOut{}
	out.Body.NextCursor, out.Body.Items = next, make([]CreditSummary, len(list))
	for i, c := range list {
		var err error
		if out.Body.Items[i], err = a.summaryOfCredit(c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *api) findCredits(ctx context.Context, p access.Principal, in *findCreditsIn) (*creditsOut, error) {
	if in.Body.Number != "" {
		c, err := a.deps.Checkout.CreditByNumber(ctx, p.MerchantID, in.Body.Number)
		if err != nil {
			return nil, err
		}
		return a.showCredits([]account.Credit{c}, "")
	}
	contact, err := order.ParseContact(in.Body.Email, in.Body.Phone)
	if err != nil {
		return nil, err
	}
	list, err := a.deps.Checkout.CreditsOf(ctx, p.MerchantID, contact)
	if err != nil {
		return nil, err
	}
	return a.showCredits(list, "")
}

func (a *api) getCredit(ctx context.Context, p access.Principal, in *creditPageIn) (*creditFull, error) {
	creditID, err := parseCredit(in.ID)
	if err != nil {
		return nil, err
	}
	before, err := cursorID(in.Cursor)
	if err != nil {
		return nil, err
	}
	v, err := a.deps.Checkout.CreditForStaff(ctx, p.MerchantID, creditID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return a.viewOfCredit(v, in.Limit)
}

func (b grantBody) grant() (g checkout.Grant, err error) {
	g.Minor, g.Reason = b.Amount, b.Reason
	if b.CreditID == "" {
		g.Contact, err = order.ParseContact(b.Email, b.Phone)
		return g, err
	}
	if b.Email != "" || b.Phone != "" {
		return g, errs.Field("credit_id", "contact_not_taken", "name an account, or the contact of a new one, not both")
	}
	g.CreditID, err = parseCredit(b.CreditID)
	return g, err
}

func (a *api) grant(ctx context.Context, p access.Principal, in *grantIn) (*creditOut, error) {
	g, err := in.Body.grant()
	if err != nil {
		return nil, err
	}
	c, err := a.deps.Checkout.GrantCredit(ctx, p.MerchantID, in.IdempotencyKey, g)
	return a.showCredit(c, err)
}

func (a *api) requestGrant(ctx context.Context, p access.Principal, in *requestGrantIn) (*approvalOut, error) {
	g, err := in.Body.grant()
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Checkout.RequestGrant(ctx, p.MerchantID, g))
}

func (a *api) requestTakeBack(ctx context.Context, p access.Principal, in *takeBackIn) (*approvalOut, error) {
	creditID, err := parseCredit(in.ID)
	if err != nil {
		return nil, err
	}
	return showApproval(a.deps.Checkout.RequestTakeBack(ctx, p.MerchantID, creditID, in.Body.Amount, in.Body.Reason))
}

func (a *api) setCreditState(ctx context.Context, p access.Principal, in *creditStateIn) (*creditOut, error) {
	creditID, err := parseCredit(in.ID)
	if err != nil {
		return nil, err
	}
	c, err := a.deps.Checkout.SetCreditState(ctx, p.MerchantID, creditID, account.State(in.Body.State), in.Body.Reason)
	return a.showCredit(c, err)
}

func (a *api) issueCode(ctx context.Context, p access.Principal, in *issueCodeIn) (*issueCodeOut, error) {
	creditID, err := parseCredit(in.ID)
	if err != nil {
		return nil, err
	}
	c, code, err := a.deps.Checkout.IssueCode(ctx, p.MerchantID, creditID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := &issueCodeOut{}
	out.Body.Number, out.Body.Code = c.Number, code
	return out, nil
}

func parseCredit(text string) (id.ID, error) {
	creditID, err := id.Parse(text)
	if err != nil || creditID.IsZero() {
		return id.ID{}, account.ErrUnknown
	}
	return creditID, nil
}

func (a *api) showCredit(c account.Credit, err error) (*creditOut, error) {
	if err != nil {
		return nil, err
	}
	summary, err := a.summaryOfCredit(c)
	return &creditOut{summary}, err
}

func (a *api) summaryOfCredit(c account.Credit) (CreditSummary, error) {
	value, err := a.deps.Vault.Unseal(vault.PII, account.ContactCell(c.ID), c.ContactSealed)
	if err != nil {
		return CreditSummary{}, err
	}
	return CreditSummary{
		ID: c.ID.String(), NumberEnd: c.NumberEnd(), Contact: maskedOf(order.ContactKind(c.ContactKind), string(value)),
		Balance: c.Balance.Minor, Currency: string(c.Balance.Currency), State: string(c.State), CreatedAt: c.CreatedAt,
	}, nil
}

func (a *api) viewOfCredit(v checkout.CreditView, limit int) (*creditFull, error) {
	summary, err := a.summaryOfCredit(v.Credit)
	out := &creditFull{creditView{CreditSummary: summary, Number: v.Credit.Number}}
	var page []account.Movement
	page, out.Body.NextCursor = pageOf(v.Movements, limit, func(m account.Movement) id.ID { return m.ID })
	out.Body.Movements = make([]creditMovement, len(page))
	for i, m := range page {
		out.Body.Movements[i] = creditMovement{
			At: m.At, Kind: string(m.Kind), Amount: m.Amount.Minor, Balance: m.Balance.Minor, OrderNo: m.OrderNo,
			ApprovalID: m.ApprovalID.String(),
		}
	}
	return out, err
}
