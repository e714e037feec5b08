// Package seal makes what a destination may see of a shop: noise. Every object is
// encrypted by age to the recovery identity, whose secret half is on paper, and,
// unless the shop is strict, to a verify identity that the shop keeps under its
// key-encryption key, so that it can prove its own backups. Each object is
// signed by the shop's Ed25519 key together with its name.
//
// # What holds
//
//   - Whoever has the destination, or the destination and the shop's database,
//     reads nothing. The recovery sheet alone opens everything.
//   - Whoever can write to the destination can make nothing that opens: bytes
//     that changed, a file under another's name, or one sealed to our recipients
//     by a stranger are refused before a byte of them is decrypted.
//   - The secret half of the recovery identity is never written by this program:
//     it is printed once.
//
// # Format of a sealed object
//
//	n bytes   the content in the age format (age-encryption.org/v1)
//	32 bytes  SHA-256 of the content before sealing
//	64 bytes  Ed25519 signature over the text below
//	16 bytes  "panshi-object-1\n"
//
//	panshi-object-1 <name> <content digest> <bytes of age> <digest of age>
//
// with digests in small hexadecimal digits. The content digest tells whether two
// sealings of one name, which never have the same bytes, mean the same; content
// that could be guessed is sealed by the vault before it comes here. What is not
// age stands at the end, so that an object is written in one pass, and opens
// without this program too: head -c -112 OBJECT | age --decrypt -i KEY
package seal
