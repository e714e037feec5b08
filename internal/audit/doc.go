// Package audit keeps the append-only record of who did what. A record is
// written in the transaction of the change it tells about, so neither can
// exist without the other; looks at card keys and personal data are recorded
// before they are shown.
//
// Old records are moved to the archive, month by month; a subject's trail is
// read across both. Nothing is deleted here.
//
// Details never hold card keys, contacts or credentials in clear.
package audit
