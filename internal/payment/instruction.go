package payment

import (
	"encoding/json"
	"time"

	"panshi/internal/errs"
)

// The kinds of Instruction.
const (
	KindQR       = "qr"
	KindRedirect = "redirect"
	KindJSAPI    = "jsapi"
	KindText     = "text" // words for people that say where to pay
)

// KindOf tells which kind of instruction a method gives.
func KindOf(method string) string {
	switch method {
	case "h5", "wap", "page":
		return KindRedirect
	case "jsapi":
		return KindJSAPI
	case MethodTransfer:
		return KindText
	}
	return KindQR
}

// text is an instruction as it is kept with its payment, so that a repeat gets
// the same: the text of the code, the address, or the signed parameters as
// JSON. None of them is secret; what they open is one payment, to be paid.
func (i Instruction) text(method string) (string, error) {
	if i.Kind != KindOf(method) {
		return "", errs.New(errs.Internal, "instruction_kind", "the platform's client gave another kind of instruction than its method has")
	}
	switch i.Kind {
	case KindRedirect:
		return i.URL, nil
	case KindJSAPI:
		params, err := json.Marshal(i.Params)
		return string(params), err
	case KindText:
		return i.Text, nil
	}
	return i.CodeURL, nil
}

// Instruction is what the buyer's client does to pay p; false if the platform
// has not answered yet or what is kept cannot be read.
func (p Payment) Instruction() (Instruction, bool) {
	i := Instruction{Kind: KindOf(p.Method)}
	switch i.Kind {
	case KindRedirect:
		i.URL = p.CodeURL
	case KindJSAPI:
		return i, p.CodeURL != "" && json.Unmarshal([]byte(p.CodeURL), &i.Params) == nil
	case KindText:
		i.Text = p.CodeURL
	default:
		i.CodeURL = p.CodeURL
	}
	return i, p.CodeURL != ""
}

// addressLasts is less than what platforms give their addresses: WeChat Pay's
// H5 page opens for 5 minutes, Alipay's signed address for 15.
const addressLasts = 4 * time.Minute

// InstructionOld tells whether the address of an open payment may not open any
// more: then the platform is asked for a new one under the same number.
func (p Payment) InstructionOld(now time.Time) bool {
	return p.Status == Open && KindOf(p.Method) == KindRedirect && now.Sub(p.CreatedAt) >= addressLasts
}
