package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// NetworkCause keeps of a failed request what helps (which address, which
// certificate, that it broke off) and makes other of the rest, since net/http
// quotes bytes of a garbled answer.
func NetworkCause(err, other error) error {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return other
}
