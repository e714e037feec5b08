package consoleapi

import (
	"context"
	"encoding/base64"
	"net/http"

	qrcode "github.com/skip2/go-qrcode"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// qrSize is the side of the picture in pixels.
const qrSize = 256

type beginSetupIn struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"128" doc:"What stands behind the # of the set-up link."`
	}
}

type enrolment struct {
	OTPAuthURL string `json:"otpauth_url" doc:"For the authenticator app; shown once."`
	Secret     string `json:"secret" doc:"The same secret in base32, to type."`
	QR         string `json:"qr" doc:"The URL as a QR code: a data URL of a PNG picture."`
	Handle     string `json:"handle" doc:"Send it back to complete."`
}

type beginSetupOut struct{ Body enrolment }

type completeSetupIn struct {
	Body struct {
		Token    string `json:"token" minLength:"1" maxLength:"128" doc:"Of the link."`
		Handle   string `json:"handle" minLength:"1" maxLength:"128" doc:"Of the answer to begin."`
		Login    string `json:"login" minLength:"1" maxLength:"64" doc:"3 to 64 letters, digits, '.', '_' or '-'; case does not matter."`
		Password string `json:"password" minLength:"1" maxLength:"256" doc:"12 to 128 characters that are not easily guessed."`
		Code     string `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the app."`
	}
}

type completeSetupOut struct {
	Body struct {
		Login         string   `json:"login" doc:"Sign in with it, and with a later code than this one."`
		RecoveryCodes []string `json:"recovery_codes" doc:"Ten; each stands in for a code of the app once. Shown once."`
	}
}

func (a *api) addSetup() {
	registerOpen(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/setup", ID: "begin_setup", Tag: tagAccess,
		Summary:    "Begin to set the owner up: get a second factor",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitSignIn,
		Errors: map[errs.Kind][]string{errs.Forbidden: {"setup_link_invalid"}},
	}, a.beginSetup)
	registerOpen(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/setup/complete", ID: "complete_setup", Tag: tagAccess,
		Summary:    "Choose login and password, confirm the second factor",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitSignIn,
		Errors: map[errs.Kind][]string{
			errs.Forbidden: {"setup_link_invalid"}, errs.Conflict: {"owner_exists"},
			errs.Invalid: {"invalid_login", "login_taken", "password_too_short", "password_too_long", "password_common", "totp_wrong"},
		},
	}, a.completeSetup)
}

func (a *api) beginSetup(ctx context.Context, in *beginSetupIn) (*beginSetupOut, error) {
	e, err := a.deps.Access.BeginSetup(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	picture, err := qrcode.Encode(e.URL, qrcode.Medium, qrSize)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "internal", "the QR code could not be drawn")
	}
	return &beginSetupOut{Body: enrolment{
		OTPAuthURL: e.URL, Secret: e.Secret, Handle: e.Handle,
		QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture),
	}}, nil
}

func (a *api) completeSetup(ctx context.Context, in *completeSetupIn) (*completeSetupOut, error) {
	done, err := a.deps.Access.CompleteSetup(ctx, access.SetupRequest{
		Token: in.Body.Token, Handle: in.Body.Handle, Login: in.Body.Login, Password: in.Body.Password, Code: in.Body.Code,
	})
	if err != nil {
		return nil, err
	}
	out := &completeSetupOut{}
	out.Body.Login, out.Body.RecoveryCodes = done.Login, done.RecoveryCodes
	return out, nil
}
