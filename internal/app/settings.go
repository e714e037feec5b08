package app

import (
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

// consoleSettings reads the settings of a payment account as the console sends
// them: the platform's way to pay, under which numbers, and the configuration
// to be sealed. For method "" it is the platform's first.
func consoleSettings(provider, method string, raw []byte) (payment.Account, []byte, error) {
	read, err := readAccount(provider, raw)
	if err != nil {
		return payment.Account{}, nil, err
	}
	way, err := wayOf(provider, method)
	return payment.Account{Provider: way.provider, Method: way.method, ExternalRef: read.externalRef, AppRef: read.appRef}, read.config, err
}

// wayOf is channelOf for somebody who must read what can be chosen.
func wayOf(provider, method string) (channel, error) {
	way, ok := channelOf(provider, method)
	if !ok {
		return channel{}, errs.Field("method", "method_unknown", "is one of "+strings.Join(methodsOf(provider), ", "))
	}
	return way, nil
}
