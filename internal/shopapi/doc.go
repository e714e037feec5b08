// Package shopapi is the JSON API that buyers' programs speak: the mini
// program, scripts, and whoever reads /openapi.json. It turns requests into
// calls of catalog and checkout and their results into the contract's JSON; it
// decides nothing.
//
// What holds for every operation:
//
//   - The shop is the one whose host the request was sent to.
//   - Names are snake_case, amounts are integers of minor units beside their
//     currency, times are RFC 3339 in UTC, ids are UUIDs.
//   - Texts are in the language of Accept-Language, Chinese if it asks for none
//     that we have.
//   - Errors are problem+json with a stable code and the fields that must change.
//   - An order is shown to whoever holds its access token, and never with its
//     contact. A wrong token and an unknown number are one answer.
//   - What was delivered is shown by the reveal operation only.
//
// Placing and paying take an Idempotency-Key. Two requests are the same when
// they mean the same (digest.go), not when their bytes are the same.
package shopapi
