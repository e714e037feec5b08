// Package vault keeps card keys, personal data and payment secrets unreadable
// to whoever has only the database, a backup or the disk. Text goes in sealed
// and comes out by the key; there is no mode that stores it in clear.
//
// # Key hierarchy
//
//	key-encryption key      one line in Config.KeyFile, outside the data
//	     │                  directory and outside every backup
//	     │ wraps (AES-256-GCM; associated data names class and use)
//	     ▼
//	data keysets            files in Config.Dir, one a class and use:
//	  card.aead  card.prf       what is sold; travels in its own backup bundle
//	  pii.aead   pii.prf        names, phones, mail addresses, postal addresses
//	  payment.aead payment.prf  merchants' keys at payment platforms
//	  staff.aead staff.prf      second-factor secrets of staff
//	  token.prf                 access tokens
//	  backup.stream             files of the backup
//	     │
//	     ├─ stream: AES-256-GCM-HKDF by segments of 4 KiB ──▶ Backup
//	     ├─ aead: AES-256-GCM, associated data table|column|row ──▶ Seal, Unseal
//	     └─ prf:  HMAC-SHA256 ──▶ Fingerprint (blind index), Token
//
// # Invariants
//
//   - A sealed value opens only in the class, table, column and row it was
//     sealed for. Copied to another row, cut or changed in any bit, it does not
//     open.
//   - A keyset file opens only under its own class and use.
//   - Keys are made once, for an empty shop; the key of the backup also for a
//     shop that has no backup yet. Open never makes one, and nothing replaces a
//     key that exists.
//   - No file ever stands half-written under its final name, so creation that
//     was interrupted at any step goes on at the next start.
//   - Nothing in this package prints a key or a text: a Vault shows as
//     "[vault]" to fmt, slog and encoding/json, and errors name places only.
//
// # Format of a sealed value
//
//	1 byte   version of the format (0x01)
//	4 bytes  number of the key, so that old and new keys work side by side
//	12 bytes random nonce
//	n bytes  ciphertext, as long as the text: the length is not hidden
//	16 bytes authentication tag
//
// # Limits
//
// Random nonces bound one AES-GCM key to 2^32 seals (NIST SP 800-38D, 8.3);
// rotation must come before. Key material is wiped from buffers where this
// package holds it, which is best effort: the Go runtime and the cipher keep
// copies, so core dumps must be off.
package vault
