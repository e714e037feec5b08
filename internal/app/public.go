package app

import "net/http"

// Public is what buyers and payment platforms reach, without a listener: for
// those who count what one request costs.
func (s *Shop) Public() (http.Handler, error) {
	public, _, err := s.handlers()
	return public, err
}
