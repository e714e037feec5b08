package sandbox

import (
	"errors"
	"net/http"
)

// apiError is an answer in the protocol's form: a stable code, a message, and the field at fault if there is one.
type apiError struct {
	Status  int
	Code    string
	Message string
	Field   string         // name of the faulty field, or empty
	More    map[string]any // further members of the answer
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func (e *apiError) body() map[string]any {
	out := map[string]any{"code": e.Code, "message": e.Message}
	if e.Field != "" {
		out["detail"] = map[string]any{"field": e.Field, "issue": e.Message}
	}
	for k, v := range e.More {
		out[k] = v
	}
	return out
}

// asAPIError turns any error into an answer; what is not meant for the caller becomes SYSTEM_ERROR.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{Status: http.StatusInternalServerError, Code: "SYSTEM_ERROR", Message: "internal error of the sandbox"}
}

func errParam(field, message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Code: "PARAM_ERROR", Message: field + ": " + message, Field: field}
}

func errSign(message string) *apiError {
	return &apiError{Status: http.StatusUnauthorized, Code: "SIGN_ERROR", Message: message}
}

func errInvalid(message string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Code: "INVALID_REQUEST", Message: message}
}

func errNoOrder() *apiError {
	return &apiError{Status: http.StatusNotFound, Code: "ORDER_NOT_EXIST", Message: "no such order"}
}

func errNoResource(what string) *apiError {
	return &apiError{Status: http.StatusNotFound, Code: "RESOURCE_NOT_EXISTS", Message: "no such " + what}
}

func errOrderPaid() *apiError {
	return &apiError{Status: http.StatusBadRequest, Code: "ORDERPAID", Message: "the order is paid"}
}

func errOrderClosed() *apiError {
	return &apiError{Status: http.StatusBadRequest, Code: "ORDER_CLOSED", Message: "the order is closed or has expired"}
}

func errState() *apiError {
	return &apiError{
		Status: http.StatusInternalServerError, Code: "SYSTEM_ERROR", Message: "the sandbox cannot write its state file",
	}
}

// injectable lists the errors of the platform that nothing here can cause, so that faults may ask for them by code.
func injectable(code string) (*apiError, bool) {
	status, ok := map[string]int{
		"ACCOUNT_ERROR":         http.StatusForbidden,
		"BANK_ERROR":            http.StatusInternalServerError,
		"FREQUENCY_LIMITED":     http.StatusTooManyRequests,
		"INVALID_REQUEST":       http.StatusBadRequest,
		"NOT_ENOUGH":            http.StatusForbidden,
		"NO_AUTH":               http.StatusForbidden,
		"RULE_LIMIT":            http.StatusForbidden,
		"SIGN_ERROR":            http.StatusUnauthorized,
		"SYSTEM_ERROR":          http.StatusInternalServerError,
		"TRADE_ERROR":           http.StatusForbidden,
		"USER_ACCOUNT_ABNORMAL": http.StatusForbidden,
	}[code]
	return &apiError{Status: status, Code: code, Message: "injected by /simulate/faults"}, ok
}
