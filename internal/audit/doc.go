// Package audit keeps the append-only record of who did what. A record is
// written in the transaction of the change it tells about, so neither can
// exist without the other; looks at card keys and personal data are recorded
// before they are shown.
//
// Details never hold card keys, contacts or credentials in clear.
package audit
