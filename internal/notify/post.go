package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// post sends body and gives what came back. Its errors do not name the
// address, which may hold a key.
func post(ctx context.Context, way Way, u *url.URL, headers map[string]string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, unreached(errors.New("the request cannot be made"))
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "panshi")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := way.HTTP.Do(req)
	if err != nil {
		return 0, nil, unreached(withoutAddress(err))
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, unreached(withoutAddress(err))
	}
	return resp.StatusCode, answer, nil
}

// withoutAddress takes the URL off an error of net/http.
func withoutAddress(err error) error {
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		return quoting.Err
	}
	return err
}

// wantOK is an error for every status but 2xx; what the other side said about
// it may help.
func wantOK(status int, said string) error {
	if status >= 200 && status < 300 {
		return nil
	}
	why := fmt.Sprintf("HTTP %d", status)
	if said != "" {
		why += " " + said
	}
	return refused(why)
}
