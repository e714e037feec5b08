package access

import (
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/vault"
)

// Times of links and sessions.
const (
	linkLife     = 24 * time.Hour
	sessionIdle  = 30 * time.Minute
	sessionLife  = 12 * time.Hour
	seenInterval = time.Minute // how exactly the last use of a session is known
)

// Service signs staff in and knows who a session belongs to. It is safe for
// concurrent use.
type Service struct {
	db     db.DB
	vault  *vault.Vault
	clock  clock.Clock
	hasher *hasher
}

// NewService returns a Service on d. Second-factor secrets are sealed by v; c
// tells the time that codes are compared with.
func NewService(d db.DB, v *vault.Vault, c clock.Clock) *Service {
	return &Service{db: d, vault: v, clock: c, hasher: newHasher(defaultParams())}
}
